//! What the controllers have to reconcile. Queues hold only names, each once, and namespaces take turns.

use kube::runtime::reflector::ObjectRef;

use super::caches::NamespaceMetadata;
use crate::api::{WebhookSchedule, WebhookTier};
use crate::operator::kubernetes::fair::WorkQueue;

/// The queues of the seven controllers. Clones share the same queues.
#[derive(Clone, Default)]
pub(crate) struct WorkQueues {
    pub(crate) schedules: WorkQueue<WebhookSchedule>,
    pub(crate) signing_keys: WorkQueue<WebhookSchedule>,
    pub(crate) preflight: WorkQueue<WebhookSchedule>,
    pub(crate) early_jobs: WorkQueue<WebhookSchedule>,
    /// Namespaces in which something that affects the isolation proof changed.
    pub(crate) isolation: WorkQueue<NamespaceMetadata>,
    pub(crate) tiers: WorkQueue<WebhookTier>,
    /// Namespaces in which something may belong to no schedule any more.
    pub(crate) cleanup: WorkQueue<NamespaceMetadata>,
}

impl WorkQueues {
    /// Queues a schedule for each controller that works on schedules.
    pub(crate) fn add_schedule(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.schedules.add(schedule);
        self.signing_keys.add(schedule);
        self.preflight.add(schedule);
        self.early_jobs.add(schedule);
    }
}
