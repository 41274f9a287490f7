//! An API server for tests: a function from requests to answers.

use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, Mutex};

use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// A request, as a test sees it.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Value,
}

/// A client of an API server that gives these answers: a status code and an object. For an error code the object doesn't
/// matter; code 0 is no answer at all.
pub(crate) fn client(answer: impl FnMut(Asked) -> (u16, Value) + Send + 'static) -> Client {
    let answer = Arc::new(Mutex::new(answer));
    let service = tower::service_fn(move |request: Request<Body>| {
        let answer = Arc::clone(&answer);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap();
            let asked = Asked {
                method: head.method.to_string(),
                path: head.uri.path().into(),
                query: head.uri.query().unwrap_or_default().into(),
                body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            };
            let (code, object) = (answer.lock().unwrap())(asked);
            if code == 0 {
                std::future::pending::<()>().await;
            }
            let object = if code < 400 { object } else { status(code) };
            let response = Response::builder().status(code).body(Body::from(object.to_string().into_bytes())).unwrap();
            ready(Ok::<_, Infallible>(response)).await
        }
    });
    Client::new(service, "default")
}

fn status(code: u16) -> Value {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "no"})
}
