//! The four controllers: of schedules, of what belongs to none, of the status of tiers, and of the proof of isolation.

use std::sync::Arc;
use std::time::Instant;

use futures::future::{FutureExt as _, join, join4, select};
use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::controller::{self, Action, Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource as _, ResourceExt as _};

use crate::api::WebhookSchedule;
use crate::operator::cache::caches::{Queues, caches};
use crate::operator::cache::watches::Watches;
use crate::operator::cleanup::controller::{Broom, on_error as on_sweep_error, sweep};
use crate::operator::deliveries::outcome::is_over;
use crate::operator::isolation::controller::{self as isolation, Prover};
use crate::operator::kubernetes::backoff::Failures;
use crate::operator::kubernetes::consistency::Written;
use crate::operator::kubernetes::leader_election::own_namespace;
use crate::operator::metrics::Metrics;
use crate::operator::names::MANAGER;
use crate::operator::preflight::bucket::Buckets;
use crate::operator::preflight::slots::Slots;
use crate::operator::preflight::state::is_check;
use crate::operator::schedule::observe::{Stores, controller_of};
use crate::operator::schedule::reconcile::{Context, ReconcileError, reconcile};
use crate::operator::server::readiness::Readiness;
use crate::operator::settings::Settings;
use crate::operator::signing_keys::keeper::Unmade;
use crate::operator::tier::controller::{self as tier, Census};
use crate::operator::tier::quota::Quotas;
use crate::operator::tier::quota::ledger::Ledger;

/// Reconciles every schedule until `stop` is done, and finishes what is under way.
pub async fn run(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let stop = stop.boxed().shared();
    let (queues, todo) = Queues::new(metrics.clone());
    let mut watches = Watches::new(client.clone(), settings.watch_namespaces.clone(), metrics.clone());
    let known = known(&client, &settings, &mut watches, &queues);
    let (schedules, stores, ledger) = tokio::select! {
        known = Box::pin(known) => if let Some(known) = known { known } else { return },
        () = stop.clone() => return,
    };
    readiness.caches_filled();

    let broom = Broom {
        client: client.clone(),
        schedules: schedules.clone(),
        stores: stores.clone(),
        failures: Failures::default(),
    };
    let sweeping = Controller::for_stream(stream::pending(), stores.membership.namespaces.clone())
        .graceful_shutdown_on(stop.clone())
        .reconcile_on(todo.namespaces)
        .run(sweep, on_sweep_error, Arc::new(broom))
        .for_each(|_| std::future::ready(()));

    let census = Arc::new(Census {
        client: client.clone(),
        settings: settings.clone(),
        schedules: schedules.clone(),
        stores: stores.clone(),
        failures: Failures::default(),
        written: tier::Written::default(),
    });
    let counting = Controller::for_stream(stream::pending(), stores.membership.tiers.clone())
        .graceful_shutdown_on(stop.clone())
        .reconcile_on(todo.tiers)
        .run(tier::look, tier::on_error, census.clone())
        .for_each(move |result| {
            if let Err(controller::Error::ObjectNotFound(tier)) = result {
                census.forget(&tier.name);
            }
            std::future::ready(())
        });

    let (to_prove, counted) = (schedules.clone(), metrics.clone());
    let prover = Prover::new(client.clone(), settings.clone(), to_prove, stores.clone(), queues.clone(), counted);
    let prover = Arc::new(prover);
    prover.learn();
    metrics.isolation(&stores.isolation);
    let proving = Controller::for_stream(stream::pending(), stores.membership.namespaces.clone())
        .graceful_shutdown_on(stop.clone())
        .reconcile_on(todo.canaries)
        .run(isolation::prove, isolation::on_error, prover.clone())
        .for_each(move |result| {
            if let Err(controller::Error::ObjectNotFound(namespace)) = result {
                prover.forget(&namespace.name);
            }
            std::future::ready(())
        });

    let slots = Slots::new(settings.preflight.concurrency);
    for schedule in checks_under_way(&stores, &schedules) {
        slots.hold(&schedule);
    }
    let recorder = Recorder::new(client.clone(), Reporter { controller: MANAGER.into(), instance: None });
    let at_a_time = settings.concurrency;
    let config = Config::default().concurrency(at_a_time);
    let context = Arc::new(Context {
        client,
        settings,
        stores,
        recorder,
        metrics: metrics.clone(),
        failures: Failures::default(),
        written: Written::default(),
        slots,
        buckets: Buckets::default(),
        queues,
        unmade: Unmade::default(),
        ledger: Arc::clone(&ledger),
    });
    let known_to = Arc::clone(&context);
    let reconciling = Controller::for_stream(stream::pending(), schedules)
        .with_config(config)
        .graceful_shutdown_on(stop)
        .reconcile_on(todo.schedules.hand_out(at_a_time.into()))
        .run(measured, on_error, context)
        .for_each(move |result| {
            match result {
                Ok((schedule, _)) => tracing::debug!(%schedule, "reconciled"),
                // It was deleted before its turn came.
                Err(controller::Error::ObjectNotFound(schedule)) => {
                    let namespace = schedule.namespace.unwrap_or_default();
                    let schedule = ObjectRef::new(&schedule.name).within(&namespace);
                    known_to.queues.gone(&schedule);
                    known_to.needs_no_check(&schedule);
                    metrics.key_signs(&schedule, None);
                    known_to.written.forget(&schedule);
                    known_to.unmade.forget(&schedule);
                    known_to.failures.forget(&name_of(&schedule));
                }
                Err(error) => tracing::warn!(%error, "reconcile failed"),
            }
            std::future::ready(())
        });
    select(Box::pin(join4(reconciling, sweeping, counting, proving)), Box::pin(ledger.tidy())).await;
}

