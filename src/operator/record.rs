//! What became of a schedule's deliveries. Pure: the old status, what was found and the time make the new record.
//!
//! A delivery is recorded once, when it has ended, and from then on stands in the status; so nothing is told twice, and a
//! new operator goes on where the one before it was.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::dereference::{Found, Run};
use super::missed::{Account, DueTimes, MARGIN};
use super::outcomes::{Due, Standing, due, over_at, standing, without_outcome};
use super::trigger::Trigger;
use super::validate::Valid;
use crate::api::{
    ConcurrencyPolicy, DeliveryOutcome, DeliveryStatus, History, TriggerStatus, WebhookSchedule, WebhookScheduleStatus,
};
use crate::delivery::Reason;
use crate::signing::DeliveryId;

/// `Healthy` turns False after this many failures in a row, so as many are remembered whatever `history` says.
pub(super) const UNHEALTHY_AFTER: usize = 3;

/// What became of the deliveries, and what follows from it.
pub(super) struct Record {
    /// The latest deliveries, the latest first.
    pub(super) recent: Vec<DeliveryStatus>,
    /// Those of them that are recorded for the first time, the earliest first.
    pub(super) new: Vec<DeliveryStatus>,
    /// Up to when nothing can have been missed; `None` while nothing is due at all.
    pub(super) accounted_until: Option<Time>,
    /// When a delivery that is due now would be missed.
    pub(super) open_until: Option<Timestamp>,
    /// The generation whose receiver asked to stop.
    pub(super) paused_generation: Option<i64>,
    /// The delivery that is to be made at once.
    pub(super) trigger: Option<Trigger>,
    /// The last one that was asked for, this one included.
    pub(super) last_trigger: Option<TriggerStatus>,
    /// Jobs that may no longer begin.
    pub(super) given_up: Vec<Arc<Job>>,
}

/// What became of a schedule's deliveries by `now`.
pub(super) fn record(schedule: &WebhookSchedule, found: &Found, valid: Option<&Valid>, now: Timestamp) -> Record {
    let old = schedule.status.clone().unwrap_or_default();
    let uid = schedule.uid().unwrap_or_default();
    let generation = schedule.metadata.generation;
    let deadline = i64::from(schedule.spec.starting_deadline_seconds);
    let runs: Vec<(&Run, Option<Due>)> = found.runs.iter().map(|run| (run, due(&run.job, &uid))).collect();

    let (mut seen, mut given_up, mut open_until) = (Vec::new(), Vec::new(), None);
    for (run, due) in &runs {
        let until = due.as_ref().map(|due| begins_until(&run.job, due, deadline));
        match standing(run, due.as_ref(), until, now) {
            Standing::Underway => open_until = earliest(open_until, until.filter(|until| *until >= now)),
            Standing::Ended(delivery) => seen.push(delivery),
            Standing::NeverBegan(delivery) => {
                seen.push(delivery);
                given_up.push(run.job.clone());
            }
        }
    }

    let trigger = valid.and_then(|_| Trigger::of(schedule, now));
    let stays_paused = trigger.is_none() && old.paused_generation == generation;
    let was_paused = old.paused_generation.filter(|_| stays_paused);
    let due_at_all = valid.filter(|valid| !valid.suspended && was_paused.is_none());
    let account = due_at_all.and_then(|valid| {
        let since = old.accounted_until.as_ref().filter(|_| old.observed_generation == generation)?;
        Some(due_times(valid, &old, &runs, found.cron_job.as_deref(), since.0.as_second()).account(now.as_second()))
    });
    let Account { missed, accounted_until, open_until: next_missed } =
        account.unwrap_or(Account { missed: Vec::new(), accounted_until: now.as_second(), open_until: None });
    seen.extend(missed.into_iter().filter_map(|(time, why)| {
        let id = DeliveryId::of_schedule(&uid, u64::try_from(time).ok()?);
        let due = Due { id, time: Timestamp::from_second(time).ok()? };
        Some(without_outcome(DeliveryOutcome::NotRun, why, Some(&due)))
    }));

    let recent = remember(old.recent_deliveries.clone(), seen, schedule.spec.history);
    let is_new = |delivery: &&DeliveryStatus| !old.recent_deliveries.iter().any(|known| is_same(known, delivery));
    let new: Vec<_> = recent.iter().filter(is_new).rev().cloned().collect();
    let last_is_new = new.last().is_some() && new.last() == recent.first();
    // What the receiver says of a spec that isn't in force any more says nothing of this one.
    let asked_to_stop = last_is_new
        && old.observed_generation == generation
        && recent.first().is_some_and(|last| last.reason == Reason::ReceiverGone.as_str());
    Record {
        accounted_until: due_at_all.and_then(|_| Timestamp::from_second(accounted_until).ok()).map(Time),
        open_until: earliest(open_until, next_missed.and_then(|time| Timestamp::from_second(time).ok())),
        paused_generation: if asked_to_stop { generation } else { was_paused },
        last_trigger: trigger.as_ref().map(Trigger::status).or(old.last_trigger),
        trigger,
        recent,
        new,
        given_up,
    }
}

