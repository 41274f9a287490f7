//! What became of a run: of a Job and its pods. Both are hostile input: who may write a pod's status writes these.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::build::SENDER_CONTAINER;
use super::dereference::Run;
use super::names::TRIGGERED_AT_ANNOTATION;
use crate::api::{DeliveryOutcome, DeliveryStatus, TRIGGER_ANNOTATION};
use crate::delivery::{self, Outcome, OutcomeClass, scheduled_time_of_job};
use crate::signing::DeliveryId;

/// How a run stands.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is not known yet how it ends; a sender has begun or may still begin in time.
    Underway,
    /// It has ended, and so.
    Ended(DeliveryStatus),
    /// No sender has begun in time, and none may any more.
    NeverBegan(DeliveryStatus),
}

/// Which delivery a Job makes.
pub(super) struct Due {
    pub(super) id: DeliveryId,
    pub(super) time: Timestamp,
}

/// Which delivery a Job makes, by its name or by what was asked for; `None` when somebody made it otherwise.
pub(super) fn due(job: &Job, schedule_uid: &str) -> Option<Due> {
    if let Some(value) = job.annotations().get(TRIGGER_ANNOTATION) {
        let time = job.annotations().get(TRIGGERED_AT_ANNOTATION)?.parse().ok()?;
        return Some(Due { id: DeliveryId::of_trigger(schedule_uid, value), time });
    }
    let time = scheduled_time_of_job(&job.name_any()).ok()?;
    Some(Due { id: DeliveryId::of_schedule(schedule_uid, time.unix()), time: timestamp(time)? })
}

/// How a run stands. `begins_until` is when a sender may begin at the latest; for a Job of unknown time there is none.
pub(super) fn standing(run: &Run, due: Option<&Due>, begins_until: Option<Timestamp>, now: Timestamp) -> Standing {
    let mut pods: Vec<&Pod> = run.pods.iter().map(|pod| &**pod).collect();
    let over = is_over(&run.job) || (run.is_gone && pods.iter().all(|pod| has_ended(pod)));
    pods.sort_by(|a, b| a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp));
    // A pod that was lost with its node is followed by another, so what it said is not final before the Job is over.
    let said = pods.iter().rev().filter_map(|pod| Some((outcome(pod)?, is_disrupted(pod))));
    for (outcome, disrupted) in said {
        if over || !(disrupted && outcome.outcome == OutcomeClass::Interrupted) {
            return Standing::Ended(of_outcome(&outcome, due));
        }
    }
    if over {
        return Standing::Ended(match pods.last() {
            Some(pod) => ended_silently(pod, due),
            None if run.is_gone => without_outcome(DeliveryOutcome::Interrupted, JOB_DELETED, due),
            None => without_outcome(DeliveryOutcome::Failed, PODS_LOST, due),
        });
    }
    let begun = pods.iter().any(|pod| has_begun(pod));
    if begun || begins_until.is_none_or(|until| now <= until) {
        return Standing::Underway;
    }
    let why = match pods.last() {
        None => POD_NOT_CREATED,
        Some(pod) if !is_scheduled(pod) => UNSCHEDULABLE,
        Some(pod) if waits_for_image(pod) => IMAGE_NOT_PULLED,
        Some(_) => POD_NOT_STARTED,
    };
    Standing::NeverBegan(without_outcome(DeliveryOutcome::NotRun, why, due))
}

/// A reason that the operator found by itself, and what to do.
pub(super) type Why = (&'static str, &'static str);

const PODS_LOST: Why =
    ("PodLost", "its pods were lost before the sender could say how it ended: see whether nodes fail");
const JOB_DELETED: Why =
    ("JobDeleted", "its Job was deleted before it was over, by hand or since concurrencyPolicy is Replace");
const POD_NOT_CREATED: Why = (
    "PodNotCreated",
    "no pod could be made for it: see the namespace's ResourceQuotas and LimitRanges, and kubectl describe job",
);
const UNSCHEDULABLE: Why = ("Unschedulable", "no node could take its pod in time: ask your admin");
const IMAGE_NOT_PULLED: Why =
    ("ImagePullBackOff", "the node could not pull the sender's image in time: ask your admin");
const POD_NOT_STARTED: Why =
    ("PodNotStarted", "its pod did not start in time: see kubectl describe pod, or ask your admin");
const POD_DEADLINE_EXCEEDED: Why =
    ("PodDeadlineExceeded", "the pod was ended after its time: see whether nodes can run it");
