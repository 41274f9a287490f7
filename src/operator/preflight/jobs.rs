//! The Jobs of checks, and the states of their runs. Pure.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use crate::api::{CHECK_ANNOTATION, DeliveryOutcome, WebhookSchedule};
use crate::operator::cache::caches::Caches;
use crate::operator::deliveries::outcome::{DeliveryState, ScheduledRun, delivery_state, without_outcome};
use crate::operator::deliveries::reasons::POD_DEADLINE_EXCEEDED;
use crate::operator::deliveries::run::Run;
use crate::operator::kubernetes::job::{is_over, made_at};
use crate::signing::DeliveryId;

/// How long a check may take to begin, in seconds: a check that can't begin must not block others.
const BEGINS_WITHIN: i64 = 120;
/// How long the whole check may take, in seconds: a check whose node was lost would never end.
const ENDS_WITHIN: i64 = 180;

/// The runs of a schedule's checks, whose Jobs the schedule itself owns.
pub(crate) fn check_runs(caches: &Caches, schedule: &WebhookSchedule) -> Vec<Run> {
    let (namespace, uid) = (schedule.namespace().unwrap_or_default(), schedule.uid().unwrap_or_default());
    let mut runs = Run::all_of(caches, &namespace, &uid);
    runs.retain(|run| is_check(&run.job));
    runs
}

/// Whether a Job was made for a check.
pub(crate) fn is_check(job: &Job) -> bool {
    job.annotations().contains_key(CHECK_ANNOTATION)
}

/// A check as a scheduled run: its result is read like a delivery's. The id isn't used.
pub(super) fn as_delivery(time: i64) -> ScheduledRun {
    ScheduledRun { id: DeliveryId::of_schedule("", 0), time, generation: None }
}

/// The state of a check's run. Every check ends.
pub(super) fn check_run_state(run: &Run, now: i64) -> DeliveryState {
    let made = made_at(&run.job).unwrap_or(now);
    let ends = made + ENDS_WITHIN;
    let due = as_delivery(made);
    match delivery_state(run, &due, BEGINS_WITHIN, now) {
        DeliveryState::Running(until) if now <= ends => DeliveryState::Running(Some(until.unwrap_or(ends).min(ends))),
        DeliveryState::Running(_) => {
            DeliveryState::Abandoned(without_outcome(DeliveryOutcome::NotRun, POD_DEADLINE_EXCEEDED, &due))
        }
        // The next check has to wait until this Job is over.
        DeliveryState::Finished(_) if !is_over(&run.job) && now <= ends => DeliveryState::Running(Some(ends)),
        DeliveryState::Finished(told) if !is_over(&run.job) => DeliveryState::Abandoned(told),
        known => known,
    }
}
