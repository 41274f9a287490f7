//! What became of a run: of a Job and its pods. Both are hostile input: anyone who may write a pod's status controls what it
//! says.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::missed::MARGIN;
use super::reasons::{
    ENDED_SILENTLY, EVICTED, IMAGE_NOT_PULLED, JOB_DELETED, OUT_OF_MEMORY, POD_DEADLINE_EXCEEDED, POD_NOT_CREATED,
    POD_NOT_STARTED, PODS_LOST, UNSCHEDULABLE, Why,
};
use super::run::Run;
use crate::api::{DeliveryOutcome, DeliveryStatus, TRIGGER_ANNOTATION, WebhookSchedule};
use crate::delivery::{Outcome, OutcomeClass, Reason, scheduled_time_of_job};
use crate::operator::kubernetes::job::{is_over, made_at, over_at};
use crate::operator::names::{
    self, DELIVERY_ID_ANNOTATION, GENERATION_ANNOTATION, SENDER_CONTAINER, TRIGGERED_AT_ANNOTATION,
};
use crate::signing::DeliveryId;

/// The state of a run.
#[derive(Debug)]
pub(crate) enum DeliveryState {
    /// It isn't known yet how the run ends. If nothing happens before, it ends at this time.
    Running(Option<i64>),
    /// It has ended, with this outcome.
    Finished(DeliveryStatus),
    /// No sender began in time, and none may begin any more.
    Abandoned(DeliveryStatus),
}

/// Which delivery a Job makes. Times are Unix seconds.
#[derive(Debug, Clone)]
pub(crate) struct ScheduledRun {
    pub(crate) id: DeliveryId,
    pub(crate) time: i64,
    /// The generation of the schedule that the Job was made from.
    pub(crate) generation: Option<i64>,
}

/// How early a Job may be made before its time, in seconds: clocks differ.
const TOLERANCE: i64 = 60;
/// How late a Job may be made after its time, in seconds: the longest starting deadline, and an hour for a slow controller.
const LATEST: i64 = 86_400 + 3_600;
/// How long the pods of a finished Job are waited for, in seconds.
const PODS_WITHIN: i64 = 60;

/// Which delivery a Job makes, read from its name or from its trigger annotations; `None` when it is none of the schedule's.
/// Anyone who may make Jobs can make one by hand, with any name and annotations, but can't choose its creation time.
pub(crate) fn scheduled_run(job: &Job, schedule: &WebhookSchedule) -> Option<ScheduledRun> {
    let made = made_at(job)?;
    let generation = generation_of(job);
    let due = if job.annotations().contains_key(TRIGGER_ANNOTATION) {
        let time: Timestamp = job.annotations().get(TRIGGERED_AT_ANNOTATION)?.parse().ok()?;
        let id = DeliveryId::try_from(job.annotations().get(DELIVERY_ID_ANNOTATION)?.clone()).ok()?;
        ScheduledRun { id, time: time.as_second(), generation }
    } else {
        let name = job.name_any();
        let time = scheduled_time_of_job(&name).ok()?;
        let id = DeliveryId::of_schedule(&schedule.uid()?, time.unix());
        let time = i64::try_from(time.unix()).ok()?;
        if name != names::job(&names::cron_job(&schedule.name_any()), time) {
            return None;
        }
        ScheduledRun { id, time, generation }
    };
    (made - LATEST..=made + TOLERANCE).contains(&due.time).then_some(due)
}

/// The generation of the schedule that a Job was made from.
pub(crate) fn generation_of(job: &Job) -> Option<i64> {
    job.annotations().get(GENERATION_ANNOTATION)?.parse().ok()
}

/// The state of a run. `deadline` is how late a sender may begin, in seconds.
pub(crate) fn delivery_state(run: &Run, due: &ScheduledRun, deadline: i64, now: i64) -> DeliveryState {
    let mut pods: Vec<&Pod> = run.pods.iter().map(|pod| &**pod).collect();
    pods.sort_by(|a, b| a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp));
    let over = is_over(&run.job) || run.is_deleted;
    let all_ended = pods.iter().all(|pod| has_ended(pod));
    // A pod that was lost with its node is followed by another, so its message isn't final before the Job is over.
    let said = pods.iter().rev().filter_map(|pod| Some((outcome(pod)?, is_disrupted(pod))));
    for (outcome, disrupted) in said {
        if (over && all_ended) || !(disrupted && outcome.outcome == OutcomeClass::Interrupted) {
            return DeliveryState::Finished(of_outcome(&outcome, due, &run.job, now));
        }
    }
    if over {
        let looked_for = over_at(&run.job).map(|over| over + PODS_WITHIN).filter(|until| now < *until);
        return match pods.last() {
            // The watch of pods and the watch of Jobs aren't synchronised, so a message may arrive before the pods have ended.
            Some(_) if !all_ended => DeliveryState::Running(None),
            Some(pod) => DeliveryState::Finished(ended_silently(pod, due)),
            None if run.is_deleted => {
                DeliveryState::Finished(without_outcome(DeliveryOutcome::Interrupted, JOB_DELETED, due))
            }
            None if looked_for.is_some() => DeliveryState::Running(looked_for),
            None => DeliveryState::Finished(without_outcome(DeliveryOutcome::Failed, PODS_LOST, due)),
        };
    }
    let counts = run.job.status.as_ref().map(|status| (status.active.unwrap_or(0), status.ready.unwrap_or(0)));
    let (active, ready) = counts.unwrap_or_default();
    if ready > 0 || pods.last().is_some_and(|pod| has_begun(pod) && !has_ended(pod)) {
        return DeliveryState::Running(None);
    }
    // A Job that was made late gets some time too, and so does the job controller after a pod has ended.
    let since = [made_at(&run.job), pods.last().and_then(|pod| ended_at(pod))].into_iter().flatten();
    let until = since.fold(due.time + deadline, i64::max) + MARGIN;
    if now <= until {
        return DeliveryState::Running(Some(until));
    }
    if let Some(pod) = pods.iter().rev().find(|pod| has_begun(pod)) {
        // The pod was lost, and none has taken its place.
        let word = outcome(pod).map(|outcome| of_outcome(&outcome, due, &run.job, now));
        return DeliveryState::Abandoned(word.unwrap_or_else(|| ended_silently(pod, due)));
    }
    let why = match pods.last() {
        // The Job has an active pod that hasn't been seen yet.
        None if active > 0 => return DeliveryState::Running(Some(now + MARGIN)),
        None => POD_NOT_CREATED,
        Some(pod) if !is_scheduled(pod) => UNSCHEDULABLE,
        Some(pod) if waits_for_image(pod) => IMAGE_NOT_PULLED,
        Some(_) => POD_NOT_STARTED,
    };
    DeliveryState::Abandoned(without_outcome(DeliveryOutcome::NotRun, why, due))
}

