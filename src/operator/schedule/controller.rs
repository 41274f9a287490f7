//! The controller of schedules. It writes the CronJob, what a namespace's senders need, and the whole status except for the
//! keys.

use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use super::context::ScheduleReconciler;
use super::error::ReconcileError;
use super::reconcile::reconcile_at;
use crate::api::WebhookSchedule;
use crate::operator::kubernetes::controller::{Action, Reconcile};
use crate::operator::names;

impl Reconcile for ScheduleReconciler {
    type Kind = WebhookSchedule;
    type Error = ReconcileError;
    const NAME: &'static str = "schedule";

    async fn reconcile(&self, schedule: Arc<WebhookSchedule>) -> Result<Action, ReconcileError> {
        let began = Instant::now();
        let result = Box::pin(reconcile_at(&schedule, self, Timestamp::now())).await;
        self.metrics.reconciled(result.as_ref().err().map(ReconcileError::kind), began.elapsed());
        result
    }

    fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        let namespace = schedule.namespace.as_deref().unwrap_or_default();
        self.consistency.clear(namespace, &schedule.name);
        self.applier.defaults.forget::<CronJob>(namespace, &names::cron_job(&schedule.name));
    }
}
