//! The watches that set reconciles off, and the caches that they fill.

use std::fmt::Debug;
use std::sync::Arc;

use futures::channel::mpsc;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::dereference::Stores;
use super::metrics::Metrics;
use super::names::{MANAGED_BY_LABEL, MANAGER, SCHEDULE_LABEL};
use super::readiness::Readiness;
use super::reconcile::{Context, ReconcileError, reconcile};
use super::retry;
use super::settings::Settings;
use crate::api::{WebhookSchedule, WebhookTier};

/// Reconciles every schedule until `stop` is done, and finishes what is under way.
pub async fn run(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let mut watches = JoinSet::new();
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));
    let (cron_jobs, cron_job_events) = cached(&client, ours.clone(), &metrics, &mut watches);
    let (service_accounts, service_account_events) = cached(&client, ours.clone(), &metrics, &mut watches);
    let (network_policies, network_policy_events) = cached(&client, ours.clone(), &metrics, &mut watches);
    let (jobs, job_events) = cached::<Job>(&client, ours.clone(), &metrics, &mut watches);
    let (pods, pod_events) = cached::<Pod>(&client, ours, &metrics, &mut watches);
    let (tiers, tier_events) = cached(&client, watcher::Config::default(), &metrics, &mut watches);
    let (namespaces, namespace_events) =
        cached::<PartialObjectMeta<Namespace>>(&client, watcher::Config::default(), &metrics, &mut watches);

    let schedules = Api::<WebhookSchedule>::all(client.clone());
    let controller = Controller::new(schedules, watcher::Config::default());
    let known = controller.store();
    let of_namespace = {
        let known = known.clone();
        move |namespace: Option<String>| in_namespace(&known, namespace.as_deref())
    };
    let (by_account, by_policy, by_namespace) = (of_namespace.clone(), of_namespace.clone(), of_namespace.clone());

    let stores = Stores { tiers, namespaces, cron_jobs, service_accounts, network_policies, jobs, pods };
    // What isn't known yet must not be taken for what isn't there.
    let mut stop = Box::pin(stop);
    tokio::select! {
        ready = stores.ready() => if ready.is_err() { return },
        () = &mut stop => return,
    }
    readiness.caches_filled();
    let context = Arc::new(Context { client, settings, stores });
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

#[expect(clippy::needless_pass_by_value, reason = "the controller calls it so")]
fn on_error(schedule: Arc<WebhookSchedule>, _: &ReconcileError, _: Arc<Context>) -> Action {
    Action::requeue(retry::after(&schedule, Timestamp::now(), retry::random()))
}

/// Keeps a cache by a watch, in a task of its own: caches fill before the first reconcile, and whatever the reconciles
/// are waiting for. What the watch sees, deletions too, comes out of the stream.
fn cached<K>(
    client: &Client,
    config: watcher::Config,
    metrics: &Metrics,
    watches: &mut JoinSet<()>,
) -> (Store<K>, impl Stream<Item = watcher::Result<K>> + Send + 'static)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let watch = watcher(Api::<K>::all(client.clone()), config).default_backoff();
    let mut seen = Box::pin(reflector::reflector(writer, watch).touched_objects());
    // Without a bound, since nobody reads before every cache is full; what waits here are clones of what is cached.
    let (sender, receiver) = mpsc::unbounded();
    let metrics = metrics.clone();
    watches.spawn(async move {
        while let Some(event) = seen.next().await {
            if event.is_err() {
                metrics.watch_restarted(K::kind(&()));
            }
            if sender.unbounded_send(event).is_err() {
                return;
            }
        }
    });
    (store, receiver)
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