/// When the sender of a Job may begin at the latest; one that was made late has some time all the same.
fn begins_until(job: &Job, due: &Due, deadline: i64) -> Timestamp {
    let until = due.time + SignedDuration::from_secs(deadline);
    let made = job.creation_timestamp().map_or(until, |made| made.0);
    until.max(made) + SignedDuration::from_secs(MARGIN)
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

fn due_times<'a>(
    valid: &'a Valid,
    old: &WebhookScheduleStatus,
    runs: &[(&Run, Option<Due>)],
    cron_job: Option<&CronJob>,
    accounted_until: i64,
) -> DueTimes<'a> {
    let recorded = old.recent_deliveries.iter().filter_map(|delivery| delivery.scheduled_time.as_ref());
    let known: BTreeSet<i64> = recorded
        .map(|time| time.0.as_second())
        .chain(runs.iter().filter_map(|(_, due)| Some(due.as_ref()?.time.as_second())))
        .collect();
    let last_begun = cron_job.and_then(|cron_job| cron_job.status.as_ref()?.last_schedule_time.as_ref());
    let blocks = valid.concurrency_policy == ConcurrencyPolicy::Forbid;
    let scheduled = runs.iter().filter(|(run, _)| blocks && !Trigger::made(&run.job));
    DueTimes {
        expression: &valid.expression,
        zone: &valid.zone,
        deadline: valid.starting_deadline_seconds.into(),
        accounted_until,
        known,
        last_begun: last_begun.map(|time| time.0.as_second()),
        blocked: scheduled
            .filter_map(|(run, due)| {
                Some((due.as_ref()?.time.as_second(), over_at(&run.job).map(Timestamp::as_second)))
            })
            .collect(),
    }
}

/// Whether two records are of one delivery.
fn is_same(a: &DeliveryStatus, b: &DeliveryStatus) -> bool {
    a.id == b.id && a.scheduled_time == b.scheduled_time
}

/// The latest deliveries, each once, the latest first; of each kind as many as the tenant wants.
fn remember(old: Vec<DeliveryStatus>, seen: Vec<DeliveryStatus>, history: History) -> Vec<DeliveryStatus> {
    let mut all = old;
    for delivery in seen {
        if !all.iter().any(|known| is_same(known, &delivery)) {
            all.push(delivery);
        }
    }
    all.sort_by(|a, b| b.scheduled_time.cmp(&a.scheduled_time));
    let (mut successful, mut failed) = (0, 0);
    all.retain(|delivery| {
        let (count, most) = if delivery.outcome == DeliveryOutcome::Delivered {
            (&mut successful, (history.successful as usize).max(1))
        } else {
            (&mut failed, (history.failed as usize).max(UNHEALTHY_AFTER))
        };
        *count += 1;
        *count <= most
    });
    all
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