/// What there is to know at the start: first what was recorded, then what the watches show. `None` when one has ended.
async fn known(
    client: &Client,
    settings: &Settings,
    watches: &mut Watches,
    queues: &Queues,
) -> Option<(Store<WebhookSchedule>, Arc<Stores>, Arc<Ledger>)> {
    let quotas = Arc::new(Quotas::default());
    let ledger = Arc::new(Ledger::new(client.clone(), &own_namespace(client), Arc::clone(&quotas)));
    ledger.load(&settings.watch_namespaces).await;
    let (schedules, stores) = caches(watches, queues, quotas);
    // What isn't known yet must not be taken for what isn't there.
    let (ready, listed) = join(stores.ready(), schedules.wait_until_ready()).await;
    ready.and(listed).ok()?;
    stores.quotas.listed(|namespace| stores.unlisted.has(namespace), Timestamp::now().as_second());
    Some((schedules, Arc::new(stores), ledger))
}

/// The schedules whose checks an operator before this one began.
fn checks_under_way(stores: &Stores, schedules: &Store<WebhookSchedule>) -> Vec<ObjectRef<WebhookSchedule>> {
    let jobs = stores.jobs.state_filter(|job| is_check(job) && !is_over(job));
    let of = |job: &Arc<Job>| {
        let owner = controller_of(&**job).filter(|owner| owner.kind == WebhookSchedule::kind(&()))?;
        let schedule = ObjectRef::new(&owner.name).within(&job.namespace()?);
        schedules.get(&schedule).filter(|known| known.uid().as_ref() == Some(&owner.uid)).map(|_| schedule)
    };
    jobs.iter().filter_map(of).collect()
}

async fn measured(schedule: Arc<WebhookSchedule>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    let (began, known) = (Instant::now(), ObjectRef::from_obj(&*schedule));
    // One that woke by itself, after a time, waits for its turn like all others.
    let Some(_turn) = context.queues.begin(&known) else { return Ok(Action::await_change()) };
    let result = Box::pin(reconcile(schedule, Arc::clone(&context))).await;
    if result.is_ok() {
        context.failures.forget(&name_of(&known));
    }
    context.metrics.reconciled(result.as_ref().err().map(ReconcileError::kind), began.elapsed());
    result
}

#[expect(clippy::needless_pass_by_value, reason = "the controller calls it so")]
fn on_error(schedule: Arc<WebhookSchedule>, _: &ReconcileError, context: Arc<Context>) -> Action {
    Action::requeue(context.failures.wait(&name_of(&ObjectRef::from_obj(&*schedule))))
}

/// What failures are counted by.
fn name_of(schedule: &ObjectRef<WebhookSchedule>) -> String {
    format!("{}/{}", schedule.namespace.as_deref().unwrap_or_default(), schedule.name)
}
