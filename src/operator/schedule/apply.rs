//! Brings the cluster to what an accepted schedule asks for, after recording what may be delivered.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::CronJob;
use kube::ResourceExt as _;

use super::assess::{Assessment, pause};
use super::error::ReconcileError;
use super::observe::ObservedState;
use crate::api::WebhookSchedule;
use crate::operator::build::{NamespaceChildren, cron_job, namespace_children, triggered_job};
use crate::operator::deliveries::trigger::Trigger;
use crate::operator::kubernetes::apply::ApplyError;
use crate::operator::kubernetes::consistency::LATE;
use crate::operator::kubernetes::owner::is_controlled_by;
use crate::operator::names;
use crate::operator::schedule::context::ScheduleReconciler;
use crate::operator::tier::quota::ledger::{Noted, RecordError, Recorded, Start};
use crate::operator::validate::{Refusal, ValidatedSchedule};

/// The result of applying.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// The CronJob is as it was built.
    InPlace,
    /// The schedule isn't accepted or has no key to sign with, so its CronJob is suspended.
    Suspended,
    /// The namespace's usage was recorded a moment ago, or a Job that a former CronJob made early is being deleted: requeue after
    /// this time.
    Later(Duration),
}

/// Brings the cluster to the state that the schedule wants.
///
/// # Errors
/// When something can't be recorded, built or written.
pub(super) async fn apply(
    context: &ScheduleReconciler,
    schedule: &WebhookSchedule,
    accepted: &Result<ValidatedSchedule, Refusal>,
    assessment: &Assessment,
    observed: &ObservedState,
    now: i64,
) -> Result<Applied, ReconcileError> {
    let Ok(valid) = accepted.as_ref() else { return suspend(context, schedule, observed).await };
    if valid.waits_for_key {
        return suspend(context, schedule, observed).await;
    }
    // The CronJob controller would stop at a Job of that name with another owner.
    if let Some(job) = &observed.left_over {
        context.applier.delete(&**job).await?;
        return Ok(Applied::Later(LATE));
    }
    let trigger = to_trigger(schedule, assessment, observed);
    let noted = match record_start(context, schedule, (valid, assessment), trigger, now).await {
        Ok(Recorded::Done(noted)) => noted,
        Ok(Recorded::Wait(wait)) => return Ok(Applied::Later(wait)),
        Err(error) => return Err(error.into()),
    };
    let written = write(context, schedule, valid, (assessment, trigger), observed).await;
    if written.as_ref().is_err_and(|error| !may_be_made(error)) {
        context.ledger.take_back(schedule, noted);
    }
    written?;
    context.quotas.applied(schedule, pause(valid, assessment).is_none());
    Ok(Applied::InPlace)
}

/// The delivery to trigger now, unless its Job exists already.
fn to_trigger<'a>(
    schedule: &WebhookSchedule,
    assessment: &'a Assessment,
    observed: &ObservedState,
) -> Option<&'a Trigger> {
    let trigger = assessment.history.trigger.as_ref()?;
    let name = names::triggered_job(&schedule.name_any(), &trigger.id);
    let is_made = observed.runs.iter().any(|run| run.job.metadata.name.as_ref() == Some(&name));
    (!is_made).then_some(trigger)
}

/// Records what a schedule uses, if its CronJob is to run or a delivery is to be triggered.
///
/// # Errors
/// When it can't be recorded: then nothing is started.
async fn record_start(
    context: &ScheduleReconciler,
    schedule: &WebhookSchedule,
    (valid, assessment): (&ValidatedSchedule, &Assessment),
    trigger: Option<&Trigger>,
    now: i64,
) -> Result<Recorded, RecordError> {
    let start = Start { runs: pause(valid, assessment).is_none(), triggered: trigger.is_some() };
    if !start.runs && !start.triggered {
        return Ok(Recorded::Done(Noted::default()));
    }
    context.ledger.record(schedule, start, now).await
}

async fn write(
    ScheduleReconciler { applier: to, settings, consistency, .. }: &ScheduleReconciler,
    schedule: &WebhookSchedule,
    valid: &ValidatedSchedule,
    (assessment, trigger): (&Assessment, Option<&Trigger>),
    observed: &ObservedState,
) -> Result<(), ReconcileError> {
    // The policy must exist before the first pod does.
    let NamespaceChildren { service_account, network_policy } =
        namespace_children(&valid.namespace, &valid.delivery.egress, settings);
    let account = (service_account, observed.service_account.clone());
    to.namespace_children(account, (network_policy, observed.network_policy.clone())).await?;
    let built = cron_job(valid, pause(valid, assessment).is_some(), settings)?;
    let cron_job = to.cron_job(built, observed.cron_job.clone()).await?;
    if observed.cron_job.is_none() {
        consistency.wrote_at(schedule, None, &cron_job);
    }
    if let Some(trigger) = trigger {
        to.start(&triggered_job(valid, trigger, &cron_job, settings)?).await?;
    }
    Ok(())
}

/// Suspends the schedule's CronJob, and leaves it otherwise as it is. Ignores a CronJob that only has the name and the label.
pub(super) async fn suspend(
    context: &ScheduleReconciler,
    schedule: &WebhookSchedule,
    observed: &ObservedState,
) -> Result<Applied, ReconcileError> {
    let is_own = |cron_job: &CronJob| is_controlled_by(cron_job, schedule.uid().as_deref());
    let fires =
        |cron_job: &CronJob| cron_job.spec.suspend != Some(true) && cron_job.metadata.deletion_timestamp.is_none();
    if let Some(cron_job) = observed.cron_job.clone().filter(|cron_job| is_own(cron_job) && fires(cron_job)) {
        let mut paused = (*cron_job).clone();
        paused.spec.suspend = Some(true);
        context.applier.cron_job(paused, Some(Arc::clone(&cron_job))).await?;
    }
    context.quotas.applied(schedule, false);
    Ok(Applied::Suspended)
}

/// Whether the Job of a delivery may exist although an attempt to apply failed.
fn may_be_made(error: &ReconcileError) -> bool {
    match error {
        ReconcileError::Apply(ApplyError::Api { kind, source, .. }) if kind == "Job" => {
            !matches!(source, kube::Error::Api(status) if status.code < 500)
        }
        _ => false,
    }
}
