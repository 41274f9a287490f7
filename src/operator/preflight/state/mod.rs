//! Whether a delivery would be sent, checked before the first one is due: which check is wanted, and its result. Pure.
//!
//! A Job runs the sender with `--check`, once for each spec and whenever somebody asks. The schedule owns this Job, not its
//! CronJob, since the CronJob controller would count it among the deliveries: it would keep fewer of them, and begin none while
//! the check runs.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::jobs::{as_delivery, check_run_state};
use super::repeats;
use crate::api::{CHECK_ANNOTATION, CheckResult, CheckStatus, DeliveryOutcome, DeliveryStatus, WebhookSchedule};
use crate::delivery::Reason;
use crate::operator::deliveries::outcome::{DeliveryState, generation_of, is_said, without_outcome};
use crate::operator::deliveries::reasons::Why;
use crate::operator::deliveries::run::Run;
use crate::operator::deliveries::trigger::shown;
use crate::operator::kubernetes::digest::number_of;
use crate::operator::kubernetes::job::{is_over, made_at};
use crate::operator::names;

const JOB_NOT_CREATED: Why = (
    "JobNotCreated",
    "its Job could not be made: see the namespace's ResourceQuotas, and the admission webhooks that judge Jobs",
);

/// A check that is wanted and has no result yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The name of its Job.
    pub job: String,
    /// The value of the annotation `postern.dev/check`, if it asks for this check.
    pub value: Option<String>,
    /// How long to wait at least, in seconds, if it is an automatic repeat.
    pub repeated_within: Option<i64>,
}

/// The state of the check that is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// None is wanted, or it has a result.
    Nothing,
    /// A check has to be made.
    Due(Check),
    /// A check has to be made at this time, in Unix seconds: the namespace has made as many as its tier allows for now.
    Waits(i64),
    /// A check is under way.
    UnderWay,
}

/// What to do about a schedule's checks, and their results.
pub(crate) struct CheckState {
    pub(crate) stage: Phase,
    /// Whether nothing is known about this spec yet: no check and no delivery has reported on it.
    pub(crate) is_first: bool,
    /// The result of the last check.
    pub(crate) checked: Option<CheckStatus>,
    /// The result and reason of a check that has just ended, for metrics. `checked` may hold what an earlier one found.
    pub(crate) ended: Option<(CheckResult, String)>,
    /// When to requeue, if nothing happens before.
    pub(crate) until: Option<i64>,
    /// The Job of a check that did not begin or end in time.
    pub(crate) given_up: Option<Arc<Job>>,
    /// Jobs to delete: those under way that nobody asks for, those that did not end in time and block another, and old finished
    /// ones.
    pub(crate) obsolete: Vec<Arc<Job>>,
}

impl Check {
    /// The check that is wanted and has no result in the status: for a new spec, unless a delivery with it already answered the
    /// question; for a new value of the annotation; and a repeat, where the problem may have disappeared.
    fn of(schedule: &WebhookSchedule, last: Option<&CheckStatus>, recent: &[DeliveryStatus], now: i64) -> Option<Self> {
        let generation = schedule.metadata.generation;
        let value = value_of(schedule);
        let is_asked = value.is_some() && last.and_then(|last| last.value.as_ref()) != value.as_ref();
        let is_new = last.map(|last| last.generation) != generation && judged(recent, generation).is_none();
        let again = last.filter(|last| repeat_at(last, generation).is_some_and(|at| at <= now));
        if !is_asked && !is_new && again.is_none() {
            return None;
        }
        // The name stays the same however often the operator tries to make the check. It changes when a value comes back or the
        // check is repeated.
        let time = |time: &Time| time.0.to_string();
        let before = last.map(|last| time(&last.time)).unwrap_or_default();
        let repeats = last.and_then(|last| last.repeat_at.as_ref()).map(time).unwrap_or_default();
        let (uid, asked) = (schedule.uid()?, value.as_deref().unwrap_or_default());
        let of = format!("postern.dev/check\n{uid}\n{}\n{before}\n{repeats}\n{asked}", generation.unwrap_or_default());
        let repeated_within = again.filter(|_| !is_asked && !is_new).map(|last| repeats::wait(last.repeats));
        Some(Self { job: names::check_job(&schedule.name_any(), number_of(&of)), value, repeated_within })
    }
}

