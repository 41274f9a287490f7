//! The controller of preflight: it makes the Job of a check that is due, in its turn, and deletes those that nobody asks for.
//!
//! It writes no status. The controller of schedules reads the results of the Jobs from the same caches.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};

use super::jobs::{check_runs, is_check};
use super::obstacles::{CheckObstacles, Obstacle};
use super::state::{Check, CheckState, Phase, check_state};
use crate::api::{WebhookSchedule, WebhookScheduleStatus};
use crate::operator::build::check_job;
use crate::operator::cache::caches::Caches;
use crate::operator::cache::unlisted::UNLISTED;
use crate::operator::cache::work_queues::WorkQueues;
use crate::operator::kubernetes::apply::{Applier, ApplyError};
use crate::operator::kubernetes::consistency::{ConsistencyStore, LATE};
use crate::operator::kubernetes::controller::{Action, Reconcile, requeue_at};
use crate::operator::kubernetes::job::is_over;
use crate::operator::kubernetes::limiter::bucket::{Allowance, Buckets, Turn};
use crate::operator::kubernetes::limiter::fair::FairLimiter;
use crate::operator::kubernetes::owner::controller_of;
use crate::operator::settings::Settings;
use crate::operator::tier::membership::Membership;
use crate::operator::tier::quota::Quotas;
use crate::operator::validate::{ValidatedSchedule, validate};

/// What every reconcile of checks shares.
pub(crate) struct PreflightReconciler {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) caches: Arc<Caches>,
    pub(crate) membership: Membership,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) obstacles: Arc<CheckObstacles>,
    pub(crate) queues: WorkQueues,
    pub(crate) consistency: Arc<ConsistencyStore>,
    pub(crate) limiter: FairLimiter<WebhookSchedule>,
    pub(crate) buckets: Buckets,
}

/// Why a reconcile of checks has to be retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PreflightError {
    /// A Job can't be deleted.
    #[error(transparent)]
    Delete(#[from] ApplyError),
    /// A delivery can't be serialized to JSON.
    #[error("the delivery can't be written as JSON: {0}")]
    Build(#[from] serde_json::Error),
}

impl Reconcile for PreflightReconciler {
    type Kind = WebhookSchedule;
    type Error = PreflightError;
    const NAME: &'static str = "preflight";

    async fn reconcile(&self, schedule: Arc<WebhookSchedule>) -> Result<Action, PreflightError> {
        Box::pin(self.reconcile_at(&schedule, Timestamp::now())).await
    }

    fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.needs_none(schedule);
        self.consistency.clear(schedule.namespace.as_deref().unwrap_or_default(), &schedule.name);
    }
}

impl PreflightReconciler {
    /// Loads the checks that a previous operator began, before any other check is made.
    pub(crate) fn learn(&self) {
        for job in self.caches.jobs.all().filter(|job| is_check(job) && !is_over(job)) {
            let (Some(owner), Some(namespace)) = (controller_of(&*job), job.namespace()) else { continue };
            let schedule = self.caches.schedules.get(&namespace, &owner.name);
            if let Some(schedule) = schedule.filter(|schedule| schedule.uid().as_ref() == Some(&owner.uid)) {
                self.limiter.adopt(&ObjectRef::from_obj(&*schedule));
            }
        }
    }

    /// Reconciles a schedule's checks at a given time.
    pub(crate) async fn reconcile_at(
        &self,
        schedule: &WebhookSchedule,
        now: Timestamp,
    ) -> Result<Action, PreflightError> {
        let (name, namespace) = (ObjectRef::from_obj(schedule), schedule.namespace().unwrap_or_default());
        if self.caches.is_ending(&namespace) || schedule.metadata.deletion_timestamp.is_some() {
            self.needs_none(&name);
            return Ok(Action::await_change());
        }
        if self.caches.unlisted.has(&namespace) {
            self.needs_none(&name);
            return Ok(Action::requeue(UNLISTED));
        }
        let status = schedule.status.as_ref();
        if status.is_none_or(|status| status.observed_generation != schedule.metadata.generation) {
            // The controller of schedules hasn't validated this spec yet; its status update will trigger another reconcile.
            return Ok(Action::await_change());
        }
        if self.consistency.ensure_ready(schedule, Some(schedule)).is_err() {
            return Ok(Action::await_change());
        }
        let valid = self.ready_to_check(schedule, now);
        if valid.is_none() && status.is_some_and(WebhookScheduleStatus::is_accepted) {
            // It waits for a key or for its children. Checks that run go on.
            return Ok(Action::await_change());
        }
        let recent = status.map(|status| status.recent_deliveries.as_slice()).unwrap_or_default();
        let checked_first = valid.as_ref().is_some_and(|valid| valid.checked_first);
        let CheckState { stage, until, obsolete, .. } =
            check_state(schedule, &check_runs(&self.caches, schedule), recent, checked_first, now);
        let mut next = until;
        match (&stage, &valid) {
            (Phase::Due(due), Some(_)) if self.is_late(schedule, due) => return Ok(Action::requeue(LATE)),
            // Once the status reports it, another check is due, or none.
            (Phase::Due(due), Some(_)) if self.obstacles.is_not_made(&name, due) => return Ok(Action::await_change()),
            (Phase::Due(due), Some(valid)) => next = self.begin(schedule, valid, due, now).await?,
            (Phase::UnderWay, _) => {
                self.limiter.adopt(&name);
                self.obstacles.forget(&name);
            }
            (Phase::Due(_) | Phase::Nothing | Phase::Waits(_), _) => self.needs_none(&name),
        }
        let to = Applier::new(self.client.clone());
        for job in &obsolete {
            to.delete(&**job).await?;
        }
        Ok(requeue_at(next, now.as_second()))
    }

