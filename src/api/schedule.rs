//! `WebhookSchedule`: what a tenant writes.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Body, DeliveryOptions, History, Signing, Target, WebhookScheduleStatus, schemas};

/// When to deliver, where to, what, and how it is signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "postern.dev",
    version = "v1alpha1",
    kind = "WebhookSchedule",
    plural = "webhookschedules",
    shortname = "whs",
    category = "postern",
    namespaced,
    status = "WebhookScheduleStatus",
    derive = "PartialEq",
    doc = "A webhook that is delivered on a schedule: one signed HTTPS request to a public destination each time.",
    selectable = ".spec.suspend",
    selectable = ".status.tier",
    validation = Rule::new("self.metadata.name.size() <= 44")
        .message("metadata.name must have at most 44 characters, since Kubernetes appends more to the names of its \
            Jobs: choose a shorter name"),
    printcolumn(name = "Schedule", type_ = "string", json_path = ".spec.schedule", description = "The schedule as it was written"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".status.tier", description = "The tier of the namespace"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, description = "Whether deliveries will be made"),
    printcolumn(name = "Last", type_ = "date", json_path = ".status.lastDelivery.scheduledTime", description = "How long ago the last delivery was due"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.lastDelivery.outcome", description = "How the last delivery ended"),
    printcolumn(name = "Next", type_ = "string", json_path = ".status.nextDeliveryTime", description = "When the next delivery is due"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.lastDelivery.reason", description = "Why the last delivery ended as it did", priority = 1),
    printcolumn(name = "Resolved", type_ = "string", json_path = ".status.resolvedSchedule", description = "The schedule with every H replaced", priority = 1),
    printcolumn(name = "Time Zone", type_ = "string", json_path = ".spec.timeZone", description = "The time zone of the schedule", priority = 1),
    printcolumn(name = "Suspend", type_ = "boolean", json_path = ".spec.suspend", description = "Whether spec.suspend pauses deliveries", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "1 + (has(self.target.headers) ? self.target.headers.filter(header, has(header.valueFrom)).size() : 0) \
         + (has(self.target.tls) && has(self.target.tls.caBundleFrom) ? 1 : 0) \
         + (has(self.target.tls) && has(self.target.tls.clientCertificateFrom) ? 1 : 0) \
         + (has(self.body) && !has(self.body.inline) ? 1 : 0) \
         + (has(self.signing.keysFrom) ? self.signing.keysFrom.size() : 0) <= 16")
        .message("names more than 16 Secrets and ConfigMaps, the URL's included: put values that are no secret into \
            headers[].value, or name fewer keys"),
    validation = Rule::new(
        "!has(self.signing.classic) || !has(self.target.headers) \
         || !self.target.headers.exists(header, header.name.lowerAscii() == self.signing.classic.header.lowerAscii())")
        .message("is set in spec.target.headers too: leave it out there")
        .field_path(".signing.classic.header")
)]
pub struct WebhookScheduleSpec {
    /// When to deliver: five cron fields (minute hour day-of-month month day-of-week) or a macro such as @hourly. An H in
    /// a field (H, H/15, H(0-29)) stands for a value that is picked once for this schedule, so that many schedules spread
    /// out. At most 256 characters. The namespace's tier limits how often deliveries may be due.
    #[schemars(schema_with = "schemas::schedule")]
    pub schedule: String,
    /// The time zone of the schedule: a name of the IANA time zone database such as Europe/Berlin. Default: UTC.
    #[serde(default = "default_time_zone")]
    #[schemars(schema_with = "schemas::time_zone")]
    pub time_zone: String,
    /// Whether to pause deliveries. Default: false.
    #[serde(default)]
    pub suspend: bool,
    /// What to do when a delivery is due while the previous one still runs. Forbid: skip the new one. Allow: make both.
    /// Replace: stop the old one. Default: Forbid.
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,
    /// How late a delivery may start, in seconds after its scheduled time: 10 to 86400. A later delivery is skipped.
    /// Default: 300.
    #[serde(default = "default_starting_deadline")]
    #[schemars(range(min = 10, max = 86_400))]
    pub starting_deadline_seconds: u32,
    /// The receiver and the request.
    pub target: Target,
    /// The request's body, from exactly one of inline, configMapKeyRef and secretKeyRef. The placeholders
    /// {{scheduledTime}}, {{deliveryId}}, {{scheduleName}}, {{namespace}} and {{attempt}} are replaced by their values.
    /// Default: no body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// How to sign deliveries, so that the receiver can verify that they are yours. To send without a signature, set
    /// scheme: None.
    pub signing: Signing,
    /// Attempts, timeouts and waits.
    #[serde(default)]
    pub delivery: DeliveryOptions,
    /// How many ended deliveries status.recentDeliveries keeps.
    #[serde(default)]
    pub history: History,
}

/// What to do when a delivery is due while the previous one still runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// Make both.
    Allow,
    /// Skip the new one.
    #[default]
    Forbid,
    /// Stop the old one.
    Replace,
}

fn default_time_zone() -> String {
    "UTC".into()
}

fn default_starting_deadline() -> u32 {
    300
}
