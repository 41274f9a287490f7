//! Where the process listens, and the Lease for leader election.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::SettingsError;

/// Kubernetes' limit for the name of a Lease.
const MAX_NAME_BYTES: usize = 253;

/// Where the kubelet probes the operator, over plain HTTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HealthSettings {
    /// The address and port to listen on.
    pub address: SocketAddr,
}

/// Where metrics are served, over HTTPS.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// The address and port to listen on.
    pub address: SocketAddr,
    /// A PEM file with the certificate and its chain. Without one, a self-signed certificate is made at the start.
    pub certificate: Option<PathBuf>,
    /// A PEM file with the certificate's key.
    pub key: Option<PathBuf>,
}

/// The Lease whose holder leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LeaseSettings {
    /// Its name, in the operator's own namespace.
    pub name: String,
}

impl MetricsSettings {
    /// The files of the certificate and its key, when the admin provides them.
    #[must_use]
    pub fn files(&self) -> Option<(&Path, &Path)> {
        self.certificate.as_deref().zip(self.key.as_deref())
    }
}

pub(super) fn check(
    health: &HealthSettings,
    metrics: &MetricsSettings,
    lease: &LeaseSettings,
) -> Result<(), SettingsError> {
    // With port 0, the system picks a free port.
    if health.address == metrics.address && health.address.port() != 0 {
        return Err(SettingsError::SameAddress(metrics.address));
    }
    if metrics.certificate.is_some() != metrics.key.is_some() {
        return Err(SettingsError::HalfACertificate);
    }
    if !is_name(&lease.name) {
        return Err(SettingsError::LeaseName(lease.name.clone()));
    }
    Ok(())
}

/// Whether it is a DNS subdomain (RFC 1123), as Kubernetes requires.
fn is_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_label = |label: &str| {
        let ends = label.bytes().next().is_some_and(is_inner) && label.bytes().last().is_some_and(is_inner);
        ends && label.bytes().all(|byte| is_inner(byte) || byte == b'-')
    };
    name.len() <= MAX_NAME_BYTES && name.split('.').all(is_label)
}

fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self { address: everywhere(8081) }
    }
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { address: everywhere(8443), certificate: None, key: None }
    }
}

impl Default for LeaseSettings {
    fn default() -> Self {
        Self { name: "postern-operator".into() }
    }
}
