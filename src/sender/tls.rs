//! TLS for deliveries: certificates are always verified, and there is no switch for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::Failure;
use super::files::Root;
use super::pem;
use super::refusal::Refusal;
use super::tls_failure::{ClientAuth, of_handshake};
use crate::delivery::{ClientCertificate, FileRef, KeyRef, MAX_PEM_BYTES, Reason, Tls};

/// Makes TLS connections, one at a time.
pub(super) struct Connector {
    tls: TlsConnector,
    was_asked: Arc<AtomicBool>,
    /// The Secret that holds the client certificate.
    client: Option<String>,
}

impl Connector {
    /// Makes the TLS handshake with the receiver, whose certificate must be for `name`.
    ///
    /// # Errors
    /// With the reason, and what to do about it.
    pub(super) async fn connect(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        self.was_asked.store(false, Ordering::Relaxed);
        self.tls.connect(name, stream).await.map_err(|error| {
            let (reason, detail) = of_handshake(&error, self.client_auth());
            Failure::of_transport(reason).because(detail)
        })
    }

    /// The client certificate's part in the latest connection.
    pub(super) fn client_auth(&self) -> ClientAuth<'_> {
        match &self.client {
            _ if !self.was_asked.load(Ordering::Relaxed) => ClientAuth::NotAsked,
            Some(secret) => ClientAuth::Shown(secret),
            None => ClientAuth::Missing,
        }
    }
}

/// Records that the receiver asked for a client certificate, and lets the wrapped resolver answer.
#[derive(Debug)]
struct Noting {
    was_asked: Arc<AtomicBool>,
    resolver: Arc<dyn ResolvesClientCert>,
}

impl ResolvesClientCert for Noting {
    fn resolve(&self, issuers: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.resolver.resolve(issuers, schemes)
    }

    fn has_certs(&self) -> bool {
        self.resolver.has_certs()
    }
}

/// Offers TLS 1.2 and 1.3, and only HTTP/1.1, and trusts the compiled-in roots and those of the CA bundle. The text says which
/// certificates of the bundle are left out; it is empty when none are.
pub(super) fn connector(tls: &Tls, root: &Root) -> Result<(Connector, String), Refusal> {
    let (roots, left_out) = roots(tls, root)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|_| Refusal::new(Reason::CaBundleInvalid, "the CA bundle can't be used"))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Refusal::new(Reason::TlsHandshakeFailed, "this build has no TLS"))?
        .with_webpki_verifier(verifier);
    let mut config = match &tls.client_certificate {
        Some(client) => {
            let (chain, key) = client_certificate(client, root)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| client_refusal(client, unusable(&error)))?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    let was_asked = Arc::new(AtomicBool::new(false));
    let resolver = Arc::clone(&config.client_auth_cert_resolver);
    config.client_auth_cert_resolver = Arc::new(Noting { was_asked: Arc::clone(&was_asked), resolver });
    let client = tls.client_certificate.as_ref().map(|client| client.certificate.from.key_ref().name.clone());
    Ok((Connector { tls: TlsConnector::from(Arc::new(config)), was_asked, client }, left_out))
}

/// Which roots to trust, and which certificates of the bundle are left out.
fn roots(tls: &Tls, root: &Root) -> Result<(RootCertStore, String), Refusal> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let Some(bundle) = &tls.ca_bundle else {
        return Ok((roots, String::new()));
    };
    let pem = root.mounted(bundle, MAX_PEM_BYTES)?;
    let KeyRef { name, key } = bundle.from.key_ref();
    let what = format!("the CA bundle in {} {name}, key {key}", bundle.from.kind());
    let refusal = |problem: &str| Refusal::new(Reason::CaBundleInvalid, format!("{what} {problem}"));
    let before = roots.len();
    let mut unreadable = Vec::new();
    let mut count = 0;
    for certificate in pem::certificates(pem.expose()) {
        count += 1;
        if certificate.is_none_or(|certificate| roots.add(certificate).is_err()) {
            unreadable.push(count);
        }
    }
    if count == 0 {
        return Err(refusal(&pem::why_none(pem.expose(), pem::CERTIFICATE)));
    }
    if roots.len() == before {
        let problem = pem::flaw(pem.expose()).map_or_else(String::new, |flaw| format!(": it {flaw}"));
        return Err(refusal(&format!("has no certificate that can be read, of {count}{problem}")));
    }
    if unreadable.is_empty() {
        return Ok((roots, String::new()));
    }
    Ok((roots, format!("{what}: {} can't be read; the others are used", pem::places(&unreadable, count))))
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(client: &ClientCertificate, root: &Root) -> Result<ChainAndKey, Refusal> {
    let pem = root.mounted(&client.certificate, MAX_PEM_BYTES)?;
    let in_key =
        |file: &FileRef, problem: &str| client_refusal(client, &format!("{problem} (key {})", file.from.key_ref().key));
    let certificates: Vec<_> = pem::certificates(pem.expose()).collect();
    if certificates.is_empty() {
        return Err(in_key(&client.certificate, &pem::why_none(pem.expose(), pem::CERTIFICATE)));
    }
    let unreadable: Vec<usize> =
        certificates.iter().zip(1..).filter(|(read, _)| read.is_none()).map(|(_, place)| place).collect();
    if !unreadable.is_empty() {
        let problem = format!("can't be used: {} can't be read", pem::places(&unreadable, certificates.len()));
        return Err(in_key(&client.certificate, &problem));
    }
    let pem = root.mounted(&client.key, MAX_PEM_BYTES)?;
    let key =
        PrivateKeyDer::from_pem_slice(pem.expose()).map_err(|_| in_key(&client.key, &pem::why_no_key(pem.expose())))?;
    Ok((certificates.into_iter().flatten().collect(), key))
}

fn unusable(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InconsistentKeys(_) => "has another key in tls.key than that of its certificate in tls.crt",
        rustls::Error::InvalidCertificate(_) => "has a certificate in tls.crt that can't be read",
        _ => {
            "has a key in tls.key that isn't supported: use P-256, P-384, Ed25519, or RSA with 2048 to 8192 bits, and not P-521"
        }
    }
}

fn client_refusal(client: &ClientCertificate, problem: &str) -> Refusal {
    let name = &client.certificate.from.key_ref().name;
    Refusal::new(Reason::ClientCertificateInvalid, format!("the client certificate of Secret {name} {problem}"))
}
