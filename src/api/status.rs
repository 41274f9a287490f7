//! What the operator says about a schedule. Nothing here is secret, and no Job or Pod is named.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schemas;

/// What the operator last saw and did. Only the operator writes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("default" = schemas::unseen()))]
pub struct WebhookScheduleStatus {
    /// The metadata.generation that this status is about; -1 until the operator has seen the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1))]
    pub observed_generation: Option<i64>,
    /// Accepted, Scheduled, TargetAllowed, Protected, EgressIsolated, Healthy and Ready, each with its reason and what to do
    /// about it; and Stalled, when Ready is False until somebody changes something.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schemas::conditions")]
    pub conditions: Vec<Condition>,
    /// The tier of the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub tier: Option<String>,
    /// The schedule with every H replaced by the value that was picked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1_024))]
    pub resolved_schedule: Option<String>,
    /// When the next delivery is due, in UTC. Absent when none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::time")]
    pub next_delivery_time: Option<Time>,
    /// The delivery that ended last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivery: Option<DeliveryStatus>,
    /// Deliveries that ended, the latest first; spec.history says how many are kept once their Jobs are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40), extend("x-kubernetes-list-type" = "atomic"))]
    pub recent_deliveries: Vec<DeliveryStatus>,
    /// For each delivery that was due up to this time, the operator knows whether it began. Only later ones can still be
    /// missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::time")]
    pub accounted_until: Option<Time>,
    /// The last delivery that was requested with the annotation postern.dev/trigger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_trigger: Option<TriggerStatus>,
    /// The last check. A check finds out, without sending, whether a delivery would be refused, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<CheckStatus>,
    /// The metadata.generation whose receiver asked to stop (HTTP 410). Nothing is sent until the spec is changed or a
    /// delivery is triggered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub paused_generation: Option<i64>,
    /// The CronJob is suspended until this time, because the next delivery would come sooner than the tier allows. Absent
    /// otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::time")]
    pub held_until: Option<Time>,
    /// The keys that Postern made for this schedule, the newest first: those that sign, and those whose Secrets are not
    /// deleted yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub signing_keys: Vec<SigningKeyStatus>,
    /// The last value of the annotation postern.dev/rotate-keys that took effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rotation: Option<RotationStatus>,
}

impl WebhookScheduleStatus {
    /// Whether the condition `Accepted` is True.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.conditions.iter().any(|condition| condition.type_ == "Accepted" && condition.status == "True")
    }
}

/// A rotation that was requested with the annotation `postern.dev/rotate-keys`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotationStatus {
    /// The annotation's value. Setting the same value again has no effect.
    #[schemars(length(min = 1, max = 128))]
    pub value: String,
    /// When the new key was made.
    #[schemars(schema_with = "schemas::time")]
    pub time: Time,
}

/// A delivery that was requested with the annotation `postern.dev/trigger`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerStatus {
    /// The annotation's value. Setting the same value again has no effect.
    #[schemars(length(min = 1, max = 128))]
    pub value: String,
    /// The id that the receiver sees as webhook-id.
    #[schemars(length(max = 68))]
    pub id: String,
    /// When the delivery was requested.
    #[schemars(schema_with = "schemas::time")]
    pub time: Time,
}

/// A check of whether a delivery would be refused, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckStatus {
    /// The metadata.generation of the spec that was checked.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// The last value of the annotation postern.dev/check that took effect. Setting the same value again has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub value: Option<String>,
    /// When the check began, or when it was given up.
    #[schemars(schema_with = "schemas::time")]
    pub time: Time,
    /// Allowed: a delivery would be sent. Refused: it would not. Unknown: the check could not be made.
    pub result: CheckResult,
    /// Why, in one word; the reasons and what to do about each are in the documentation.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub reason: String,
    /// What to do about it, when the reason doesn't say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub detail: Option<String>,
    /// Where a delivery would go, without the secret parts of the URL: https://host/...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 280))]
    pub target: Option<String>,
    /// The fingerprints of the keys that would sign it, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(length(max = 64)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub key_fingerprints: Vec<String>,
    /// How many checks in a row, before this one, had to be repeated.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub repeats: u32,
    /// When the operator repeats the check, or soon after: the problem may be gone although the spec is the same, or the
    /// check could not be made. Absent when it isn't repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::time")]
    pub repeat_at: Option<Time>,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CheckResult {
    /// A delivery would be sent.
    Allowed,
    /// It would not be.
    Refused,
    /// The check could not be made.
    Unknown,
}

/// One delivery that ended, or that never began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatus {
    /// The id that the receiver sees as webhook-id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 68))]
    pub id: Option<String>,
    /// When it was due, or when it was triggered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::time")]
    pub scheduled_time: Option<Time>,
    /// The metadata.generation of the schedule that the delivery was made from, or would have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub generation: Option<i64>,
    /// When the sender started. Absent when it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::time")]
    pub started_at: Option<Time>,
    /// How it ended. Delivered: the receiver accepted it. Refused: nothing was sent, and nothing will be sent until
    /// something is changed. FailedPermanently: another attempt would have failed, too. Failed: every attempt failed, or
    /// the time ran out. Interrupted: the sender was stopped. NotRun: it never began.
    pub outcome: DeliveryOutcome,
    /// Why it ended as it did, in one word; the reasons and what to do about each are in the documentation.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Z][A-Za-z0-9]*$"))]
    pub reason: String,
    /// What to do about it, when the reason doesn't say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub detail: Option<String>,
    /// The HTTP status of the last attempt that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 999))]
    pub http_status: Option<u16>,
    /// How many attempts were made.
    #[serde(default)]
    #[schemars(range(min = 0, max = 20))]
    pub attempts: u32,
    /// How long the last attempt took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub latency_ms: Option<u32>,
    /// Where it went, without the secret parts of the URL: https://host/...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 280))]
    pub target: Option<String>,
    /// The fingerprints of the keys that signed it, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        inner(length(max = 64)),
        extend("x-kubernetes-list-type" = "atomic")
    )]
    pub key_fingerprints: Vec<String>,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DeliveryOutcome {
    /// The receiver accepted it.
    Delivered,
    /// Nothing was sent, and nothing will be sent until something is changed.
    Refused,
    /// An attempt failed, and another attempt would have failed, too.
    FailedPermanently,
    /// Every attempt failed, or the time ran out.
    Failed,
    /// The sender was stopped.
    Interrupted,
    /// It never began.
    NotRun,
}

/// What is known of a signing key, without the key itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SigningKeyStatus {
    /// The key's fingerprint: sha256: and the first 8 hex digits of a hash of the key.
    #[schemars(length(min = 1, max = 64))]
    pub fingerprint: String,
    /// Pending: about to be made. Active: signs. Retiring: signs until retiresAt, together with the active key. Retired:
    /// stopped signing at retiresAt; its Secret is deleted when no delivery that began earlier needs it any more.
    pub state: KeyState,
    /// The Secret that holds it, when Postern made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub secret_name: Option<String>,
    /// The public key that the receiver needs, for a v1a key that Postern made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub public_key: Option<String>,
    /// When Postern made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::time")]
    pub created_at: Option<Time>,
    /// When it stops signing, or stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::time")]
    pub retires_at: Option<Time>,
}

/// What a signing key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum KeyState {
    /// About to be made.
    Pending,
    /// Signs.
    Active,
    /// Signs for a while yet.
    Retiring,
    /// It no longer signs, and its Secret still exists.
    Retired,
}