/// When a check of this generation is repeated, in Unix seconds.
fn repeat_at(checked: &CheckStatus, generation: Option<i64>) -> Option<i64> {
    let at = checked.repeat_at.as_ref().filter(|_| Some(checked.generation) == generation)?;
    Some(at.0.as_second())
}

/// The result of the last check, without its repeat when a later delivery answered the question.
fn last_check(schedule: &WebhookSchedule, recent: &[DeliveryStatus]) -> Option<CheckStatus> {
    let last = schedule.status.as_ref()?.checked.clone()?;
    let told = judged(recent, schedule.metadata.generation).filter(|delivery| began(delivery) > Some(&last.time));
    let is_told = told.is_some_and(|delivery| {
        let is_refused = delivery.outcome == DeliveryOutcome::Refused;
        !(is_refused && repeats::may_pass(Reason::from_name(&delivery.reason)))
    });
    Some(if is_told { CheckStatus { repeats: 0, repeat_at: None, ..last } } else { last })
}

/// When a delivery began, or else when it was due.
pub(crate) fn began(delivery: &DeliveryStatus) -> Option<&Time> {
    delivery.started_at.as_ref().or(delivery.scheduled_time.as_ref())
}

/// The last delivery with the spec of this generation that shows whether deliveries are allowed.
pub(crate) fn judged(recent: &[DeliveryStatus], generation: Option<i64>) -> Option<&DeliveryStatus> {
    /// Lateness and similar reasons, which say nothing about the target.
    const NOT_OF_THE_TARGET: [Reason; 4] =
        [Reason::StartingDeadlineExceeded, Reason::ScheduledTimeInFuture, Reason::JobNameInvalid, Reason::NotIsolated];
    recent.iter().filter(|delivery| delivery.generation == generation).find(|delivery| {
        let reason = Reason::from_name(&delivery.reason);
        if delivery.outcome == DeliveryOutcome::Refused {
            !NOT_OF_THE_TARGET.contains(&reason)
        } else {
            // If the name was not resolved, it isn't known where the delivery would have gone.
            delivery.attempts > 0 && reason != Reason::NameNotResolved
        }
    })
}

/// The state of a schedule's checks. `runs` are its check Jobs, and `recent` its deliveries, the latest first. Without
/// `checked_first`, no check is made: the spec isn't accepted, or the admin has disabled checks.
pub(crate) fn check_state(
    schedule: &WebhookSchedule,
    runs: &[Run],
    recent: &[DeliveryStatus],
    checked_first: bool,
    now: Timestamp,
) -> CheckState {
    let (seconds, generation) = (now.as_second(), schedule.metadata.generation);
    let checked = last_check(schedule, recent);
    let is_unchecked = checked.as_ref().map(|last| last.generation) != generation;
    let mut look = CheckState {
        stage: Phase::Nothing,
        is_first: is_unchecked && judged(recent, generation).is_none(),
        checked,
        ended: None,
        until: None,
        given_up: None,
        obsolete: Vec::new(),
    };
    let asked = if checked_first { Check::of(schedule, look.checked.as_ref(), recent, seconds) } else { None };
    // Ignore Jobs that are being deleted, so a stuck finalizer can't block new checks.
    let is_deleted = |run: &Run| run.job.metadata.deletion_timestamp.is_some();
    let goes_on = |run: &&Run| !is_over(&run.job) && !is_deleted(run);
    let Some(asked) = asked else {
        look.obsolete.extend(runs.iter().filter(goes_on).map(|run| run.job.clone()));
        look.until = look.checked.as_ref().filter(|_| checked_first).and_then(|last| repeat_at(last, generation));
        return look;
    };
    // If nothing is known about a spec, any check of it counts, whatever requested it.
    let is_own =
        |run: &&Run| run.job.name_any() == asked.job || (is_unchecked && generation_of(&run.job) == generation);
    if let Some(run) = runs.iter().find(is_own) {
        let told = match check_run_state(run, seconds) {
            DeliveryState::Running(until) => {
                look.stage = Phase::UnderWay;
                look.until = until;
                return look;
            }
            DeliveryState::Finished(told) => told,
            DeliveryState::Abandoned(told) => {
                look.given_up = Some(run.job.clone());
                told
            }
        };
        look.ends(schedule, value_of(&*run.job), told, now);
        return look;
    }
    look.stage = Phase::Due(asked);
    // Delete finished checks, which would pile up, but keep the last one so that people can look at it.
    let mut over: Vec<_> = runs.iter().filter(|run| is_over(&run.job) && !is_deleted(run)).collect();
    over.sort_by_key(|run| made_at(&run.job));
    over.pop();
    look.obsolete.extend(over.into_iter().map(|run| run.job.clone()));
    // A schedule has one check at a time, however often somebody asks.
    for run in runs.iter().filter(goes_on) {
        if let DeliveryState::Running(until) = check_run_state(run, seconds) {
            look.stage = Phase::UnderWay;
            look.until = until;
        } else {
            look.obsolete.push(run.job.clone());
        }
    }
    look
}

