//! Serves the metrics over HTTPS to callers who may read them.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Method, Response, StatusCode};
use kube::Client;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::authorization::{Access, PATH, Token, Verdict};
use super::certificate::{Certificate, CertificateError};
use super::http::{self, Answer, plain};
use crate::operator::metrics::Metrics;
use crate::operator::settings::MetricsSettings;

/// The content type of `OpenMetrics` 1.0.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The server of the metrics.
pub(crate) struct Scrape {
    metrics: Metrics,
    access: Access,
    certificate: Certificate,
}

impl Scrape {
    /// Reads or makes the certificate.
    pub(crate) fn new(client: Client, metrics: Metrics, settings: &MetricsSettings) -> Result<Self, CertificateError> {
        Ok(Self { metrics, access: Access::new(client), certificate: Certificate::new(settings)? })
    }

    /// Answers requests for ever.
    pub(crate) async fn serve(&self, listener: TcpListener) -> Infallible {
        let open = async |stream: TcpStream| TlsAcceptor::from(self.certificate.config()).accept(stream).await;
        let answer = async |request: hyper::Request<_>| {
            self.answer(request.method(), request.uri().path(), request.headers()).await
        };
        http::serve(listener, open, answer).await
    }

    async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Answer {
        if path != PATH {
            return plain(StatusCode::NOT_FOUND, "not found: ask for /metrics\n");
        }
        if method != Method::GET {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is allowed\n");
        }
        let Some(token) = Token::of(headers) else { return unauthenticated() };
        match self.access.verdict(&token).await {
            Ok(Verdict::Allowed) => self.text(),
            Ok(Verdict::Forbidden) => {
                plain(StatusCode::FORBIDDEN, "the token's holder needs the verb get on the non-resource URL /metrics\n")
            }
            Ok(Verdict::Unauthenticated) => unauthenticated(),
            Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the operator can't ask the API server about the token\n"),
        }
    }

    fn text(&self) -> Answer {
        let Ok(text) = self.metrics.text() else {
            return plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics can't be written as text\n");
        };
        let mut answer = Response::new(Full::from(Bytes::from(text)));
        answer.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
        answer
    }
}

fn unauthenticated() -> Answer {
    let mut answer = plain(StatusCode::UNAUTHORIZED, "a bearer token is needed that the API server accepts\n");
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

#[cfg(test)]
mod tests;
