//! What the kubelet asks: whether the process is ready (`/readyz`). There is no liveness probe: see `server::watchdog`.

use std::convert::Infallible;

use hyper::{Method, StatusCode};
use tokio::net::TcpListener;

use super::http::{self, Answer, plain};
use super::readiness::{Readiness, Step};

/// Answers requests for ever.
pub(crate) async fn serve(listener: TcpListener, readiness: Readiness) -> Infallible {
    let answer = async |request: hyper::Request<_>| answer(request.method(), request.uri().path(), readiness.step());
    http::serve(listener, async |stream| Ok(stream), answer).await
}

fn answer(method: &Method, path: &str, step: Step) -> Answer {
    if method != Method::GET {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is allowed\n");
    }
    match path {
        "/readyz" => {
            let (status, text) = readiness(step);
            plain(status, text)
        }
        _ => plain(StatusCode::NOT_FOUND, "not found: ask for /readyz\n"),
    }
}

fn readiness(step: Step) -> (StatusCode, &'static str) {
    match step {
        Step::Starting => (StatusCode::SERVICE_UNAVAILABLE, "the API server has not confirmed the CRDs yet\n"),
        Step::Standby => (StatusCode::OK, "stands by: another process leads\n"),
        Step::Filling => (StatusCode::SERVICE_UNAVAILABLE, "leads, but the caches are not full yet\n"),
        Step::Leading => (StatusCode::OK, "leads\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_as_a_standby_and_as_a_leader_that_knows_the_cluster() {
        let handle = Readiness::default();
        let mut seen = vec![readiness(handle.step()).0];
        handle.connected();
        seen.push(readiness(handle.step()).0);
        handle.elected();
        seen.push(readiness(handle.step()).0);
        handle.caches_filled();
        seen.push(readiness(handle.step()).0);
        let (ok, unavailable) = (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(seen, [unavailable, ok, unavailable, ok]);
    }

    #[test]
    fn answers_nothing_but_whether_it_is_ready() {
        assert_eq!(answer(&Method::GET, "/readyz", Step::Starting).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer(&Method::GET, "/metrics", Step::Leading).status(), StatusCode::NOT_FOUND);
        assert_eq!(answer(&Method::GET, "/livez", Step::Leading).status(), StatusCode::NOT_FOUND);
        assert_eq!(answer(&Method::POST, "/readyz", Step::Leading).status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
