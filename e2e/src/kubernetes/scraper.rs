//! Reading an operator's metrics.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::TlsConnector;

/// The name in the metrics' certificate.
const NAME: &str = "metrics.example";

/// A reader of the metrics, which knows the certificate that they are served with.
pub struct Scraper {
    /// The certificate in PEM, as an operator reads it.
    pub certificate: String,
    /// The certificate's key in PEM.
    pub key: String,
}

impl Scraper {
    /// A reader with a new certificate.
    pub fn generate() -> Self {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    /// Asks for the metrics at an address, and returns the status and the body.
    ///
    /// # Errors
    /// Why there was no complete answer: the operator may be starting, or ending a connection that took too long.
    pub async fn scrape(&self, address: impl ToSocketAddrs, token: Option<&str>) -> io::Result<(u16, String)> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(NAME).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        ask(stream, "/metrics", token).await
    }
}

/// Asks for a path, and returns the status and the body, or why there was no complete answer.
pub async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    token: Option<&str>,
) -> io::Result<(u16, String)> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap(), body.into()))
}
