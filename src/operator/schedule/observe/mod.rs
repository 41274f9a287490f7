//! Collects what a reconcile needs to know besides the schedule: from caches, and from what the other controllers found.
//! Nothing here asks an API server, and observing changes nothing.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::api::{WebhookSchedule, WebhookTier};
use crate::operator::admission::status::AdmissionStatus;
use crate::operator::cache::own_addresses::OwnAddresses;
use crate::operator::deliveries::run::Run;
use crate::operator::isolation::verdict::IsolationStatus;
use crate::operator::kubernetes::owner::is_controlled_by;
use crate::operator::names;
use crate::operator::preflight::jobs::check_runs;
use crate::operator::schedule::context::ScheduleReconciler;
use crate::operator::signing_keys::backoff::KeyNotMade;
use crate::operator::tier::membership::TierError;
use crate::operator::tier::quota::QuotaUsage;

/// All that exists for one schedule.
pub(crate) struct ObservedState {
    pub(crate) tier: Result<Arc<WebhookTier>, TierError>,
    /// How much it uses of what its tier allows its namespace.
    pub(crate) share: QuotaUsage,
    pub(crate) cron_job: Option<Arc<CronJob>>,
    /// A Job that a former CronJob of that name made early: none may be there when a new one is made.
    pub(crate) left_over: Option<Arc<Job>>,
    pub(crate) service_account: Option<Arc<ServiceAccount>>,
    pub(crate) network_policy: Option<Arc<NetworkPolicy>>,
    /// The cluster's own addresses.
    pub(crate) own_addresses: OwnAddresses,
    /// Whether its senders are isolated from the cluster's inside.
    pub(crate) isolation: IsolationStatus,
    /// Whether our admission policies are in force.
    pub(crate) protection: AdmissionStatus,
    /// Why the last signing key that was due could not be made.
    pub(crate) key_error: Option<KeyNotMade>,
    /// The CronJob's Jobs with their pods: deliveries.
    pub(crate) runs: Vec<Run>,
    /// The schedule's own Jobs with their pods: checks.
    pub(crate) checks: Vec<Run>,
}

/// Collects what exists for a schedule; `None` until the quotas know the schedule. `now` is in Unix seconds.
pub(crate) fn observe(schedule: &WebhookSchedule, context: &ScheduleReconciler, now: i64) -> Option<ObservedState> {
    let caches = &context.caches;
    let (name, namespace) = (schedule.name_any(), schedule.namespace().unwrap_or_default());
    let cron_job = caches.cron_jobs.get(&namespace, &names::cron_job(&name));
    let left_over = if cron_job.is_none() { caches.early_job(&namespace, &names::cron_job(&name), now) } else { None };
    let tier = context.membership.tier(&namespace);
    let share = match &tier {
        Ok(tier) => context.quotas.usage_of(schedule, (&tier.spec).into(), now)?,
        Err(_) => QuotaUsage::default(),
    };
    Some(ObservedState {
        tier,
        share,
        runs: runs(schedule, cron_job.as_deref(), context, &namespace),
        checks: check_runs(caches, schedule),
        cron_job,
        left_over,
        service_account: caches.service_accounts.get(&namespace, names::SENDER_CHILDREN),
        network_policy: caches.network_policies.get(&namespace, names::SENDER_CHILDREN),
        own_addresses: caches.own_addresses(),
        isolation: context.verdicts.verdict(&namespace, context.settings.isolation),
        protection: context.protected.now(),
        key_error: context.key_backoff.last_error(&ObjectRef::from_obj(schedule)),
    })
}

/// The Jobs of a schedule's CronJob with their pods, deleted Jobs included. Without its CronJob, nothing is known about its
/// runs.
fn runs(
    schedule: &WebhookSchedule,
    cron_job: Option<&CronJob>,
    context: &ScheduleReconciler,
    namespace: &str,
) -> Vec<Run> {
    let own = cron_job.filter(|cron_job| is_controlled_by(*cron_job, schedule.uid().as_deref()));
    let Some(uid) = own.and_then(ResourceExt::uid) else { return Vec::new() };
    let mut runs = Run::all_of(&context.caches, namespace, &uid);
    let name = schedule.name_any();
    runs.retain(|run| run.job.labels().get(names::SCHEDULE_LABEL) == Some(&name));
    let deleted = context.deleted_jobs.of(&uid).into_iter();
    let deleted = deleted.filter(|job| runs.iter().all(|run| run.job.uid() != job.uid())).collect::<Vec<_>>();
    runs.extend(deleted.into_iter().map(|job| Run::of(&context.caches, namespace, job, true)));
    runs
}

#[cfg(test)]
mod tests;
