//! The two controllers, of schedules and of what belongs to none, and what sets their reconciles off.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::{FutureExt as _, join};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::core::PartialObjectMeta;
use kube::runtime::controller::{self, Action, Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};

use super::dereference::Stores;
use super::names::{MANAGER, SCHEDULE_LABEL};
use super::reconcile::{Context, ReconcileError, reconcile};
use super::retry::{self, Failures};
use super::settings::Settings;
use super::sweep::{Broom, on_error as on_sweep_error, sweep};
use super::watches::Watches;
use crate::api::{WebhookSchedule, WebhookTier};

type NamespaceMetadata = PartialObjectMeta<Namespace>;

/// Reconciles every schedule until `stop` is done, and finishes what is under way.
pub async fn run(client: Client, settings: Settings, stop: impl Future<Output = ()> + Send + 'static) {
    let mut watches = Watches::new(client.clone(), settings.watch_namespaces.clone());
    let (schedules, [schedule_events, schedules_to_sweep]) = watches.tenants::<WebhookSchedule, 2>();
    let (cron_jobs, [cron_job_events, cron_jobs_to_sweep]) = watches.ours::<CronJob, 2>();
    let (jobs, [job_events, jobs_to_sweep]) = watches.ours::<Job, 2>();
    let (pods, [pod_events, pods_to_sweep]) = watches.ours::<Pod, 2>();
    let (service_accounts, [account_events, accounts_to_sweep]) = watches.ours::<ServiceAccount, 2>();
    let (network_policies, [policy_events, policies_to_sweep]) = watches.ours::<NetworkPolicy, 2>();
    let (tiers, [tier_events]) = watches.cluster::<WebhookTier, 1>();
    let (namespaces, [namespace_events, namespaces_to_sweep]) = watches.cluster::<NamespaceMetadata, 2>();

    let stop = stop.boxed().shared();
    let stores = Stores { tiers, namespaces, cron_jobs, service_accounts, network_policies, jobs, pods };
    let stores = Arc::new(stores);
    // What isn't known yet must not be taken for what isn't there.
    tokio::select! {
        ready = join(stores.ready(), schedules.wait_until_ready()) => if ready.0.is_err() || ready.1.is_err() { return },
        () = stop.clone() => return,
    }

    let broom = Broom {
        client: client.clone(),
        schedules: schedules.clone(),
        stores: stores.clone(),
        failures: Failures::default(),
    };
    let sweeping = Controller::for_stream(namespaces_to_sweep, stores.namespaces.clone())
        .graceful_shutdown_on(stop.clone())
        .watches_stream(schedules_to_sweep, |object| namespace_of(&object))
        .watches_stream(cron_jobs_to_sweep, |object| namespace_of(&object))
        .watches_stream(jobs_to_sweep, |object| namespace_of(&object))
        .watches_stream(pods_to_sweep, |object| namespace_of(&object))
        .watches_stream(accounts_to_sweep, |object| namespace_of(&object))
        .watches_stream(policies_to_sweep, |object| namespace_of(&object))
        .run(sweep, on_sweep_error, Arc::new(broom))
        .for_each(|_| std::future::ready(()));

    let (by_account, by_policy, by_namespace) = (schedules.clone(), schedules.clone(), schedules.clone());
    let by_tier = schedules.clone();
    let recorder = Recorder::new(client.clone(), Reporter { controller: MANAGER.into(), instance: None });
    let config = Config::default().concurrency(settings.concurrency);
    let reconciling = Controller::for_stream(schedule_events, schedules)
        .with_config(config)
        .graceful_shutdown_on(stop)
        .owns_stream(cron_job_events)
        .watches_stream(job_events, |job| schedule_of(&job))
        .watches_stream(pod_events, |pod| schedule_of(&pod))
        .watches_stream(account_events, move |account| in_namespace(&by_account, account.namespace().as_deref()))
        .watches_stream(policy_events, move |policy| in_namespace(&by_policy, policy.namespace().as_deref()))
        .watches_stream(namespace_events, move |namespace| in_namespace(&by_namespace, Some(&namespace.name_any())))
        .watches_stream(tier_events, move |_| in_namespace(&by_tier, None))
        .run(reconcile, on_error, Arc::new(Context { client, settings, stores, recorder }))
        .for_each(|result| async move {
            match result {
                Ok((schedule, _)) => tracing::debug!(%schedule, "reconciled"),
                // It was deleted before its turn came.
                Err(controller::Error::ObjectNotFound(_)) => {}
                Err(error) => tracing::warn!(%error, "reconcile failed"),
            }
        });
    join(reconciling, sweeping).await;
}

#[expect(clippy::needless_pass_by_value, reason = "the controller calls it so")]
fn on_error(schedule: Arc<WebhookSchedule>, _: &ReconcileError, _: Arc<Context>) -> Action {
    Action::requeue(retry::after(&schedule, Timestamp::now(), retry::random()))
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