/// The value of the annotation on a schedule or on a check's Job.
fn value_of(object: &impl ResourceExt) -> Option<String> {
    let value = object.annotations().get(CHECK_ANNOTATION).map(|value| shown(value));
    value.filter(|value| !value.is_empty())
}

impl CheckState {
    /// Notes that the Job of a check could not be made.
    pub(crate) fn could_not_be_made(&mut self, schedule: &WebhookSchedule, check: &Check, now: Timestamp) {
        let told = without_outcome(DeliveryOutcome::NotRun, JOB_NOT_CREATED, &as_delivery(now.as_second()));
        self.stage = Phase::Nothing;
        self.ends(schedule, check.value.clone(), told, now);
    }

    /// Notes the result of a check, and when it is repeated.
    fn ends(&mut self, schedule: &WebhookSchedule, value: Option<String>, told: DeliveryStatus, now: Timestamp) {
        let result = result_of(&told);
        let ended = (result, told.reason.clone());
        let generation = schedule.metadata.generation.unwrap_or_default();
        let last = self.checked.take();
        let value = value.or_else(|| last.as_ref()?.value.clone());
        let known = last.as_ref().filter(|last| last.generation == generation && last.result != CheckResult::Unknown);
        let checked = match known.filter(|_| result == CheckResult::Unknown) {
            // A check that could not be made doesn't replace an earlier result.
            Some(known) => CheckStatus { value, ..known.clone() },
            None => CheckStatus {
                generation,
                value,
                time: told.started_at.unwrap_or(Time(now)),
                result,
                reason: told.reason,
                detail: told.detail,
                target: told.target,
                key_fingerprints: told.key_fingerprints,
                repeats: 0,
                repeat_at: None,
            },
        };
        let checked = repeats::note(checked, (ended.0, &ended.1), last.as_ref(), now);
        self.is_first = false;
        self.until = repeat_at(&checked, schedule.metadata.generation);
        self.checked = Some(checked);
        self.ended = Some(ended);
    }
}

fn result_of(told: &DeliveryStatus) -> CheckResult {
    match told.outcome {
        // The sender of a check reports this outcome.
        DeliveryOutcome::NotRun if told.reason == Reason::Allowed.as_str() => CheckResult::Allowed,
        DeliveryOutcome::Refused | DeliveryOutcome::FailedPermanently | DeliveryOutcome::Failed if is_said(told) => {
            CheckResult::Refused
        }
        _ => CheckResult::Unknown,
    }
}

#[cfg(test)]
mod repeat_tests;

#[cfg(test)]
mod tests;
