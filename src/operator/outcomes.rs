//! What a delivery's pod says when it has ended. Pods are hostile input: who may write a pod's status writes these.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::build::SENDER_CONTAINER;
use crate::api::{DeliveryOutcome, DeliveryStatus};
use crate::delivery::{self, Outcome, OutcomeClass, scheduled_time_of_job};

/// The delivery that a pod made, once the pod has ended.
pub(super) fn delivery_of(pod: &Pod) -> Option<DeliveryStatus> {
    let status = pod.status.as_ref()?;
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let container = status.container_statuses.iter().flatten().find(|container| container.name == SENDER_CONTAINER);
    let terminated = container.and_then(|container| container.state.as_ref()?.terminated.as_ref());
    let due = pod.metadata.labels.as_ref()?.get("batch.kubernetes.io/job-name").and_then(|job| due_of(job));
    if let Some(outcome) =
        terminated.and_then(|terminated| Outcome::parse(terminated.message.as_ref()?.as_bytes()).ok())
    {
        return Some(of_outcome(&outcome, due));
    }
    // It was ended before it could say how, by the kernel, the kubelet or an eviction; the pod's reason tells which.
    ended.then(|| silent(status.reason.as_deref(), terminated, due))
}

fn due_of(job: &str) -> Option<Time> {
    let due = scheduled_time_of_job(job).ok()?;
    time(due)
}

fn time(time: delivery::Timestamp) -> Option<Time> {
    Timestamp::from_second(i64::try_from(time.unix()).ok()?).ok().map(Time)
}

fn of_outcome(outcome: &Outcome, due: Option<Time>) -> DeliveryStatus {
    DeliveryStatus {
        id: outcome.id.as_ref().map(|id| id.as_str().into()),
        // By the Job's name, which the pod can't change.
        scheduled_time: due,
        started_at: time(outcome.started_at),
        outcome: match outcome.outcome {
            OutcomeClass::Delivered => DeliveryOutcome::Delivered,
            OutcomeClass::Refused => DeliveryOutcome::Refused,
            OutcomeClass::FailedPermanently => DeliveryOutcome::FailedPermanently,
            OutcomeClass::Failed => DeliveryOutcome::Failed,
            OutcomeClass::Interrupted => DeliveryOutcome::Interrupted,
        },
        reason: outcome.reason.as_str().into(),
        detail: (!outcome.detail.is_empty()).then(|| outcome.detail.clone()),
        http_status: outcome.http_status,
        attempts: outcome.attempt_count,
        latency_ms: outcome.attempts.last().map(|attempt| attempt.duration_ms),
        target: outcome.target.clone(),
        key_fingerprints: outcome.key_fingerprints.iter().map(ToString::to_string).collect(),
    }
}

fn silent(pod: Option<&str>, container: Option<&ContainerStateTerminated>, due: Option<Time>) -> DeliveryStatus {
    let by_container = container.and_then(|terminated| terminated.reason.as_deref());
    let (reason, detail) = match (pod, by_container) {
        (Some("DeadlineExceeded"), _) => {
            ("PodDeadlineExceeded", "the pod was ended after its time: see whether nodes can run it")
        }
        (Some("Evicted"), _) => ("Evicted", "the node was short of something and ended the pod"),
        (_, Some("OOMKilled")) => ("OOMKilled", "the sender had too little memory: ask your admin to raise its limit"),
        _ => ("SenderEndedSilently", "the pod ended before the sender could say how"),
    };
    DeliveryStatus {
        id: None,
        scheduled_time: due,
        started_at: container.and_then(|terminated| terminated.started_at.clone()),
        outcome: DeliveryOutcome::Failed,
        reason: reason.into(),
        detail: Some(detail.into()),
        http_status: None,
        attempts: 0,
        latency_ms: None,
        target: None,
        key_fingerprints: Vec::new(),
    }
}
