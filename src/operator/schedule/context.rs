//! What every reconcile of schedules shares.

use std::sync::Arc;

use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt as _};

use crate::api::WebhookSchedule;
use crate::operator::admission::watch::AdmissionWatch;
use crate::operator::cache::caches::Caches;
use crate::operator::cache::deleted_jobs::DeletedJobs;
use crate::operator::cache::work_queues::WorkQueues;
use crate::operator::deliveries::history::DeliveryHistory;
use crate::operator::deliveries::spacing::TriggerDecision;
use crate::operator::isolation::verdicts::IsolationVerdicts;
use crate::operator::kubernetes::apply::Applier;
use crate::operator::kubernetes::consistency::ConsistencyStore;
use crate::operator::metrics::Metrics;
use crate::operator::preflight::obstacles::CheckObstacles;
use crate::operator::settings::Settings;
use crate::operator::signing_keys::backoff::RotationBackoff;
use crate::operator::signing_keys::revocations::FollowedRevocations;
use crate::operator::tier::membership::Membership;
use crate::operator::tier::quota::Quotas;
use crate::operator::tier::quota::ledger::Ledger;
use crate::operator::validate::keys;

/// The reconciler of schedules: clients, caches, and what the other controllers found.
pub(crate) struct ScheduleReconciler {
    pub(crate) client: Client,
    pub(crate) applier: Applier,
    pub(crate) settings: Settings,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    pub(crate) caches: Arc<Caches>,
    pub(crate) membership: Membership,
    pub(crate) deleted_jobs: Arc<DeletedJobs>,
    pub(crate) consistency: Arc<ConsistencyStore>,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) ledger: Arc<Ledger>,
    // What the other controllers found.
    pub(crate) verdicts: Arc<IsolationVerdicts>,
    pub(crate) protected: Arc<AdmissionWatch>,
    pub(crate) obstacles: Arc<CheckObstacles>,
    pub(crate) key_backoff: Arc<RotationBackoff>,
    /// For the controller of keys.
    pub(crate) revocations: Arc<FollowedRevocations>,
    pub(crate) queues: WorkQueues,
}

impl ScheduleReconciler {
    /// Updates the quota with the current limits of the schedule's tier.
    pub(super) fn recompute_quota(&self, schedule: &WebhookSchedule, now: i64) {
        if let Ok(tier) = self.membership.tier(&schedule.namespace().unwrap_or_default()) {
            self.quotas.recompute(schedule, (&tier.spec).into(), now);
        }
    }

    /// Notes that a schedule sends nothing with keys that are revoked, and that its status says so.
    pub(super) fn note_revocation(&self, schedule: &WebhookSchedule) {
        let revoked = keys::asked(schedule).filter(|value| keys::is_revocation(Some(value)));
        let name = ObjectRef::from_obj(schedule);
        if revoked.is_some_and(|value| self.revocations.note(&name, value)) {
            self.queues.signing_keys.add(&name);
        }
    }

    /// Notes when an accepted schedule delivered last, and whether it waits for room.
    pub(super) fn note_deliveries(&self, schedule: &WebhookSchedule, history: &DeliveryHistory, now: i64) {
        let waits_for_room = history.trigger_waits == Some(TriggerDecision::At(None));
        if self.quotas.delivered(schedule, history.last, waits_for_room, now) {
            self.queues.schedules.add(&ObjectRef::from_obj(schedule));
        }
    }
}
