//! Removes what belongs to no schedule any more: a namespace's children after its last schedule, and what was orphaned.
//!
//! What a schedule owns goes with it by Kubernetes' garbage collection, whether the operator is there or not.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::api::WebhookSchedule;
use crate::operator::cache::unlisted::UNLISTED;
use crate::operator::kubernetes::apply::{Applier, ApplyError, is_ours};
use crate::operator::kubernetes::backoff::Failures;
use crate::operator::names::{CANARY_LABEL, SCHEDULE_LABEL, SENDER_CHILDREN};
use crate::operator::schedule::observe::{Stores, controller_of};

/// What every sweep shares.
pub(crate) struct Broom {
    pub(crate) client: Client,
    pub(crate) schedules: Store<WebhookSchedule>,
    pub(crate) stores: Arc<Stores>,
    pub(crate) failures: Failures,
}

/// Deletes what belongs to no schedule in one namespace.
pub(crate) async fn sweep(
    namespace: Arc<PartialObjectMeta<Namespace>>,
    broom: Arc<Broom>,
) -> Result<Action, ApplyError> {
    let name = namespace.name_any();
    let Broom { client, schedules, stores, failures } = &*broom;
    if stores.unlisted.has(&name) {
        return Ok(Action::requeue(UNLISTED));
    }
    if namespace.metadata.deletion_timestamp.is_none() {
        let applier = Applier { client: client.clone() };
        delete_all(&applier, of(&stores.cron_jobs, &name, is_orphan)).await?;
        delete_all(&applier, of(&stores.jobs, &name, is_orphan)).await?;
        let is_in_use = has_any(schedules, &name)
            || has_any(&stores.cron_jobs, &name)
            || !of(&stores.jobs, &name, is_of_a_schedule).is_empty()
            || !of(&stores.pods, &name, is_of_a_schedule).is_empty();
        if !is_in_use {
            // Without the account no pod can be made, so none is made without the policy. Its canaries go with it.
            delete_all(&applier, of(&stores.service_accounts, &name, |_| true)).await?;
            let senders = |policy: &NetworkPolicy| policy.name_any() == SENDER_CHILDREN && is_ours(policy);
            delete_all(&applier, of(&stores.network_policies, &name, senders)).await?;
        }
    }
    stores.running.sweep(&name, |schedule| schedules.get(schedule).is_some());
    failures.forget(&name);
    Ok(Action::await_change())
}

/// Tries again what failed.
#[expect(clippy::needless_pass_by_value, reason = "the controller calls it so")]
pub(crate) fn on_error(namespace: Arc<PartialObjectMeta<Namespace>>, error: &ApplyError, broom: Arc<Broom>) -> Action {
    tracing::warn!(%error, "what belongs to no schedule could not be removed; it is tried again");
    Action::requeue(broom.failures.wait(&namespace.name_any()))
}

/// What was made for a schedule and has lost its owner.
pub(crate) fn is_orphan(object: &impl ResourceExt) -> bool {
    object.labels().contains_key(SCHEDULE_LABEL)
        && object.meta().deletion_timestamp.is_none()
        && controller_of(object).is_none()
}

/// What may deliver, or have delivered: a canary carries nothing.
fn is_of_a_schedule(object: &impl ResourceExt) -> bool {
    !object.labels().contains_key(CANARY_LABEL)
}

fn has_any<K: Resource<DynamicType = ()> + Clone>(store: &Store<K>, namespace: &str) -> bool {
    store.find(|object| object.meta().namespace.as_deref() == Some(namespace)).is_some()
}

fn of<K: Resource<DynamicType = ()> + Clone>(
    store: &Store<K>,
    namespace: &str,
    and: impl Fn(&K) -> bool,
) -> Vec<Arc<K>> {
    store.state_filter(|object| object.meta().namespace.as_deref() == Some(namespace) && and(object))
}

async fn delete_all<K>(applier: &Applier, objects: Vec<Arc<K>>) -> Result<(), ApplyError>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    for object in objects {
        applier.delete(&*object).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
