//! What became of a schedule's deliveries. Pure: it computes the new record from the old status, the observed runs and the
//! time.
//!
//! A delivery is recorded once, when it has ended, and then stays in the status. So nothing is reported twice, and a new
//! operator continues where the previous one stopped.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::missed::{Account, DueTimes, may_be_removed};
use super::outcome::{DeliveryState, ScheduledRun, delivery_state, is_said, scheduled_run, without_outcome};
use super::run::{FINAL, Run};
use super::spacing::{Plan, TriggerDecision, last_scheduled, plan};
use super::terms::Terms;
use super::trigger::Trigger;
use crate::api::{
    ConcurrencyPolicy, DeliveryOutcome, DeliveryStatus, History, TriggerStatus, WebhookSchedule, WebhookScheduleStatus,
};
use crate::delivery::Reason;
use crate::operator::kubernetes::job::over_at;
use crate::signing::DeliveryId;

/// `Healthy` turns False after this many failures in a row, so at least this many are kept whatever `history` says.
pub(crate) const UNHEALTHY_AFTER: usize = 3;

/// How long before its time a Job that was made early counts as a delivery, in seconds. Until then it may be withdrawn, and counts
/// for nothing. Then it keeps others at their distance, since it will be sent whatever changes; that begins a second before it is
/// final, since what a reconcile changes is seen a little later.
const COUNTS_BEFORE: i64 = FINAL + 1;

/// What became of the deliveries, and what follows from it.
pub(crate) struct DeliveryHistory {
    /// The latest deliveries, the latest first.
    pub(crate) recent: Vec<DeliveryStatus>,
    /// The deliveries that are recorded for the first time, the earliest first, whether they are kept or not.
    pub(crate) new: Vec<DeliveryStatus>,
    /// The time up to which nothing can have been missed; `None` while nothing is due at all.
    pub(crate) accounted_until: Option<Time>,
    /// When to requeue, if nothing happens before.
    pub(crate) open_until: Option<i64>,
    /// The generation whose receiver asked to stop.
    pub(crate) paused_generation: Option<i64>,
    /// The time until which the CronJob is suspended, so that no delivery comes too early.
    pub(crate) held_until: Option<i64>,
    /// When the schedule last delivered.
    pub(crate) last: Option<i64>,
    /// The delivery to trigger now.
    pub(crate) trigger: Option<Trigger>,
    /// When the requested delivery is made, if it isn't now.
    pub(crate) trigger_waits: Option<TriggerDecision>,
    /// The last triggered delivery, this one included.
    pub(crate) last_trigger: Option<TriggerStatus>,
    /// Jobs that may no longer begin.
    pub(crate) given_up: Vec<Arc<Job>>,
    /// Deleted Jobs whose outcome is known.
    pub(crate) gone: Vec<Arc<Job>>,
    /// The missed times, in Unix seconds: no Job of theirs was seen.
    pub(crate) missed: Vec<i64>,
}

/// What is known about a schedule's deliveries.
pub(crate) struct Deliveries<'a> {
    pub(crate) schedule: &'a WebhookSchedule,
    /// The CronJob's Jobs and their pods.
    pub(crate) runs: &'a [Run],
    pub(crate) cron_job: Option<&'a CronJob>,
    /// The smallest gap between two deliveries of the expression, in seconds, if the expression can be read.
    pub(crate) min_gap: Option<u64>,
    /// Whether no delivery may begin for now, whether it is due or requested.
    pub(crate) are_held: bool,
}

