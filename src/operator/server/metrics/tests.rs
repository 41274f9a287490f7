use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::*;
use crate::operator::test_support::attack::Attack;
use crate::operator::test_support::fake_api;

/// Accepts any certificate: that of these tests is self-signed.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A listener on any free port, and a server of the metrics for it.
fn scrape() -> (TcpListener, Scrape) {
    let client = fake_api::client(|request| {
        let mut object = request.body;
        object["status"] = match object["spec"]["token"].as_str() {
            Some("reader" | "other") => json!({"authenticated": true, "user": {"username": object["spec"]["token"]}}),
            Some("down") => return (500, Value::Null),
            Some(_) => json!({"authenticated": false}),
            None => json!({"allowed": object["spec"]["user"] == "reader"}),
        };
        (201, object)
    });
    let scrape = Scrape::new(client, Metrics::new(), &MetricsSettings::default()).unwrap();
    (http::listen(([127, 0, 0, 1], 0).into()).unwrap(), scrape)
}

/// The answer, over TLS, to a request with this first line and these additional headers.
async fn asked(address: SocketAddr, line: &str, headers: &str) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("postern-operator").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(format!("{line} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The answer of a server of its own.
async fn answer(line: &str, headers: &str) -> String {
    let (listener, scrape) = scrape();
    let address = listener.local_addr().unwrap();
    tokio::select! {
        never = scrape.serve(listener) => match never {},
        answer = asked(address, line, headers) => answer,
    }
}

async fn status(line: &str, headers: &str) -> u16 {
    let answer = answer(line, headers).await;
    answer.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap()
}

#[tokio::test]
async fn shows_the_metrics_to_who_may_read_them() {
    let answer = answer("GET /metrics", "Authorization: Bearer reader\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{answer}");
    assert!(answer.contains("\npostern_build_info{") && answer.ends_with("# EOF\n"), "{answer}");
}

#[tokio::test]
async fn refuses_everybody_else() {
    assert_eq!(status("GET /metrics", "").await, 401);
    assert_eq!(status("GET /metrics", "Authorization: Bearer unknown\r\n").await, 401);
    assert_eq!(status("GET /metrics", "Authorization: Basic cmVhZGVyOg==\r\n").await, 401);
    assert_eq!(status("GET /metrics", "Authorization: Bearer other\r\n").await, 403);
    assert_eq!(status("GET /metrics", "Authorization: Bearer down\r\n").await, 503);
    assert_eq!(status("GET /", "Authorization: Bearer reader\r\n").await, 404);
    assert_eq!(status("POST /metrics", "Authorization: Bearer reader\r\n").await, 405);
}

#[tokio::test(start_paused = true)]
async fn shows_the_metrics_while_others_open_silent_connections_without_end() {
    for sources in [1, 50] {
        let (listener, scrape) = scrape();
        let address = listener.local_addr().unwrap();
        let attack = Attack::from(sources);
        let reader = async {
            attack.is_under_way().await;
            for _ in 0..5 {
                let asked = asked(address, "GET /metrics", "Authorization: Bearer reader\r\n");
                // The clock stands still unless every task is idle.
                let answer = timeout(Duration::from_secs(1), asked).await.unwrap();
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            }
        };
        tokio::select! {
            never = scrape.serve(listener) => match never {},
            never = attack.run(address) => match never {},
            () = reader => {}
        }
    }
}
