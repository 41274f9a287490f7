//! `WebhookTier`: what an admin allows for the namespaces that are in it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, schemas};

/// The limits of every namespace in the tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "postern.dev",
    version = "v1alpha1",
    kind = "WebhookTier",
    plural = "webhooktiers",
    shortname = "wht",
    category = "postern",
    status = "WebhookTierStatus",
    derive = "PartialEq",
    doc = "What the cluster's admins allow the namespaces whose label postern.dev/tier names this tier: how often \
        they deliver, how much, and where to.",
    selectable = ".spec.default",
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("metadata.name must have at most 63 characters, since a namespace names its tier in a label: choose \
            a shorter name"),
    printcolumn(name = "Min Interval", type_ = "string", json_path = ".spec.minInterval", description = "The smallest gap between two deliveries of a schedule"),
    printcolumn(name = "Hourly", type_ = "integer", json_path = ".spec.maxDeliveriesPerHour", description = "The most deliveries of a namespace in an hour"),
    printcolumn(name = "Max Schedules", type_ = "integer", json_path = ".spec.maxSchedules", description = "The most schedules of a namespace"),
    printcolumn(name = "Default", type_ = "boolean", json_path = ".spec.default", description = "Whether namespaces without a label are in it"),
    printcolumn(name = "Namespaces", type_ = "integer", json_path = ".status.namespaces", description = "How many namespaces with schedules are in it"),
    printcolumn(name = "Schedules", type_ = "integer", json_path = ".status.schedules", description = "How many schedules are in it"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "Whether it is in force"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct WebhookTierSpec {
    /// The smallest gap between two deliveries of one schedule, such as 15m or 1h30m: 1m to 8760h.
    #[schemars(schema_with = "schemas::interval")]
    pub min_interval: Duration,
    /// The most schedules in one namespace: 0 to 10000.
    #[schemars(range(min = 0, max = 10_000))]
    pub max_schedules: u32,
    /// The most deliveries of one namespace in any hour, all its schedules together: 0 to 600000.
    #[schemars(range(min = 0, max = 600_000))]
    pub max_deliveries_per_hour: u32,
    /// The largest body, in bytes: 0 to 1048576. Default: 65536.
    #[serde(default = "default_max_body_bytes")]
    #[schemars(range(min = 0, max = 1_048_576))]
    pub max_body_bytes: u32,
    /// The most attempts at one delivery: 1 to 20. Default: 5.
    #[serde(default = "default_max_attempts")]
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: u32,
    /// The longest timeout of one attempt, in seconds: 1 to 60. Default: 30.
    #[serde(default = "default_max_timeout_seconds")]
    #[schemars(range(min = 1, max = 60))]
    pub max_timeout_seconds: u32,
    /// How long before a delivery is due its pod may be started, such as 20s, so that it is sent on the dot: 0s to 30s.
    /// Default: 0s.
    #[serde(default = "default_lead")]
    #[schemars(schema_with = "schemas::lead")]
    pub lead: Duration,
    /// If this isn't empty, deliveries may go only to these hosts: a host, or *.example.com for all names below
    /// example.com but not example.com itself. A host that is listed exactly may have the form of an internal name; its
    /// addresses must still be public or in allowedCIDRs. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schemas::host_patterns")]
    pub allowed_hosts: Vec<String>,
    /// Deliveries may not go to these hosts, even if allowedHosts lists them. They are written as in allowedHosts. At
    /// most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schemas::host_patterns")]
    pub denied_hosts: Vec<String>,
    /// Allowed ports in addition to 443, which is always allowed. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schemas::ports")]
    pub allowed_ports: Vec<u16>,
    /// Blocks of addresses that deliveries may go to although they are not public, such as 10.20.0.0/16. Tenants can then
    /// reach everything that listens there, so keep the blocks small. At most 64.
    #[serde(default, rename = "allowedCIDRs", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schemas::cidrs")]
    pub allowed_cidrs: Vec<String>,
    /// Whether namespaces without the label postern.dev/tier are in this tier. Set it in one tier at most: with two,
    /// neither applies to these namespaces. Default: false.
    #[serde(default)]
    pub default: bool,
}

/// What the operator last saw. Only the operator writes it. It has only counts, and names no tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("default" = schemas::unseen()))]
pub struct WebhookTierStatus {
    /// The metadata.generation that this status is about; -1 until the operator has seen the tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// Ready, with its reason and what to do about it; and Stalled, when Ready is False, since only admins can change that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schemas::conditions")]
    pub conditions: Vec<Condition>,
    /// How many namespaces with schedules are in the tier. An operator with watchNamespaces counts only those namespaces.
    #[schemars(range(min = 0))]
    pub namespaces: u32,
    /// How many schedules are in the tier, in the same namespaces.
    #[schemars(range(min = 0))]
    pub schedules: u32,
}

fn default_max_body_bytes() -> u32 {
    65_536
}

fn default_max_attempts() -> u32 {
    5
}

fn default_max_timeout_seconds() -> u32 {
    30
}

fn default_lead() -> Duration {
    Duration::from_hours(0)
}