const EVICTED: Why = ("Evicted", "the node was short of something and ended the pod");
const OUT_OF_MEMORY: Why = ("OOMKilled", "the sender had too little memory: ask your admin to raise its limit");
const ENDED_SILENTLY: Why = ("SenderEndedSilently", "the pod ended before the sender could say how");

/// Whether the job controller is done with a Job.
pub(super) fn is_over(job: &Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut ends = conditions.filter(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed"));
    ends.any(|condition| condition.status == "True")
}

/// When a Job was over, if it is.
pub(super) fn over_at(job: &Job) -> Option<Timestamp> {
    let status = job.status.as_ref()?;
    let failed = status.conditions.iter().flatten().find(|condition| condition.type_ == "Failed");
    let failed = failed.and_then(|condition| condition.last_transition_time.as_ref());
    status.completion_time.as_ref().or(failed).map(|time| time.0)
}

fn sender(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    statuses.into_iter().find(|container| container.name == SENDER_CONTAINER)
}

fn state(pod: &Pod) -> Option<&ContainerState> {
    sender(pod)?.state.as_ref()
}

fn outcome(pod: &Pod) -> Option<Outcome> {
    let message = state(pod)?.terminated.as_ref()?.message.as_ref()?;
    Outcome::parse(message.as_bytes()).ok()
}

fn has_begun(pod: &Pod) -> bool {
    state(pod).is_some_and(|state| state.running.is_some() || state.terminated.as_ref().is_some_and(has_run))
}

/// Whether a container that has ended ever ran: one that could not be started has ended, too.
fn has_run(terminated: &ContainerStateTerminated) -> bool {
    !matches!(terminated.reason.as_deref(), Some("StartError" | "ContainerCannotRun"))
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn has_condition(pod: &Pod, kind: &str) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

fn is_disrupted(pod: &Pod) -> bool {
    has_condition(pod, "DisruptionTarget")
}

fn is_scheduled(pod: &Pod) -> bool {
    has_condition(pod, "PodScheduled")
}

fn waits_for_image(pod: &Pod) -> bool {
    let reason = state(pod).and_then(|state| state.waiting.as_ref()?.reason.as_deref());
    reason.is_some_and(|reason| reason.contains("Image"))
}

fn timestamp(time: delivery::Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.unix()).ok()?).ok()
}

/// Id and time are by the Job, which the pod can't change.
fn of_outcome(outcome: &Outcome, due: Option<&Due>) -> DeliveryStatus {
    DeliveryStatus {
        id: due.map(|due| due.id.as_str().into()),
        scheduled_time: due.map(|due| Time(due.time)),
        started_at: timestamp(outcome.started_at).map(Time),
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

/// A pod that was ended by the kernel, the kubelet or an eviction before it could say how.
fn ended_silently(pod: &Pod, due: Option<&Due>) -> DeliveryStatus {
    let by_pod = pod.status.as_ref().and_then(|status| status.reason.as_deref());
    let terminated = state(pod).and_then(|state| state.terminated.as_ref());
    let by_container = terminated.and_then(|terminated| terminated.reason.as_deref());
    let why = match (by_pod, by_container) {
        _ if waits_for_image(pod) => IMAGE_NOT_PULLED,
        (Some("DeadlineExceeded"), _) => POD_DEADLINE_EXCEEDED,
        (Some("Evicted"), _) => EVICTED,
        (_, Some("OOMKilled")) => OUT_OF_MEMORY,
        _ if terminated.is_some_and(|terminated| !has_run(terminated)) => POD_NOT_STARTED,
        _ => ENDED_SILENTLY,
    };
    let begun = terminated.filter(|terminated| has_run(terminated));
    let started_at = begun.and_then(|terminated| terminated.started_at.clone());
    let outcome = if has_begun(pod) { DeliveryOutcome::Failed } else { DeliveryOutcome::NotRun };
    DeliveryStatus { started_at, ..without_outcome(outcome, why, due) }
}

/// A delivery of which no sender said anything.
pub(super) fn without_outcome(outcome: DeliveryOutcome, why: Why, due: Option<&Due>) -> DeliveryStatus {
    DeliveryStatus {
        id: due.map(|due| due.id.as_str().into()),
        scheduled_time: due.map(|due| Time(due.time)),
        started_at: None,
        outcome,
        reason: why.0.into(),
        detail: Some(why.1.into()),
        http_status: None,
        attempts: 0,
        latency_ms: None,
        target: None,
        key_fingerprints: Vec::new(),
    }
}

#[cfg(test)]
#[path = "outcomes_tests.rs"]
mod tests;
