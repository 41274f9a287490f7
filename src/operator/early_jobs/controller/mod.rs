//! The controller of early Jobs: it makes, keeps and withdraws the Job of a schedule's coming minute, as `plan` says.
//!
//! It reads caches only, and writes no status. What it remembers can be lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use parking_lot::Mutex;

use super::pauses::Pauses;
use super::plan::{Plan, Step, has_lead, plan};
use super::wake::wake;
use crate::api::WebhookSchedule;
use crate::operator::build::early_job;
use crate::operator::cache::caches::Caches;
use crate::operator::cache::unlisted::UNLISTED;
use crate::operator::cache::work_queues::WorkQueues;
use crate::operator::deliveries::run::Run;
use crate::operator::kubernetes::apply::{Applier, ApplyError};
use crate::operator::kubernetes::controller::{Action, Reconcile};
use crate::operator::kubernetes::job::{due_at, is_early};
use crate::operator::kubernetes::limiter::fair::FairLimiter;
use crate::operator::metrics::Metrics;
use crate::operator::names::SCHEDULE_LABEL;
use crate::operator::settings::Settings;

/// What every reconcile of early Jobs shares.
pub(crate) struct EarlyJobReconciler {
    client: Client,
    caches: Arc<Caches>,
    queues: WorkQueues,
    metrics: Metrics,
    /// The schedules whose Jobs wait for their minute.
    limiter: FairLimiter<WebhookSchedule>,
    pauses: Pauses,
    /// The last time of each schedule for which a Job was made early, or could not be made: there is no second one.
    tried: Mutex<HashMap<ObjectRef<WebhookSchedule>, i64>>,
}

impl Reconcile for EarlyJobReconciler {
    type Kind = WebhookSchedule;
    type Error = ApplyError;
    const NAME: &'static str = "early-jobs";

    async fn reconcile(&self, schedule: Arc<WebhookSchedule>) -> Result<Action, ApplyError> {
        Box::pin(self.reconcile_at(&schedule, Timestamp::now())).await
    }

    fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.tried.lock().remove(schedule);
        self.release(schedule);
    }
}

impl EarlyJobReconciler {
    pub(crate) fn new(
        client: Client,
        caches: Arc<Caches>,
        queues: WorkQueues,
        metrics: Metrics,
        settings: &Settings,
    ) -> Self {
        let limiter = FairLimiter::new(settings.delivery.max_early);
        Self { client, caches, queues, metrics, limiter, pauses: Pauses::default(), tried: Mutex::default() }
    }

    /// Loads the Jobs that a previous operator made early, before any other is made.
    pub(crate) fn learn(&self, now: i64) {
        for job in self.caches.jobs.all().filter(|job| is_early(job) && due_at(job).is_some_and(|due| due > now)) {
            let (Some(schedule), Some(namespace)) = (job.labels().get(SCHEDULE_LABEL), job.namespace()) else {
                continue;
            };
            if let Some(schedule) = self.caches.schedules.get(&namespace, schedule) {
                self.limiter.adopt(&ObjectRef::from_obj(&*schedule));
            }
        }
    }

    /// Does what is to be done for a schedule at a given time.
    pub(crate) async fn reconcile_at(&self, schedule: &WebhookSchedule, now: Timestamp) -> Result<Action, ApplyError> {
        let (name, namespace) = (ObjectRef::from_obj(schedule), schedule.namespace().unwrap_or_default());
        if self.caches.unlisted.has(&namespace) {
            self.release(&name);
            return Ok(Action::requeue(UNLISTED));
        }
        let Some(cron_job) = self.led_cron_job(schedule, &namespace, now) else {
            self.release(&name);
            return Ok(Action::await_change());
        };
        let runs = Run::all_of(&self.caches, &namespace, &cron_job.uid().unwrap_or_default());
        let Plan { step, next } = plan(&cron_job, &runs, now);
        let to = Applier::new(self.client.clone());
        match step {
            Step::Make(time) => self.make(&name, &cron_job, time, now.as_second()).await,
            Step::Keep => self.limiter.adopt(&name),
            Step::Nothing => self.release(&name),
            Step::Withdraw(job) => {
                to.delete(&*job).await?;
                self.metrics.early_job("Withdrawn");
                self.release(&name);
            }
            Step::NotAdopted(time) => {
                self.release(&name);
                self.pause(&namespace, &cron_job, time, now.as_second());
            }
            Step::Wake(time) => {
                wake(&self.client, &cron_job, time).await?;
                self.release(&name);
            }
        }
        let wait = next.map(|next| u64::try_from(next - now.as_millisecond()).unwrap_or_default());
        Ok(wait.map_or_else(Action::await_change, |wait| Action::requeue(Duration::from_millis(wait))))
    }

    /// The CronJob of a schedule, if it has a lead, or had one when a Job was made early.
    fn led_cron_job(&self, schedule: &WebhookSchedule, namespace: &str, now: Timestamp) -> Option<Arc<CronJob>> {
        let cron_job = self.caches.own_cron_job(schedule).filter(|_| !self.caches.is_ending(namespace))?;
        let is_led =
            has_lead(&cron_job) || self.caches.early_job(namespace, &cron_job.name_any(), now.as_second()).is_some();
        is_led.then_some(cron_job)
    }

    /// Makes the Job of a time, if its namespace isn't paused and it is the schedule's turn. The CronJob controller makes it at the
    /// minute where it could not be made.
    async fn make(&self, name: &ObjectRef<WebhookSchedule>, cron_job: &CronJob, time: i64, now: i64) {
        if self.tried.lock().get(name) == Some(&time) {
            // The cache may not show it yet.
            return;
        }
        if self.pauses.is_paused(name.namespace.as_deref().unwrap_or_default(), now) {
            return self.release(name);
        }
        if !self.limiter.try_acquire(name) {
            // The schedule that releases its slot wakes this one.
            return;
        }
        self.tried.lock().insert(name.clone(), time);
        let Some(job) = early_job(cron_job, &name.name, time) else { return self.release(name) };
        match Applier::new(self.client.clone()).start(&job).await {
            Ok(()) => self.metrics.early_job("Made"),
            Err(error) => {
                tracing::info!(%error, schedule = %name, "a Job could not be made early; the CronJob controller makes it at its minute");
                self.metrics.early_job("NotMade");
                self.release(name);
            }
        }
    }

    /// Makes no Job early in a namespace for a while.
    fn pause(&self, namespace: &str, cron_job: &CronJob, time: i64, now: i64) {
        if self.pauses.pause(namespace, now) {
            self.metrics.early_job("NotAdopted");
            tracing::warn!(
                namespace,
                cron_job = cron_job.name_any(),
                time,
                "the CronJob controller did not adopt a Job that was made early, so none is made early in this namespace for an \
                 hour: check that the controller manager is 1.37 or later, and that a ResourceQuota leaves room for a Job"
            );
        }
    }

    /// Releases what a schedule has or waits for, and wakes the next one.
    fn release(&self, schedule: &ObjectRef<WebhookSchedule>) {
        if let Some(next) = self.limiter.release(schedule) {
            self.queues.early_jobs.add(&next);
        }
    }
}

#[cfg(test)]
mod tests;
