//! Removes what belongs to no schedule any more: a namespace's children after its last schedule, and orphans.
//!
//! Kubernetes' garbage collection deletes what a schedule owns together with it, whether the operator runs or not.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::operator::cache::caches::{Caches, NamespaceMetadata};
use crate::operator::cache::unlisted::UNLISTED;
use crate::operator::kubernetes::apply::{Applier, ApplyError, is_ours};
use crate::operator::kubernetes::consistency::LATE;
use crate::operator::kubernetes::controller::{Action, Reconcile};
use crate::operator::kubernetes::owner::controller_of;
use crate::operator::names::{CANARY_LABEL, SCHEDULE_LABEL, SENDER_CHILDREN};

/// What every reconcile of a namespace shares.
pub(crate) struct CleanupReconciler {
    pub(crate) client: Client,
    pub(crate) caches: Arc<Caches>,
}

impl Reconcile for CleanupReconciler {
    type Kind = NamespaceMetadata;
    type Error = ApplyError;
    const NAME: &'static str = "cleanup";

    /// Deletes what belongs to no schedule in one namespace.
    async fn reconcile(&self, namespace: Arc<NamespaceMetadata>) -> Result<Action, ApplyError> {
        let (name, caches) = (namespace.name_any(), &self.caches);
        if caches.unlisted.has(&name) {
            return Ok(Action::requeue(UNLISTED));
        }
        if namespace.metadata.deletion_timestamp.is_some() {
            return Ok(Action::await_change());
        }
        let applier = Applier::new(self.client.clone());
        let orphans = caches.cron_jobs.controlled_by(&name, "").into_iter().filter(|cron_job| is_orphan(&**cron_job));
        // First the Jobs that orphans made early: they would be in the way of CronJobs that are made anew.
        let now = Timestamp::now().as_second();
        let early = |cron_job: &Arc<CronJob>| caches.early_job(&name, &cron_job.name_any(), now);
        let (waiting, orphans): (Vec<_>, Vec<_>) = orphans.partition(|cron_job| early(cron_job).is_some());
        delete_all(&applier, waiting.iter().filter_map(early), |_| true).await?;
        delete_all(&applier, orphans, |_| true).await?;
        delete_all(&applier, caches.jobs.controlled_by(&name, ""), is_orphan).await?;
        let is_in_use = !caches.schedules.refs_in_namespace(&name).is_empty()
            || !caches.cron_jobs.refs_in_namespace(&name).is_empty()
            || caches.jobs.in_namespace(&name).any(|job| is_of_a_schedule(&*job))
            || caches.pods.in_namespace(&name).any(|pod| is_of_a_schedule(&*pod));
        if !is_in_use {
            // Without the account no pod can be made, so delete it before the policy. Its canaries are deleted with the policy.
            delete_all(&applier, caches.service_accounts.in_namespace(&name), |_| true).await?;
            let senders = |policy: &NetworkPolicy| policy.name_any() == SENDER_CHILDREN && is_ours(policy);
            delete_all(&applier, caches.network_policies.in_namespace(&name), senders).await?;
        }
        Ok(if waiting.is_empty() { Action::await_change() } else { Action::requeue(LATE) })
    }

    fn forget(&self, _: &ObjectRef<NamespaceMetadata>) {}
}

/// Whether an object was made for a schedule and has lost its owner.
pub(crate) fn is_orphan(object: &impl ResourceExt) -> bool {
    object.labels().contains_key(SCHEDULE_LABEL)
        && object.meta().deletion_timestamp.is_none()
        && controller_of(object).is_none()
}

/// Whether an object may deliver, or has delivered. A canary delivers nothing.
fn is_of_a_schedule(object: &impl ResourceExt) -> bool {
    !object.labels().contains_key(CANARY_LABEL)
}

async fn delete_all<K>(
    applier: &Applier,
    objects: impl IntoIterator<Item = Arc<K>>,
    which: impl Fn(&K) -> bool,
) -> Result<(), ApplyError>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let objects: Vec<_> = objects.into_iter().filter(|object| which(object)).collect();
    for object in &objects {
        applier.delete(&**object).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