/// What became of a schedule's deliveries by `now`. Without `terms`, the schedule isn't accepted.
pub(crate) fn delivery_history(
    deliveries: &Deliveries<'_>,
    terms: Option<&Terms<'_>>,
    now: Timestamp,
) -> DeliveryHistory {
    let Deliveries { schedule, runs: found, cron_job, min_gap, are_held } = *deliveries;
    let old = schedule.status.clone().unwrap_or_default();
    let generation = schedule.metadata.generation;
    let now_seconds = now.as_second();
    // A delivery that waits longer than the gap would begin together with the next one.
    let gap = min_gap.and_then(|gap| i64::try_from(gap).ok());
    let deadline = i64::from(schedule.spec.starting_deadline_seconds).min(gap.unwrap_or(i64::MAX));
    let uid = schedule.uid().unwrap_or_default();
    let runs = found.iter().filter_map(|run| Some((run, scheduled_run(&run.job, schedule)?)));
    let (early, runs): (Vec<_>, Vec<(&Run, ScheduledRun)>) =
        runs.partition(|(_, due)| due.time - COUNTS_BEFORE > now_seconds);
    let kept: Vec<_> = runs.iter().filter(|(run, _)| !Trigger::made(&run.job)).filter_map(over).collect();

    let (mut seen, mut given_up) = (Vec::new(), Vec::new());
    let mut looks: Vec<_> = early.iter().map(|(_, due)| due.time - COUNTS_BEFORE).collect();
    let none_of_its = found.iter().filter(|run| run.is_deleted && scheduled_run(&run.job, schedule).is_none());
    let mut gone: Vec<_> = none_of_its.map(|run| run.job.clone()).collect();
    for (run, due) in &runs {
        if due.time > now_seconds {
            looks.push(due.time);
            continue;
        }
        match delivery_state(run, due, deadline, now_seconds) {
            DeliveryState::Running(until) => looks.extend(until),
            DeliveryState::Finished(delivery) => {
                // The run may have ended and been removed while no watch reported it.
                let is_known = !run.is_deleted || !run.pods.is_empty() || !may_be_removed(due.time, &kept);
                seen.extend(is_known.then_some(delivery));
                gone.extend(run.is_deleted.then(|| run.job.clone()));
            }
            DeliveryState::Abandoned(delivery) => {
                seen.push(delivery);
                given_up.push(run.job.clone());
            }
        }
    }

    let plan = terms.map(|terms| plan(terms, schedule, cron_job, &runs, now)).unwrap_or_default();
    let Plan { last, held_until, trigger, trigger_waits } = plan;
    let trigger = trigger.filter(|_| !are_held);
    let stays_paused = trigger.is_none() && old.paused_generation == generation;
    let was_paused = old.paused_generation.filter(|_| stays_paused);
    let is_held = are_held || held_until.is_some();
    let due_at_all = terms.filter(|terms| !terms.suspended && was_paused.is_none() && !is_held);
    let account = due_at_all.and_then(|terms| {
        // The schedule was held until a due time.
        let released = old.held_until.as_ref().map(|until| until.0.as_second() - 1);
        let since = released.or_else(|| Some(old.accounted_until.as_ref()?.0.as_second()));
        let since = since.filter(|_| old.observed_generation == generation)?;
        Some(match cron_job {
            Some(cron_job) => due_times(terms, schedule, &runs, kept, cron_job, since).account(now_seconds),
            // Without the CronJob, its Jobs are unknown.
            None => Account { missed: Vec::new(), accounted_until: since, open_until: None },
        })
    });
    let Account { missed, accounted_until, open_until } =
        account.unwrap_or(Account { missed: Vec::new(), accounted_until: now_seconds, open_until: None });
    seen.extend(missed.iter().filter_map(|(time, why)| {
        let due = ScheduledRun { id: id_of(&uid, *time)?, time: *time, generation };
        Some(without_outcome(DeliveryOutcome::NotRun, *why, &due))
    }));

    // Without the CronJob, its Jobs are unknown.
    let has_job = |id: &String| cron_job.is_none() || runs.iter().any(|(_, due)| due.id.as_str() == id);
    let (recent, new) = merge(&old, seen, has_job, schedule.spec.history);
    // What the receiver says about another spec doesn't apply to this one.
    let asks_to_stop = |last: &DeliveryStatus| {
        last.reason == Reason::ReceiverGone.as_str() && last.generation == generation && new.contains(last)
    };
    let asked_to_stop = recent.first().is_some_and(asks_to_stop);
    DeliveryHistory {
        accounted_until: due_at_all.and_then(|_| Timestamp::from_second(accounted_until).ok()).map(Time),
        open_until: looks.into_iter().chain(open_until).chain(trigger_waits.and_then(TriggerDecision::look)).min(),
        held_until,
        last,
        paused_generation: if asked_to_stop { generation } else { was_paused },
        last_trigger: trigger.as_ref().map(Trigger::status).or(old.last_trigger),
        trigger,
        trigger_waits,
        recent,
        new,
        given_up,
        gone,
        missed: missed.into_iter().map(|(time, _)| time).collect(),
    }
}

