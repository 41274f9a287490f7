//! The names and labels of what the operator makes.

use std::collections::BTreeMap;

use crate::signing::DeliveryId;

/// Marks an object as Postern's.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY_LABEL`], and the name of the operator's field manager.
pub const MANAGER: &str = "postern";
/// Names the schedule that a child belongs to.
pub const SCHEDULE_LABEL: &str = "postern.dev/schedule";
/// Says what a pod is: policies, and the lock that protects children, select by it.
pub const ROLE_LABEL: &str = "postern.dev/role";
/// The value of [`ROLE_LABEL`] of the pods that deliver.
pub const SENDER: &str = "sender";
/// Marks the Job and the pod of a canary.
pub const CANARY_LABEL: &str = "postern.dev/canary";
/// The annotation of a canary's Job that holds a hash of what it proves.
pub const CANARY_ANNOTATION: &str = "postern.dev/canary-of";
/// The annotation of a canary's pod that holds `probes.json`.
pub const PROBES_ANNOTATION: &str = "postern.dev/probes";
/// The annotation of a pod that holds `delivery.json`.
pub const DELIVERY_ANNOTATION: &str = "postern.dev/delivery";
/// The annotation of a Job that holds the `metadata.generation` of the schedule that it was made for.
pub const GENERATION_ANNOTATION: &str = "postern.dev/generation";
/// The annotation of a Job that was made early: the `metadata.generation` of the CronJob that it was made from.
pub const EARLY_ANNOTATION: &str = "postern.dev/early-of";
/// The annotation of a CronJob that was written to wake the CronJob controller: the due time, in Unix seconds, that had passed.
pub const WOKEN_ANNOTATION: &str = "postern.dev/woken-for";
/// Marks a schedule in the cache whose texts were left out. No object in the cluster has it.
pub const LEFT_OUT_ANNOTATION: &str = "postern.dev/left-out";
/// The annotation of a triggered Job that holds the time of the request (RFC 3339). [`crate::api::TRIGGER_ANNOTATION`] on the
/// Job holds the requested value.
pub const TRIGGERED_AT_ANNOTATION: &str = "postern.dev/triggered-at";
/// The annotation of a triggered Job that holds the delivery's id.
pub const DELIVERY_ID_ANNOTATION: &str = "postern.dev/delivery-id";
/// The type of a Secret that holds a signing key made by Postern.
pub const SIGNING_KEY_TYPE: &str = "postern.dev/signing-key";
/// The entry of such a Secret that holds the key, as `postern keygen` writes it.
pub const SIGNING_KEY: &str = "key";
/// The name of the container in a sender's pod.
pub const SENDER_CONTAINER: &str = "sender";
/// The name of a namespace's ServiceAccount and NetworkPolicy for senders.
pub const SENDER_CHILDREN: &str = "postern-sender";

/// The prefix of the name of the ConfigMap that records what a namespace uses of its tier; the namespace's name follows.
pub const USAGE_PREFIX: &str = "postern-usage-";
/// The entry of such a ConfigMap that holds the record.
pub const USAGE_KEY: &str = "usage";
/// The key of the parts that its schedules take.
pub const USAGE_SCHEDULES_KEY: &str = "schedules";

/// The name of the ConfigMap, in the operator's namespace, that records what a namespace uses of its tier.
#[must_use]
pub fn usage(namespace: &str) -> String {
    format!("{USAGE_PREFIX}{namespace}")
}

/// The namespace that such a ConfigMap is about, read from its name.
#[must_use]
pub fn namespace_of_usage(name: &str) -> Option<&str> {
    name.strip_prefix(USAGE_PREFIX).filter(|namespace| !namespace.is_empty())
}

/// The name of a schedule's CronJob.
#[must_use]
pub fn cron_job(schedule: &str) -> String {
    format!("postern-{schedule}")
}

/// The name that the CronJob controller gives to the Job of a CronJob for a scheduled time, in Unix seconds.
#[must_use]
pub fn job(cron_job: &str, time: i64) -> String {
    format!("{cron_job}-{}", time / 60)
}

/// The name of the Job of a triggered delivery: at most 63 characters. It doesn't end in Unix minutes, so no scheduled time is
/// read from it.
#[must_use]
pub fn triggered_job(schedule: &str, id: &DeliveryId) -> String {
    let digits: String = id.as_str().chars().skip_while(|char| *char != '_').skip(1).take(9).collect();
    format!("{}-t{digits}", cron_job(schedule))
}

/// The name of a check's Job, with a hash that makes it unique: at most 63 characters. It doesn't end in Unix minutes either.
#[must_use]
pub fn check_job(schedule: &str, hash: u64) -> String {
    // As many digits as the name of a triggered delivery's Job has.
    format!("{}-c{:09x}", cron_job(schedule), hash >> 28)
}

/// The name of a canary's Job, with a hash that makes it unique.
#[must_use]
pub fn canary_job(hash: u64) -> String {
    format!("postern-canary-{hash:016x}")
}

/// The name of the Secret of a signing key: at most 63 characters, with a suffix of 9.
#[must_use]
pub fn signing_key(schedule: &str, end: &str) -> String {
    format!("{}-k{end}", cron_job(schedule))
}

/// The labels of such a Secret. They are not a sender's labels: no policy may select a Secret.
#[must_use]
pub fn key_labels(schedule: &str) -> BTreeMap<String, String> {
    let mut labels = common_labels();
    labels.insert(SCHEDULE_LABEL.into(), schedule.into());
    labels
}

/// The labels of a schedule's CronJob, its Jobs and their pods.
#[must_use]
pub fn labels(schedule: &str) -> BTreeMap<String, String> {
    let mut labels = sender_labels();
    labels.insert(SCHEDULE_LABEL.into(), schedule.into());
    labels
}

/// The labels of a canary's Job and pod: a sender's labels, and one of its own.
#[must_use]
pub fn canary_labels() -> BTreeMap<String, String> {
    let mut labels = sender_labels();
    labels.insert(CANARY_LABEL.into(), "true".into());
    labels
}

/// The label selector for a schedule's CronJob, its Jobs and their pods.
#[must_use]
pub fn selector(schedule: &str) -> String {
    format!("{SCHEDULE_LABEL}={schedule}")
}

/// The labels that select the pods of all schedules.
#[must_use]
pub fn sender_labels() -> BTreeMap<String, String> {
    let mut labels = common_labels();
    labels.insert(ROLE_LABEL.into(), SENDER.into());
    labels
}

/// The label of everything that the operator makes.
#[must_use]
pub fn common_labels() -> BTreeMap<String, String> {
    BTreeMap::from([(MANAGED_BY_LABEL.into(), MANAGER.into())])
}