    /// The validated schedule, if it is accepted and its children exist: no pod may be made without its policy.
    fn ready_to_check(&self, schedule: &WebhookSchedule, now: Timestamp) -> Option<ValidatedSchedule> {
        let namespace = schedule.namespace()?;
        self.caches.own_cron_job(schedule)?;
        self.caches.senders_policy(&namespace)?;
        let tier = self.membership.tier(&namespace).ok()?;
        let share = self.quotas.usage_of(schedule, (&tier.spec).into(), now.as_second())?;
        let own = self.caches.own_addresses();
        let valid = validate(schedule, &tier, &share, &own, &self.settings, now.as_second()).ok()?;
        (!valid.waits_for_key).then_some(valid)
    }

    /// Makes the Job of a check, if the namespace may make one more and the schedule has a slot. Returns when to requeue.
    async fn begin(
        &self,
        schedule: &WebhookSchedule,
        valid: &ValidatedSchedule,
        due: &Check,
        now: Timestamp,
    ) -> Result<Option<i64>, PreflightError> {
        let name = &ObjectRef::from_obj(schedule);
        let allowance = Allowance::of_tier(valid.max_deliveries_per_hour);
        let is_repeat = due.repeated_within.is_some();
        let turn = self.buckets.reserve(&valid.namespace, &valid.name, is_repeat, allowance, now.as_millisecond());
        if let Turn::At(at) = turn {
            self.leaves_slot(name);
            let at = (at + 999).div_euclid(1_000);
            let at = due.repeated_within.map_or(at, |within| at.max(now.as_second() + within));
            self.note(name, due, Obstacle::Waits { at, is_repeat });
            return Ok(Some(at));
        }
        self.obstacles.forget(name);
        if !self.limiter.try_acquire(name) {
            // The schedule that releases its slot wakes this one.
            return Ok(None);
        }
        let job = check_job(valid, &due.job, due.value.as_deref(), &self.settings)?;
        self.buckets.take(&valid.namespace, &valid.name);
        match Applier::new(self.client.clone()).start(&job).await {
            Ok(()) => self.consistency.wrote_at(schedule, None, &job),
            Err(error) => {
                tracing::warn!(%error, schedule = %name, "the Job of a check could not be made");
                self.needs_none(name);
                self.note(name, due, Obstacle::JobNotMade);
            }
        }
        Ok(None)
    }

    /// Whether the Job of a check was made a moment ago and the cache doesn't show it yet.
    fn is_late(&self, schedule: &WebhookSchedule, due: &Check) -> bool {
        let job = self.caches.jobs.get(&schedule.namespace().unwrap_or_default(), &due.job);
        self.consistency.ensure_ready(schedule, job.as_deref()).is_err()
    }

    /// Has the status report what keeps a check from being made.
    fn note(&self, name: &ObjectRef<WebhookSchedule>, due: &Check, obstacle: Obstacle) {
        if self.obstacles.note(name, due, obstacle) {
            self.queues.schedules.add(name);
        }
    }

    /// Releases whatever a schedule that needs no check holds, and wakes the next schedule that waits for its slot.
    fn needs_none(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.obstacles.forget(schedule);
        self.buckets.release(schedule.namespace.as_deref().unwrap_or_default(), &schedule.name);
        self.leaves_slot(schedule);
    }

    /// Releases only the slot, of a schedule that still waits for its check.
    fn leaves_slot(&self, schedule: &ObjectRef<WebhookSchedule>) {
        if let Some(next) = self.limiter.release(schedule) {
            self.queues.preflight.add(&next);
        }
    }
}

#[cfg(test)]
mod tests;
