//! The pipeline: `observe → validate → assess → apply → status → report`.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::apply::{Applied, apply, suspend};
use super::assess::{Assessment, assess};
use super::error::ReconcileError;
use super::observe::{ObservedState, observe};
use super::report::report;
use super::status::{Progress, status};
use crate::api::{WebhookSchedule, WebhookScheduleStatus};
use crate::operator::cache::unlisted::UNLISTED;
use crate::operator::kubernetes::apply::Applier;
use crate::operator::kubernetes::consistency::LATE;
use crate::operator::kubernetes::controller::Action;
use crate::operator::kubernetes::status::{StatusUpdate, update_status};
use crate::operator::names;
use crate::operator::preflight::patience::patience;
use crate::operator::schedule::context::ScheduleReconciler;
use crate::operator::settings::Settings;
use crate::operator::validate::{Refusal, ValidatedSchedule, keys, validate};

/// The wait for a time that has already passed.
const SOON: Duration = Duration::from_secs(1);

/// Brings the cluster to the state that the schedule wants, and reports it in the status.
pub(crate) async fn reconcile_at(
    schedule: &WebhookSchedule,
    context: &ScheduleReconciler,
    now: Timestamp,
) -> Result<Action, ReconcileError> {
    if let Some(action) = wait_instead(schedule, context) {
        return Ok(action);
    }
    let to = &context.applier;
    context.recompute_quota(schedule, now.as_second());
    let Some(observed) = observe(schedule, context, now.as_second()) else { return Ok(Action::requeue(SOON)) };
    // A schedule that is being deleted, but held back by a finalizer, sends nothing.
    if schedule.metadata.deletion_timestamp.is_some() {
        return suspend(context, schedule, &observed).await.map(|_| Action::await_change());
    }
    if context.consistency.ensure_ready(schedule, observed.cron_job.as_deref()).is_err() {
        return Ok(Action::requeue(LATE));
    }
    let accepted = judge(schedule, &observed, &context.settings, now);
    let mut assessment = assess(schedule, &observed, accepted.as_ref().ok(), now);
    context.obstacles.apply(&mut assessment.check, schedule, now);
    confirm(schedule, &assessment, &observed, to).await?;
    if accepted.is_ok() {
        context.note_deliveries(schedule, &assessment.history, now.as_second());
    }

    let applied = Box::pin(apply(context, schedule, &accepted, &assessment, &observed, now.as_second())).await;
    if let Ok(Applied::Later(wait)) = applied {
        return Ok(Action::requeue(wait));
    }
    let progress = match (&accepted, &applied) {
        (Err(refusal), _) => Progress::Refused(refusal),
        (Ok(valid), Ok(Applied::InPlace)) => Progress::Applied(valid),
        (Ok(valid), Ok(_)) => Progress::WaitsForKey(valid),
        (Ok(valid), Err(error)) if error.is_for_users() => Progress::Blocked(valid, error),
        (Ok(_), Err(_)) => return applied.map(|_| Action::await_change()),
    };

    let new = status(schedule, &progress, &assessment, now);
    let saved =
        update_status(schedule, &new, &context.client, &context.consistency).await.map_err(ReconcileError::Status)?;
    if saved == StatusUpdate::Conflict {
        // It was changed or deleted since, and another reconcile is queued for that.
        return applied.map(|_| Action::await_change());
    }
    report(context, schedule, &assessment, &new, saved == StatusUpdate::Changed).await?;
    if applied? == Applied::Suspended {
        context.note_revocation(schedule);
    }
    Ok(next_requeue(schedule, &new, &assessment, now))
}

/// What to do instead when no reconcile is possible yet: the cache doesn't show the last write, the namespace can't be listed
/// yet, or it is being deleted, which leaves the rest to garbage collection.
fn wait_instead(schedule: &WebhookSchedule, context: &ScheduleReconciler) -> Option<Action> {
    let namespace = schedule.namespace().unwrap_or_default();
    if context.consistency.ensure_ready(schedule, Some(schedule)).is_err() || context.caches.is_ending(&namespace) {
        return Some(Action::await_change());
    }
    context.caches.unlisted.has(&namespace).then(|| Action::requeue(UNLISTED))
}

fn judge(
    schedule: &WebhookSchedule,
    observed: &ObservedState,
    settings: &Settings,
    now: Timestamp,
) -> Result<ValidatedSchedule, Refusal> {
    let tier = observed.tier.clone()?;
    validate(schedule, &tier, &observed.share, &observed.own_addresses, settings, now.as_second())
}

/// Confirms with the API server that something never began. The caches only show that it is absent, and each is kept by a
/// separate watch, which may be late. So ask before it is reported and a Job is given up.
async fn confirm(
    schedule: &WebhookSchedule,
    Assessment { history, check, .. }: &Assessment,
    observed: &ObservedState,
    to: &Applier,
) -> Result<(), ReconcileError> {
    let mut is_sure = true;
    for job in history.given_up.iter().chain(&check.given_up) {
        is_sure &= to.is_current(&**job).await?;
    }
    if let Some(cron_job) = observed.cron_job.as_ref().filter(|_| !history.missed.is_empty()) {
        let (name, jobs) = (cron_job.name_any(), to.jobs_of(schedule, cron_job).await?);
        let was_begun = |time: &i64| jobs.contains(&names::job(&name, *time));
        is_sure &= to.is_current(&**cron_job).await? && !history.missed.iter().any(was_begun);
    }
    if is_sure { Ok(()) } else { Err(ReconcileError::StaleCache) }
}

/// When to requeue, if nothing happens before: when the announced delivery is due, when one that is due counts as missed, when
/// a key ends, when a check is repeated or given up, or when `Ready` has waited long enough for one.
fn next_requeue(
    schedule: &WebhookSchedule,
    status: &WebhookScheduleStatus,
    Assessment { history, check, .. }: &Assessment,
    now: Timestamp,
) -> Action {
    let due = status.next_delivery_time.as_ref().map(|next| next.0.as_second());
    let patience = patience(schedule, check, now).filter(|until| *until < i64::MAX);
    let times = [due, history.open_until, check.until, patience, keys::next_end(schedule, now)];
    let Some(first) = times.into_iter().flatten().min() else { return Action::await_change() };
    let wait = u64::try_from(first.saturating_mul(1_000).saturating_sub(now.as_millisecond())).unwrap_or_default();
    Action::requeue(if wait == 0 { SOON } else { Duration::from_millis(wait) })
}

#[cfg(test)]
mod tests;