/// Whether a sender reported this, and not the operator, which may have seen too little.
pub(crate) fn is_said(delivery: &DeliveryStatus) -> bool {
    Reason::from_name(&delivery.reason) != Reason::Unrecognised
}

fn sender(pod: &Pod) -> Option<&ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    statuses.into_iter().find(|container| container.name == SENDER_CONTAINER)
}

fn state(pod: &Pod) -> Option<&ContainerState> {
    sender(pod)?.state.as_ref()
}

/// The message of a sender that has ended.
pub(crate) fn message(pod: &Pod) -> Option<&str> {
    state(pod)?.terminated.as_ref()?.message.as_deref()
}

fn outcome(pod: &Pod) -> Option<Outcome> {
    Outcome::parse(message(pod)?.as_bytes()).ok()
}

fn has_begun(pod: &Pod) -> bool {
    state(pod).is_some_and(|state| state.running.is_some() || state.terminated.as_ref().is_some_and(has_run))
}

/// Whether a container that has ended ever ran: one that could not be started counts as ended, too.
fn has_run(terminated: &ContainerStateTerminated) -> bool {
    !matches!(terminated.reason.as_deref(), Some("StartError" | "ContainerCannotRun"))
}

fn ended_at(pod: &Pod) -> Option<i64> {
    Some(state(pod)?.terminated.as_ref()?.finished_at.as_ref()?.0.as_second())
}

/// Whether a pod has ended, with success or without.
pub(crate) fn has_ended(pod: &Pod) -> bool {
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

/// Id and times are taken from the Job, which the pod can't change.
fn of_outcome(outcome: &Outcome, due: &ScheduledRun, job: &Job, now: i64) -> DeliveryStatus {
    let started = i64::try_from(outcome.started_at.unix()).unwrap_or_default();
    let possible = made_at(job).unwrap_or(now) - TOLERANCE..=now + TOLERANCE;
    DeliveryStatus {
        started_at: possible.contains(&started).then(|| time(started)).flatten(),
        outcome: match outcome.outcome {
            OutcomeClass::Delivered => DeliveryOutcome::Delivered,
            OutcomeClass::Refused => DeliveryOutcome::Refused,
            OutcomeClass::FailedPermanently => DeliveryOutcome::FailedPermanently,
            OutcomeClass::Failed => DeliveryOutcome::Failed,
            OutcomeClass::Interrupted => DeliveryOutcome::Interrupted,
            // A check sends nothing.
            OutcomeClass::Checked => DeliveryOutcome::NotRun,
        },
        reason: outcome.reason.as_str().into(),
        detail: (!outcome.detail.is_empty()).then(|| outcome.detail.clone()),
        http_status: outcome.http_status,
        attempts: outcome.attempt_count,
        // The schema allows an int32.
        latency_ms: outcome.attempts.last().map(|attempt| attempt.duration_ms.min(i32::MAX.unsigned_abs())),
        target: outcome.target.clone(),
        key_fingerprints: outcome.key_fingerprints.iter().map(ToString::to_string).collect(),
        ..without_outcome(DeliveryOutcome::Failed, ENDED_SILENTLY, due)
    }
}

fn time(seconds: i64) -> Option<Time> {
    Timestamp::from_second(seconds).ok().map(Time)
}

/// The outcome of a pod that was ended by the kernel, the kubelet or an eviction before it could report one.
fn ended_silently(pod: &Pod, due: &ScheduledRun) -> DeliveryStatus {
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

/// A delivery for which no sender reported an outcome.
pub(crate) fn without_outcome(outcome: DeliveryOutcome, why: Why, due: &ScheduledRun) -> DeliveryStatus {
    DeliveryStatus {
        id: Some(due.id.to_string()),
        scheduled_time: time(due.time),
        generation: due.generation,
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
mod tests;
