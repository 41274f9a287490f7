//! The certificate of the metrics: the admin's, read again when its files change, or a self-signed one.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::operator::settings::MetricsSettings;

/// The name in the self-signed certificate; callers can't verify it anyway.
const OWN_NAME: &str = "postern-operator";

/// Why there is no certificate at the start.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file can't be read.
    #[error("{field}: {} can't be read: {source}", path.display())]
    Unreadable {
        /// The field in the settings.
        field: &'static str,
        /// The file that it names.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The certificate's file holds no certificate.
    #[error("metrics.certificate: {} holds no PEM certificate, or one that can't be read", .0.display())]
    NoCertificate(PathBuf),
    /// The key's file holds no key.
    #[error("metrics.key: {} holds no PEM private key", .0.display())]
    NoKey(PathBuf),
    /// The key doesn't match the certificate, or its kind isn't supported.
    #[error("metrics.certificate, metrics.key: they can't be used together: {0}")]
    Mismatch(#[from] rustls::Error),
    /// The process can't make a certificate itself.
    #[error("the certificate for the metrics could not be made: {0}")]
    NotMade(#[from] rcgen::Error),
}

/// The current certificate.
pub(crate) struct Certificate {
    files: Option<Files>,
    config: RefCell<Arc<ServerConfig>>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// Of what was read last, whether it could be used or not.
    read: Cell<[u8; 32]>,
}

struct Contents {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl Certificate {
    /// Reads the certificate that the settings name, or makes one.
    pub(crate) fn new(settings: &MetricsSettings) -> Result<Self, CertificateError> {
        let Some((certificate, key)) = settings.files() else {
            return Ok(Self { files: None, config: RefCell::new(Arc::new(own()?)) });
        };
        let files = Files { certificate: certificate.into(), key: key.into(), read: Cell::default() };
        let contents = files.contents()?;
        files.read.set(contents.sha256());
        let config = files.config(&contents)?;
        Ok(Self { files: Some(files), config: RefCell::new(Arc::new(config)) })
    }

    /// TLS with the certificate as its files are now. When the files can't be used, the last usable ones stay in place.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        if let Some(files) = &self.files {
            match files.renewed() {
                Ok(Some(config)) => {
                    tracing::info!("the metrics use a new certificate");
                    self.config.replace(Arc::new(config));
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the metrics keep their old certificate"),
            }
        }
        Arc::clone(&self.config.borrow())
    }
}

impl Files {
    /// Compares the files' content, not their times: that costs reading two small files per scrape.
    fn renewed(&self) -> Result<Option<ServerConfig>, CertificateError> {
        // While the files are being renewed, one may be missing; nothing is noted then, so they are read again next time.
        let contents = self.contents()?;
        let sha256 = contents.sha256();
        if self.read.replace(sha256) == sha256 {
            return Ok(None);
        }
        self.config(&contents).map(Some)
    }

    fn contents(&self) -> Result<Contents, CertificateError> {
        let read = |field, path: &Path| {
            std::fs::read(path).map_err(|source| CertificateError::Unreadable { field, path: path.into(), source })
        };
        let certificate = read("metrics.certificate", &self.certificate)?;
        Ok(Contents { certificate, key: Zeroizing::new(read("metrics.key", &self.key)?) })
    }

    fn config(&self, contents: &Contents) -> Result<ServerConfig, CertificateError> {
        let chain = CertificateDer::pem_slice_iter(&contents.certificate)
            .collect::<Result<Vec<_>, _>>()
            .ok()
            .filter(|chain| !chain.is_empty())
            .ok_or_else(|| CertificateError::NoCertificate(self.certificate.clone()))?;
        let key =
            PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| CertificateError::NoKey(self.key.clone()))?;
        Ok(config(chain, key)?)
    }
}

impl Contents {
    fn sha256(&self) -> [u8; 32] {
        // What one file ends with isn't what the other begins with.
        let length = self.certificate.len().to_be_bytes();
        let hash = Sha256::new().chain_update(length).chain_update(&self.certificate).chain_update(&self.key);
        hash.finalize().into()
    }
}

fn own() -> Result<ServerConfig, CertificateError> {
    let made = rcgen::generate_simple_self_signed([OWN_NAME.to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok(config(vec![made.cert.der().clone()], key.into())?)
}

fn config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests;
