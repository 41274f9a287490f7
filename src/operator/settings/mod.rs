//! The settings that the admin who installs Postern makes for the whole cluster.

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

/// The operator's configuration file, in YAML.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// What the admin may choose for sender pods.
    pub sender: SenderSettings,
    /// The namespaces to work in. Empty: all namespaces.
    #[serde(default)]
    pub watch_namespaces: Vec<String>,
    /// The name servers of sender pods; their NetworkPolicy allows no others. Empty: the name servers of the operator itself.
    #[serde(default)]
    pub name_servers: Vec<IpAddr>,
    /// The pods behind those servers, for engines that see a Service's pods instead of its address.
    #[serde(default)]
    pub name_server_pods: Vec<PodSelector>,
    /// The cluster's own ranges: pods, Services, nodes. Deliveries never go there, unless a tier allows a block that is as
    /// specific or more specific.
    #[serde(default, rename = "clusterCIDRs")]
    pub cluster_cidrs: Vec<IpNet>,
    /// The cluster's DNS domain.
    #[serde(default = "default_cluster_domain")]
    pub cluster_domain: String,
    /// Over how many seconds after the minute deliveries are spread: 0 (all at once) to 59. Default: 10.
    #[serde(default = "default_spread_seconds")]
    pub spread_seconds: u32,
    /// How many schedules are reconciled at the same time: 1 or more.
    #[serde(default = "default_concurrency")]
    pub concurrency: u16,
    /// Deliveries on the dot.
    #[serde(default)]
    pub delivery: DeliverySettings,
    /// Whether Jobs are made early at all, where a tier has a lead: `early_jobs::support` finds out at the start.
    #[serde(skip)]
    pub makes_early_jobs: bool,
    /// The checks before the first delivery of a new spec.
    #[serde(default)]
    pub preflight: PreflightSettings,
    /// Whether deliveries wait for the proof that senders are isolated from the cluster's inside.
    #[serde(default)]
    pub isolation: Isolation,
    /// The addresses of the operator itself.
    #[serde(skip)]
    pub here: OperatorAddresses,
    /// Where the kubelet probes the operator.
    #[serde(default)]
    pub health: HealthSettings,
    /// Where metrics are served.
    #[serde(default)]
    pub metrics: MetricsSettings,
    /// The Lease whose holder leads.
    #[serde(default)]
    pub lease: LeaseSettings,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It isn't YAML of the expected form.
    #[error(transparent)]
    Yaml(#[from] serde_saphyr::Error),
    /// There is no name server.
    #[error("nameServers: it is empty, and the operator's own resolv.conf names none either: name at least one")]
    NoNameServer,
    /// The spread is longer than a minute allows.
    #[error("spreadSeconds: {0} is not from 0 to {MAX_OFFSET_SECONDS}")]
    Spread(u32),
    /// Nothing would ever be reconciled.
    #[error("concurrency: it is 0; the least is 1")]
    Concurrency,
    /// More Jobs would be made early than the CronJob controller can adopt in time.
    #[error("delivery.maxEarly: {0} is not from 0 to {MAX_EARLY}")]
    MaxEarly(u16),
    /// No check would ever be made.
    #[error("preflight.concurrency: it is 0; the least is 1. To have no checks, set preflight.enabled to false")]
    PreflightConcurrency,
    /// The API server would store it in another form.
    #[error("{field}: {problem}")]
    Quantity {
        /// The field's path.
        field: String,
        /// What is wrong with the quantity, and how to write it.
        problem: QuantityRefused,
    },
    /// Both servers would listen on the same address.
    #[error("metrics.address: {0} is health.address too; give one of them another port")]
    SameAddress(SocketAddr),
    /// There is a certificate without its key, or a key without its certificate.
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
    /// When it isn't YAML of the expected form, or a value is out of its range.
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
        if settings.delivery.max_early > MAX_EARLY {
            return Err(SettingsError::MaxEarly(settings.delivery.max_early));
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

/// The most Jobs that can be made early at a time: the CronJob controller makes 20 requests in a second by default, and each of
/// these Jobs costs it several.
const MAX_EARLY: u16 = 1_000;

/// Deliveries whose Jobs are made some seconds early, where the tier allows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DeliverySettings {
    /// How many Jobs wait for their minute at the same time, in all namespaces: 0 (none is made early) to 1000. Default: 50.
    pub max_early: u16,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self { max_early: 50 }
    }
}

/// The checks of new specs; each one runs in a pod like a delivery's.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PreflightSettings {
    /// Whether checks are made.
    pub enabled: bool,
    /// How many checks run at the same time: 1 or more. Default: 10.
    pub concurrency: u16,
}

impl Default for PreflightSettings {
    fn default() -> Self {
        Self { enabled: true, concurrency: 10 }
    }
}

/// What depends on the proof that senders are isolated from the cluster's inside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Isolation {
    /// Canaries run, and deliveries are made whatever they find. The default.
    #[default]
    Warn,
    /// No delivery is made before isolation is proved.
    Require,
    /// No canary runs; only problems that can be seen without one are reported.
    Unchecked,
}

/// The addresses of the operator's pod and of its node. Canaries try them as examples of a pod in another namespace and of a
/// kubelet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorAddresses {
    /// The addresses of the pod.
    pub pod_ips: Vec<IpAddr>,
    /// The addresses of its node.
    pub node_ips: Vec<IpAddr>,
}

/// Selects pods in any namespace.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSelector {
    /// The labels of the pods' namespaces.
    pub namespace_selector: LabelSelector,
    /// The labels of the pods.
    pub pod_selector: LabelSelector,
}

/// What the admin may choose for sender pods.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SenderSettings {
    /// The sender's image, preferably by digest.
    pub image: String,
    /// When a node pulls the image: `Always`, `IfNotPresent`, `Never`.
    #[serde(default = "default_pull_policy")]
    pub image_pull_policy: String,
    /// The pull secrets: Secrets in the namespace of each schedule.
    #[serde(default)]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// The resource requests and limits of a sender: quantities in Kubernetes' canonical form.
    #[serde(default)]
    pub resources: ResourceRequirements,
    /// The tolerations of sender pods.
    #[serde(default)]
    pub tolerations: Vec<Toleration>,
    /// The node labels that sender pods require.
    #[serde(default)]
    pub node_selector: BTreeMap<String, String>,
    /// The priority class of sender pods.
    #[serde(default)]
    pub priority_class_name: Option<String>,
}

/// The addresses of the `nameserver` lines.
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
