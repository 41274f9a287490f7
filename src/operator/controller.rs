//! The two controllers, of schedules and of what belongs to none, and what sets their reconciles off.

use std::sync::Arc;
use std::time::Instant;

use futures::future::{FutureExt as _, join};
use futures::stream::{self, BoxStream, StreamExt as _, select_all};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Action, Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource, ResourceExt};

use super::dereference::Stores;
use super::metrics::Metrics;
use super::names::{MANAGER, SCHEDULE_LABEL};
use super::readiness::Readiness;
use super::reconcile::{Context, ReconcileError, reconcile};
use super::retry::{self, Failures};
use super::running::Running;
use super::settings::Settings;
use super::sweep::{Broom, on_error as on_sweep_error, sweep};
use super::watches::{Touched, Watches};
use super::written::Written;
use crate::api::{WebhookSchedule, WebhookTier};

type NamespaceMetadata = PartialObjectMeta<Namespace>;

/// Reconciles every schedule until `stop` is done, and finishes what is under way.
pub async fn run(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let mut watches = Watches::new(client.clone(), settings.watch_namespaces.clone(), metrics.clone());
    let (schedules, [touched_schedules, schedules_to_sweep]) = watches.tenants::<WebhookSchedule, 2>();
    let (cron_jobs, [touched_cron_jobs, cron_jobs_to_sweep]) = watches.ours::<CronJob, 2>(|_| {});
    let (jobs, [touched_jobs, jobs_to_sweep]) = watches.ours::<Job, 2>(|job| job.spec = None);
    let (pods, [touched_pods, pods_to_sweep]) = watches.ours::<Pod, 2>(|pod| {
        // Its delivery is among them.
        pod.metadata.annotations = None;
        pod.spec = None;
    });
    let (service_accounts, [touched_accounts, accounts_to_sweep]) = watches.ours::<ServiceAccount, 2>(|_| {});
    let (network_policies, [touched_policies, policies_to_sweep]) = watches.ours::<NetworkPolicy, 2>(|_| {});
    let (tiers, [touched_tiers]) = watches.cluster::<WebhookTier, 1>();
    let (namespaces, [touched_namespaces, namespaces_to_sweep]) = watches.cluster::<NamespaceMetadata, 2>();

    let stop = stop.boxed().shared();
    let running = Running::default();
    let stores = Stores { tiers, namespaces, cron_jobs, service_accounts, network_policies, jobs, pods, running };
    let stores = Arc::new(stores);
    // What isn't known yet must not be taken for what isn't there.
    tokio::select! {
        ready = join(stores.ready(), schedules.wait_until_ready()) => if ready.0.is_err() || ready.1.is_err() { return },
        () = stop.clone() => return,
    }
    readiness.caches_filled();

    let broom = Broom {
        client: client.clone(),
        schedules: schedules.clone(),
        stores: stores.clone(),
        failures: Failures::default(),
    };
    let to_sweep = select_all([
        refs(schedules_to_sweep, |object| namespace_of(&object)),
        refs(cron_jobs_to_sweep, |object| namespace_of(&object)),
        refs(jobs_to_sweep, |object| namespace_of(&object)),
        refs(pods_to_sweep, |object| namespace_of(&object)),
        refs(accounts_to_sweep, |object| namespace_of(&object)),
        refs(policies_to_sweep, |object| namespace_of(&object)),
    ]);
    let sweeping = Controller::for_stream(namespaces_to_sweep.map(Ok), stores.namespaces.clone())
        .graceful_shutdown_on(stop.clone())
        .reconcile_on(to_sweep)
        .run(sweep, on_sweep_error, Arc::new(broom))
        .for_each(|_| std::future::ready(()));

    let known = schedules.clone();
    let within = move |namespace: Option<String>| in_namespace(&known, namespace.as_deref());
    let (by_account, by_policy, by_namespace) = (within.clone(), within.clone(), within.clone());
    let (wanted, also_wanted, gone) = (metrics.clone(), metrics.clone(), metrics.clone());
    let to_reconcile = select_all([
        refs(touched_cron_jobs, |cron_job| owner_of(&cron_job)),
        refs(touched_jobs, |job| schedule_of(&job)),
        refs(touched_pods, |pod| schedule_of(&pod)),
        refs(touched_accounts, move |account| by_account(account.namespace())),
        refs(touched_policies, move |policy| by_policy(policy.namespace())),
        refs(touched_namespaces, move |namespace| by_namespace(Some(namespace.name_any()))),
        refs(touched_tiers, move |_| within(None)),
    ]);
    let config = Config::default().concurrency(settings.concurrency);
    let recorder = Recorder::new(client.clone(), Reporter { controller: MANAGER.into(), instance: None });
    let written = Written::default();
    let context = Arc::new(Context { client, settings, stores, recorder, metrics, written });
    let known_to = context.clone();
    let schedule_events = touched_schedules.inspect(move |schedule| wanted.wanted(&ObjectRef::from_obj(schedule)));
    let reconciling = Controller::for_stream(schedule_events.map(Ok), schedules)
        .with_config(config)
        .graceful_shutdown_on(stop)
        .reconcile_on(to_reconcile.inspect(move |schedule| also_wanted.wanted(schedule)))
        .run(measured, on_error, context)
        .for_each(move |result| {
            match result {
                Ok((schedule, _)) => tracing::debug!(%schedule, "reconciled"),
                // It was deleted before its turn came.
                Err(controller::Error::ObjectNotFound(schedule)) => {
                    let namespace = schedule.namespace.unwrap_or_default();
                    let schedule = ObjectRef::new(&schedule.name).within(&namespace);
                    gone.begun(&schedule);
                    known_to.written.forget(&schedule);
                }
                Err(error) => tracing::warn!(%error, "reconcile failed"),
            }
            std::future::ready(())
        });
    join(reconciling, sweeping).await;
}

