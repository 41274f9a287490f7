//! The watches that set reconciles off, and the caches that they fill.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::dereference::Stores;
use super::names::{MANAGED_BY_LABEL, MANAGER, SCHEDULE_LABEL};
use super::reconcile::{Context, ReconcileError, reconcile};
use super::settings::Settings;
use crate::api::{WebhookSchedule, WebhookTier};

/// How long to wait before a reconcile that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

type Watched<K> = watcher::Result<K>;

/// Reconciles every schedule until `stop` is done, and finishes what is under way.
pub async fn run(client: Client, settings: Settings, stop: impl Future<Output = ()> + Send + Sync + 'static) {
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));
    let (cron_jobs, cron_job_events) = cached(&client, ours.clone());
    let (service_accounts, service_account_events) = cached(&client, ours.clone());
    let (network_policies, network_policy_events) = cached(&client, ours.clone());
    let (jobs, job_events) = cached::<Job>(&client, ours.clone());
    let (pods, pod_events) = cached::<Pod>(&client, ours);
    let (tiers, tier_events) = cached(&client, watcher::Config::default());
    let (namespaces, namespace_events) = cached::<PartialObjectMeta<Namespace>>(&client, watcher::Config::default());

    let schedules = Api::<WebhookSchedule>::all(client.clone());
    let controller = Controller::new(schedules, watcher::Config::default());
    let known = controller.store();
    let of_namespace = {
        let known = known.clone();
        move |namespace: Option<String>| in_namespace(&known, namespace.as_deref())
    };
    let (by_account, by_policy, by_namespace) = (of_namespace.clone(), of_namespace.clone(), of_namespace.clone());

    let context = Arc::new(Context {
        client,
        stores: Stores { tiers, namespaces, cron_jobs, service_accounts, network_policies, jobs, pods },
        settings,
    });
    let config = kube::runtime::controller::Config::default().concurrency(context.settings.concurrency);
    controller
        .with_config(config)
        .graceful_shutdown_on(stop)
        .owns_stream(cron_job_events)
        .watches_stream(job_events, |job| labelled(&job))
        .watches_stream(pod_events, |pod| labelled(&pod))
        .watches_stream(service_account_events, move |account: ServiceAccount| by_account(account.namespace()))
        .watches_stream(network_policy_events, move |policy: NetworkPolicy| by_policy(policy.namespace()))
        .watches_stream(namespace_events, move |namespace: PartialObjectMeta<Namespace>| {
            by_namespace(Some(namespace.name_any()))
        })
        .watches_stream(tier_events, move |_: WebhookTier| of_namespace(None))
        .run(reconcile, on_error, context)
        .for_each(|result| async move {
            match result {
                Ok((schedule, _)) => tracing::debug!(%schedule, "reconciled"),
                Err(error) => tracing::warn!(%error, "reconcile failed"),
            }
        })
        .await;
}

fn on_error(_: Arc<WebhookSchedule>, _: &ReconcileError, _: Arc<Context>) -> Action {
    Action::requeue(RETRY)
}

/// A watch that fills a cache as it is read. Deletions are read too.
fn cached<K>(client: &Client, config: watcher::Config) -> (Store<K>, impl Stream<Item = Watched<K>> + Send + 'static)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Hash + Eq,
{
    let (store, writer) = reflector::store();
    let events = watcher(Api::<K>::all(client.clone()), config).default_backoff();
    (store, reflector::reflector(writer, events).touched_objects())
}

/// The schedule that a child's label names. It is only asked to look: what belongs to it, it tells by UIDs.
fn labelled(child: &impl ResourceExt) -> Option<ObjectRef<WebhookSchedule>> {
    let name = child.labels().get(SCHEDULE_LABEL)?;
    Some(ObjectRef::new(name).within(&child.namespace()?))
}

/// The schedules of a namespace, or all.
fn in_namespace(known: &Store<WebhookSchedule>, namespace: Option<&str>) -> Vec<ObjectRef<WebhookSchedule>> {
    let schedules = known.state_filter(|schedule| namespace.is_none() || schedule.namespace().as_deref() == namespace);
    schedules.iter().map(|schedule| ObjectRef::from_obj(&**schedule)).collect()
}
