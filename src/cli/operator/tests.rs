use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::*;

/// Creates a Secret at an API server that always answers with this status. Returns the error's code, and how many requests the
/// client made.
async fn posted(code: StatusCode) -> (Option<u16>, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (count, again) = (AtomicUsize::new(0), Notify::new());
    let server = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = service_fn(async |_| {
                if count.fetch_add(1, Ordering::Relaxed) > 0 {
                    again.notify_one();
                }
                Ok::<_, Infallible>(Response::builder().status(code).body(String::new()).unwrap())
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        }
    };
    let secrets: Api<Secret> = Api::namespaced(client(Config::new(url)).unwrap(), "team-a");
    let secret = serde_json::from_value(serde_json::json!({"metadata": {"name": "key"}})).unwrap();
    let params = PostParams::default();
    let answer = tokio::select! {
        () = server => None,
        () = again.notified() => None,
        answer = secrets.create(&params, &secret) => Some(answer),
    };
    let code = match answer {
        Some(Err(kube::Error::Api(status))) => Some(status.code),
        _ => None,
    };
    (code, count.into_inner())
}

#[tokio::test]
async fn nothing_is_sent_again_when_it_is_not_known_what_became_of_it() {
    for code in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT] {
        assert_eq!(posted(code).await, (Some(code.as_u16()), 1));
    }
}
