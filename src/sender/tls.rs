//! TLS as the delivery wants it: certificates are always verified, and there is no switch for that.

use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::files::Root;
use super::refusal::Refusal;
use crate::delivery::{ClientCertificate, MAX_PEM_BYTES, Reason, Tls};

/// TLS 1.2 and 1.3 with the roots that are compiled in and those of the CA bundle. HTTP/1.1 is all that is offered.
pub(super) fn connector(tls: &Tls, root: &Root) -> Result<TlsConnector, Refusal> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(tls, root)?), Arc::clone(&provider))
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
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(tls: &Tls, root: &Root) -> Result<RootCertStore, Refusal> {
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let Some(bundle) = &tls.ca_bundle else {
        return Ok(roots);
    };
    let pem = root.mounted(bundle, MAX_PEM_BYTES)?;
    let refusal = || {
        let problem = "the CA bundle holds no PEM certificates, or one that can't be read";
        Refusal::new(Reason::CaBundleInvalid, problem)
    };
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.expose()) {
        roots.add(certificate.map_err(|_| refusal())?).map_err(|_| refusal())?;
    }
    if roots.len() == before { Err(refusal()) } else { Ok(roots) }
}

type ChainAndKey = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_certificate(client: &ClientCertificate, root: &Root) -> Result<ChainAndKey, Refusal> {
    let pem = root.mounted(&client.certificate, MAX_PEM_BYTES)?;
    let chain = CertificateDer::pem_slice_iter(pem.expose())
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| client_refusal(client, "has no PEM certificate in tls.crt"))?;
    let pem = root.mounted(&client.key, MAX_PEM_BYTES)?;
    let key = PrivateKeyDer::from_pem_slice(pem.expose())
        .map_err(|_| client_refusal(client, "has no PEM private key in tls.key"))?;
    Ok((chain, key))
}

fn client_refusal(client: &ClientCertificate, problem: &str) -> Refusal {
    let name = &client.certificate.from.key_ref().name;
    Refusal::new(Reason::ClientCertificateInvalid, format!("the client certificate of Secret {name} {problem}"))
}
