//! TLS as the delivery wants it: certificates are always verified, and there is no switch for that.

use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::files::Root;
use super::pem;
use super::refusal::Refusal;
use crate::delivery::{ClientCertificate, FileRef, KeyRef, MAX_PEM_BYTES, Reason, Tls};

/// TLS 1.2 and 1.3 with the roots that are compiled in and those of the CA bundle, HTTP/1.1 is all that is offered; and
/// which certificates of the bundle are left out, in words that are empty when none is.
pub(super) fn connector(tls: &Tls, root: &Root) -> Result<(TlsConnector, String), Refusal> {
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
            builder.with_client_auth_cert(chain, key).map_err(|_| client_refusal(client, "can't be used together"))?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok((TlsConnector::from(Arc::new(config)), left_out))
}

/// Whom to trust, and which certificates of the bundle are left out.
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
    let key = PrivateKeyDer::from_pem_slice(pem.expose())
        .map_err(|_| in_key(&client.key, &pem::why_none(pem.expose(), pem::PRIVATE_KEY)))?;
    Ok((certificates.into_iter().flatten().collect(), key))
}

fn client_refusal(client: &ClientCertificate, problem: &str) -> Refusal {
    let name = &client.certificate.from.key_ref().name;
    Refusal::new(Reason::ClientCertificateInvalid, format!("the client certificate of Secret {name} {problem}"))
}
