//! What the admin who installs Postern sets for the whole cluster.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Deserialize;

/// The operator's configuration, as YAML.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// How sender pods look where the admin may choose.
    pub sender: SenderSettings,
    /// The name servers of sender pods; their NetworkPolicy admits no others. At least one.
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
    /// Deliveries are spread over this many seconds after the minute: 0 (all at once) to 59.
    #[serde(default)]
    pub spread_seconds: u32,
    /// How many schedules are reconciled at the same time: 1 or more.
    #[serde(default = "default_concurrency")]
    pub concurrency: u16,
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
    /// What a sender asks for and is held to.
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

fn default_cluster_domain() -> String {
    "cluster.local".into()
}

fn default_concurrency() -> u16 {
    8
}

fn default_pull_policy() -> String {
    "IfNotPresent".into()
}