async fn measured(schedule: Arc<WebhookSchedule>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let (began, metrics) = (Instant::now(), context.metrics.clone());
    metrics.begun(&ObjectRef::from_obj(&*schedule));
    let result = Box::pin(reconcile(schedule, context)).await;
    metrics.reconciled(result.as_ref().err().map(ReconcileError::kind), began.elapsed());
    result
}

#[expect(clippy::needless_pass_by_value, reason = "the controller calls it so")]
fn on_error(schedule: Arc<WebhookSchedule>, _: &ReconcileError, _: Arc<Context>) -> Action {
    Action::requeue(retry::after(&schedule, Timestamp::now(), retry::random()))
}

/// What is to be looked at, for each object that was touched.
fn refs<K, O, I>(touched: Touched<K>, to: impl Fn(K) -> I + Send + 'static) -> BoxStream<'static, ObjectRef<O>>
where
    K: Send + 'static,
    O: Resource<DynamicType = ()> + 'static,
    I: IntoIterator<Item = ObjectRef<O>, IntoIter: Send> + 'static,
{
    touched.flat_map(move |object| stream::iter(to(object))).boxed()
}

/// The schedule that owns a CronJob, if only by what the CronJob says.
fn owner_of(cron_job: &impl ResourceExt) -> Option<ObjectRef<WebhookSchedule>> {
    let mut owners = cron_job.owner_references().iter();
    let owner = owners.find(|owner| owner.controller == Some(true) && owner.kind == WebhookSchedule::kind(&()));
    Some(ObjectRef::new(&owner?.name).within(&cron_job.namespace()?))
}

/// The schedule that a child's label names. It is only asked to look: what belongs to it, it tells by UIDs.
fn schedule_of(child: &impl ResourceExt) -> Option<ObjectRef<WebhookSchedule>> {
    let name = child.labels().get(SCHEDULE_LABEL)?;
    Some(ObjectRef::new(name).within(&child.namespace()?))
}

fn namespace_of(object: &impl ResourceExt) -> Option<ObjectRef<NamespaceMetadata>> {
    object.namespace().map(|namespace| ObjectRef::new(&namespace))
}

/// The schedules of a namespace, or all.
fn in_namespace(schedules: &Store<WebhookSchedule>, namespace: Option<&str>) -> Vec<ObjectRef<WebhookSchedule>> {
    let these = schedules.state_filter(|schedule| namespace.is_none() || schedule.namespace().as_deref() == namespace);
    these.iter().map(|schedule| ObjectRef::from_obj(&**schedule)).collect()
}
