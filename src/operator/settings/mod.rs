//! What the admin who installs Postern sets for the whole cluster.

pub(crate) mod process;
pub(crate) mod quantity;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
pub use process::{HealthSettings, LeaseSettings, MetricsSettings};
pub use quantity::QuantityRefused;
use serde::Deserialize;

use crate::delivery::MAX_OFFSET_SECONDS;

/// The operator's configuration, as YAML.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// How sender pods look where the admin may choose.
    pub sender: SenderSettings,
    /// The namespaces to work in. Empty: all.
    #[serde(default)]
    pub watch_namespaces: Vec<String>,
    /// The name servers of sender pods; their NetworkPolicy admits no others. Empty: those that the operator itself asks.
    #[serde(default)]
    pub name_servers: Vec<IpAddr>,
    /// The pods behind those servers, for engines that see a Service's pods and not its address.
    #[serde(default)]
    pub name_server_pods: Vec<PodSelector>,
    /// The cluster's own ranges: pods, Services, nodes. Deliveries never go there, unless a tier allows a block that is as
    /// specific or more so.
    #[serde(default, rename = "clusterCIDRs")]
    pub cluster_cidrs: Vec<IpNet>,
    /// The cluster's DNS domain.
    #[serde(default = "default_cluster_domain")]
    pub cluster_domain: String,
    /// Deliveries are spread over this many seconds after the minute: 0 (all at once) to 59. Default: 10.
    #[serde(default = "default_spread_seconds")]
    pub spread_seconds: u32,
    /// How many schedules are reconciled at the same time: 1 or more.
    #[serde(default = "default_concurrency")]
    pub concurrency: u16,
    /// What is found out before a first delivery is due.
    #[serde(default)]
    pub preflight: PreflightSettings,
    /// Whether deliveries wait for the proof that senders are kept from the cluster's inside.
    #[serde(default)]
    pub isolation: Isolation,
    /// Where this operator itself is.
    #[serde(skip)]
    pub here: OperatorAddresses,
    /// Where the kubelet asks how the operator is.
    #[serde(default)]
    pub health: HealthSettings,
    /// Where metrics are read.
    #[serde(default)]
    pub metrics: MetricsSettings,
    /// The Lease whose holder leads.
    #[serde(default)]
    pub lease: LeaseSettings,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It isn't the YAML that is asked for.
    #[error(transparent)]
    Yaml(#[from] serde_saphyr::Error),
    /// There is no name server.
    #[error("nameServers: it is empty, and the operator's own resolv.conf names none either: name at least one")]
    NoNameServer,
    /// More than a minute.
    #[error("spreadSeconds: {0} is not from 0 to {MAX_OFFSET_SECONDS}")]
    Spread(u32),
    /// Nothing would ever be reconciled.
    #[error("concurrency: it is 0; the least is 1")]
    Concurrency,
    /// No check would ever be made.
    #[error("preflight.concurrency: it is 0; the least is 1. To have no checks, set preflight.enabled to false")]
    PreflightConcurrency,
    /// The API server would keep it in other words.
    #[error("{field}: {problem}")]
    Quantity {
        /// The field's path.
        field: String,
        /// What is wrong with the quantity, and how to write it.
        problem: QuantityRefused,
    },
    /// Both servers would listen at one address.
    #[error("metrics.address: {0} is health.address too; give one of them another port")]
    SameAddress(SocketAddr),
    /// A certificate without its key, or a key without its certificate.
    #[error("metrics.certificate, metrics.key: set both, or neither for a certificate that is made at the start")]
    HalfACertificate,
    /// No Lease can have this name.
    #[error(
        "lease.name: {0:?} is not a name that a Lease can have: a-z, 0-9, - and ., beginning and ending with one of a-z, 0-9"
    )]
    LeaseName(String),
}

impl Settings {
    /// Reads the configuration. `resolv_conf` is the operator's own (resolv.conf(5)).
    ///
    /// # Errors
    /// When it isn't YAML of this form, or a value is out of its range.
    pub fn read(yaml: &str, resolv_conf: &str) -> Result<Self, SettingsError> {
        let mut settings: Self = serde_saphyr::from_str(yaml)?;
        if settings.name_servers.is_empty() {
            settings.name_servers = name_servers(resolv_conf);
        }
        if settings.name_servers.is_empty() {
            return Err(SettingsError::NoNameServer);
        }
        if settings.spread_seconds > MAX_OFFSET_SECONDS {
            return Err(SettingsError::Spread(settings.spread_seconds));
        }
        if settings.concurrency == 0 {
            return Err(SettingsError::Concurrency);
        }
        if settings.preflight.concurrency == 0 {
            return Err(SettingsError::PreflightConcurrency);
        }
        quantity::canonicalize(&mut settings.sender.resources).map_err(|(field, problem)| SettingsError::Quantity {
            field: format!("sender.resources.{field}"),
            problem,
        })?;
        process::check(&settings.health, &settings.metrics, &settings.lease)?;
        Ok(settings)
    }
}

/// The checks of new specs, each by a pod like a delivery's.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PreflightSettings {
    /// Whether there are any.
    pub enabled: bool,
    /// How many are under way at the same time: 1 or more. Default: 10.
    pub concurrency: u16,
}

impl Default for PreflightSettings {
    fn default() -> Self {
        Self { enabled: true, concurrency: 10 }
    }
}

/// What follows from whether senders are proved to be kept from the cluster's inside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Isolation {
    /// It is proved, and deliveries are made whatever comes of it. The default.
    #[default]
    Warn,
    /// No delivery is made before it is proved.
    Require,
    /// No canary runs; what can be seen without one is told.
    Unchecked,
}

/// The addresses of the operator's pod and of its node: a pod of another namespace and a kubelet, for canaries to try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorAddresses {
    /// Those of the pod.
    pub pod_ips: Vec<IpAddr>,
    /// Those of its node.
    pub node_ips: Vec<IpAddr>,
}

/// Pods of any namespace.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSelector {
    /// The labels of their namespaces.
    pub namespace_selector: LabelSelector,
    /// Their labels.
    pub pod_selector: LabelSelector,
}

/// How sender pods look where the admin may choose.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SenderSettings {
    /// The sender's image, by digest for preference.
    pub image: String,
    /// When a node pulls it: `Always`, `IfNotPresent`, `Never`.
    #[serde(default = "default_pull_policy")]
    pub image_pull_policy: String,
    /// What a node pulls it with: Secrets in the namespace of each schedule.
    #[serde(default)]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// What a sender asks for and is held to: quantities in Kubernetes' canonical form.
    #[serde(default)]
    pub resources: ResourceRequirements,
    /// Taints that senders bear.
    #[serde(default)]
    pub tolerations: Vec<Toleration>,
    /// Labels of the nodes that senders run on.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// The priority class of senders.
    #[serde(default)]
    pub priority_class_name: Option<String>,
}

/// The addresses of the lines `nameserver`.
fn name_servers(resolv_conf: &str) -> Vec<IpAddr> {
    let words = resolv_conf.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.filter_map(|words| if let ["nameserver", ip, ..] = words[..] { ip.parse().ok() } else { None }).collect()
}

fn default_cluster_domain() -> String {
    "cluster.local".into()
}

fn default_spread_seconds() -> u32 {
    10
}

fn default_concurrency() -> u16 {
    8
}

fn default_pull_policy() -> String {
    "IfNotPresent".into()
}

#[cfg(test)]
mod tests;
