//! The controller of schedules. It writes the CronJob, what a namespace's senders need, and all of the status but for the keys.

use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;

use super::error::ReconcileError;
use super::reconcile::reconcile_at;
use crate::api::WebhookSchedule;
use crate::operator::admission::seen::Protected;
use crate::operator::cache::caches::Caches;
use crate::operator::cache::deleted_jobs::DeletedJobs;
use crate::operator::isolation::known::Known;
use crate::operator::kubernetes::consistency::Written;
use crate::operator::kubernetes::controller::Reconcile;
use crate::operator::metrics::Metrics;
use crate::operator::preflight::turns::CheckObstacles;
use crate::operator::settings::Settings;
use crate::operator::signing_keys::backoff::RotationBackoff;
use crate::operator::tier::membership::Membership;
use crate::operator::tier::quota::Quotas;
use crate::operator::tier::quota::ledger::Ledger;

/// What every reconcile shares.
pub(crate) struct ScheduleReconciler {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    pub(crate) caches: Arc<Caches>,
    pub(crate) membership: Membership,
    pub(crate) deleted_jobs: Arc<DeletedJobs>,
    pub(crate) written: Arc<Written>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) ledger: Arc<Ledger>,
    // What the other controllers found.
    pub(crate) verdicts: Arc<Known>,
    pub(crate) protected: Arc<Protected>,
    pub(crate) obstacles: Arc<CheckObstacles>,
    pub(crate) key_backoff: Arc<RotationBackoff>,
}

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
        self.written.forget(schedule);
    }
}