/// The id of a schedule's delivery for a scheduled time.
fn id_of(uid: &str, time: i64) -> Option<DeliveryId> {
    Some(DeliveryId::of_schedule(uid, u64::try_from(time).ok()?))
}

/// When a finished run was due, and whether it succeeded.
fn over((run, due): &(&Run, ScheduledRun)) -> Option<(i64, bool)> {
    over_at(&run.job)?;
    Some((due.time, run.job.status.as_ref().is_some_and(|status| status.completion_time.is_some())))
}

fn due_times<'a>(
    terms: &Terms<'a>,
    schedule: &WebhookSchedule,
    runs: &[(&Run, ScheduledRun)],
    kept: Vec<(i64, bool)>,
    cron_job: &CronJob,
    accounted_until: i64,
) -> DueTimes<'a> {
    let recorded = schedule.status.iter().flat_map(|status| &status.recent_deliveries);
    let recorded = recorded.filter_map(|delivery| Some(delivery.scheduled_time.as_ref()?.0.as_second()));
    let scheduled = || runs.iter().filter(|(run, _)| !Trigger::made(&run.job));
    let blocks = terms.concurrency_policy == ConcurrencyPolicy::Forbid;
    DueTimes {
        expression: terms.expression,
        zone: terms.zone,
        deadline: terms.deadline,
        // The Jobs of a previous CronJob were deleted with it.
        accounted_until: cron_job
            .creation_timestamp()
            .map_or(accounted_until, |made| made.0.as_second().max(accounted_until)),
        known: recorded.chain(scheduled().map(|(_, due)| due.time)).collect(),
        last_begun: last_scheduled(cron_job),
        blocked: scheduled().filter(|_| blocks).map(|(run, due)| (due.time, over_at(&run.job))).collect(),
        kept,
        replaces: terms.concurrency_policy == ConcurrencyPolicy::Replace,
    }
}

/// The latest deliveries, the latest first, and the new ones. Of each kind it keeps as many as the tenant wants, and every
/// delivery whose Job still exists, since that Job would report it again.
fn merge(
    old: &WebhookScheduleStatus,
    seen: Vec<DeliveryStatus>,
    has_job: impl Fn(&String) -> bool,
    history: History,
) -> (Vec<DeliveryStatus>, Vec<DeliveryStatus>) {
    let mut all = old.recent_deliveries.clone();
    let mut new: Vec<DeliveryStatus> = Vec::new();
    for delivery in seen {
        match all.iter_mut().find(|known| known.id == delivery.id) {
            // What a sender reports takes precedence over what the operator concluded from its silence.
            Some(known) if !is_said(known) && is_said(&delivery) => *known = delivery.clone(),
            None => all.push(delivery.clone()),
            Some(_) => continue,
        }
        new.push(delivery);
    }
    new.sort_by(|a, b| a.scheduled_time.cmp(&b.scheduled_time));
    all.sort_by(|a, b| b.scheduled_time.cmp(&a.scheduled_time));
    let (mut successful, mut failed) = (0, 0);
    all.retain(|delivery| {
        let (count, most) = if delivery.outcome == DeliveryOutcome::Delivered {
            (&mut successful, (history.successful as usize).max(1))
        } else {
            (&mut failed, (history.failed as usize).max(UNHEALTHY_AFTER))
        };
        *count += 1;
        *count <= most || delivery.id.as_ref().is_some_and(&has_job)
    });
    all.truncate(MOST_RECENT);
    (all, new)
}

/// The maximum that the CRD allows.
const MOST_RECENT: usize = 40;

#[cfg(test)]
mod early_tests;

#[cfg(test)]
mod pause_tests;

#[cfg(test)]
mod tests;
