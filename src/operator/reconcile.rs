//! The pipeline: `dereference → validate → build → apply → status`.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::{Api, Client, ResourceExt};

use super::apply::{Applier, ApplyError};
use super::build::{cron_job, namespace_children};
use super::dereference::{Found, Stores, is_controlled_by};
use super::outcomes::delivery_of;
use super::settings::Settings;
use super::status::{Progress, status};
use super::validate::{Valid, validate};
use crate::api::{WebhookSchedule, WebhookScheduleStatus};

/// What every reconcile shares.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) settings: Settings,
    pub(super) stores: Stores,
}

/// Why a reconcile has to be tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReconcileError {
    /// A child can't be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A delivery can't be written as JSON.
    #[error("the delivery can't be written as JSON: {0}")]
    Build(#[from] serde_json::Error),
    /// The status can't be written.
    #[error("status: {0}")]
    Status(#[source] kube::Error),
}

/// Brings the cluster to where the schedule wants it, and says so in its status.
pub(super) async fn reconcile(schedule: Arc<WebhookSchedule>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let Context { client, settings, stores } = &*context;
    // What is being deleted is the garbage collector's.
    if schedule.metadata.deletion_timestamp.is_some() || stores.is_ending(&schedule.namespace().unwrap_or_default()) {
        return Ok(Action::await_change());
    }
    let now = Timestamp::now();

    // dereference: from the caches
    let found = stores.dereference(&schedule);
    let deliveries = found.pods.iter().filter_map(|pod| delivery_of(pod)).collect();
    // validate: pure
    let valid = found.tier.clone().and_then(|tier| validate(&schedule, &tier, settings));
    // build (pure) and apply: writes what differs
    let applied = match &valid {
        Ok(valid) => Box::pin(apply(valid, found, client, settings)).await,
        Err(_) => Box::pin(suspend(&schedule, found, client)).await,
    };
    // status: one write, if it changed
    let progress = match (&valid, &applied) {
        (Ok(valid), Ok(())) => Progress::Applied(valid),
        (Ok(valid), Err(ReconcileError::Apply(error))) => Progress::Blocked(valid, error),
        (Ok(_), Err(_)) => return applied.map(|()| Action::await_change()),
        (Err(refusal), _) => Progress::Refused(refusal),
    };
    let new = status(&schedule, &progress, deliveries, now);
    write_status(&schedule, &new, client).await?;

    applied.map(|()| wake(&new, now))
}

/// The next look, when nothing happens before: once the delivery that the status announces is due.
fn wake(status: &WebhookScheduleStatus, now: Timestamp) -> Action {
    let due = status.next_delivery_time.as_ref().map(|next| next.0.as_second() - now.as_second());
    let seconds = due.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or_else(Action::await_change, |seconds| Action::requeue(Duration::from_secs(seconds + 1)))
}

async fn apply(valid: &Valid, found: Found, client: &Client, settings: &Settings) -> Result<(), ReconcileError> {
    let applier = Applier { client: client.clone() };
    // The policy stands before the first pod does.
    let children = namespace_children(&valid.namespace, &valid.delivery.egress, settings);
    applier.namespace_children(children, (found.service_account, found.network_policy)).await?;
    Ok(applier.cron_job(cron_job(valid, settings)?, found.cron_job).await?)
}

/// A schedule that is no longer accepted keeps its CronJob, paused. What only has the name and the label is let be.
async fn suspend(schedule: &WebhookSchedule, found: Found, client: &Client) -> Result<(), ReconcileError> {
    let own = found.cron_job.filter(|cron_job| is_controlled_by(&**cron_job, schedule.uid().as_deref()));
    let Some(cron_job) = own.filter(|cron_job| cron_job.spec.suspend != Some(true)) else {
        return Ok(());
    };
    let mut paused = (*cron_job).clone();
    paused.spec.suspend = Some(true);
    Ok(Applier { client: client.clone() }.cron_job(paused, Some(cron_job)).await?)
}

async fn write_status(
    schedule: &WebhookSchedule,
    new: &WebhookScheduleStatus,
    client: &Client,
) -> Result<(), ReconcileError> {
    if schedule.status.as_ref() == Some(new) {
        return Ok(());
    }
    let api: Api<WebhookSchedule> = Api::namespaced(client.clone(), &schedule.namespace().unwrap_or_default());
    // Against the version that it was made from; what the schedule is now has another reconcile coming.
    let mut whole = schedule.clone();
    whole.status = Some(new.clone());
    let name = schedule.name_any();
    api.replace_status(&name, &PostParams::default(), &whole).await.map(drop).map_err(ReconcileError::Status)
}
