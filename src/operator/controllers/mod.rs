//! The seven controllers: what each one is given, and how they are started. `watches` defines what wakes them.

mod watches;

use std::sync::Arc;

use futures::future::FutureExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};

use crate::operator::cache::watches::Watches;
use crate::operator::cache::work_queues::WorkQueues;
use crate::operator::cleanup::controller::CleanupReconciler;
use crate::operator::early_jobs::controller::EarlyJobReconciler;
use crate::operator::early_jobs::support::makes_early_jobs;
use crate::operator::isolation::controller::IsolationReconciler;
use crate::operator::isolation::verdicts::IsolationVerdicts;
use crate::operator::kubernetes::apply::Applier;
use crate::operator::kubernetes::consistency::ConsistencyStore;
use crate::operator::kubernetes::controller::run_controller;
use crate::operator::kubernetes::leader_election::own_namespace;
use crate::operator::kubernetes::limiter::bucket::Buckets;
use crate::operator::kubernetes::limiter::fair::FairLimiter;
use crate::operator::metrics::Metrics;
use crate::operator::names::MANAGER;
use crate::operator::preflight::controller::PreflightReconciler;
use crate::operator::preflight::obstacles::CheckObstacles;
use crate::operator::schedule::context::ScheduleReconciler;
use crate::operator::server::readiness::Readiness;
use crate::operator::settings::Settings;
use crate::operator::signing_keys::backoff::RotationBackoff;
use crate::operator::signing_keys::controller::SigningKeyReconciler;
use crate::operator::signing_keys::revocations::FollowedRevocations;
use crate::operator::tier::controller::TierReconciler;
use crate::operator::tier::membership::Membership;
use crate::operator::tier::quota::Quotas;
use crate::operator::tier::quota::ledger::Ledger;
use watches::Watched;

/// Runs every controller until `stop` is done, and lets running reconciles finish.
pub async fn run(
    client: Client,
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let stop = stop.boxed().shared();
    let queues = WorkQueues::default();
    let learned = tokio::select! {
        learned = Box::pin(learn(&client, settings, &queues, &metrics, &readiness)) => learned,
        () = stop.clone() => return,
    };
    let Learned { settings, quotas, ledger, kept: Watched { caches, protected, deleted_jobs }, watches: _watches } =
        learned;

    let caches = Arc::new(caches);
    let membership = Membership { tiers: caches.tiers.clone(), namespaces: caches.namespaces.clone() };
    let recorder = Recorder::new(client.clone(), Reporter { controller: MANAGER.into(), instance: None });
    let consistency = Arc::<ConsistencyStore>::default();
    // The controller of schedules reads what the other controllers find.
    let (verdicts, obstacles) = (Arc::<IsolationVerdicts>::default(), Arc::<CheckObstacles>::default());
    let (key_backoff, revocations) = (Arc::<RotationBackoff>::default(), Arc::<FollowedRevocations>::default());

    let cleanup = Arc::new(CleanupReconciler { client: client.clone(), caches: Arc::clone(&caches) });
    let tiers = Arc::new(TierReconciler::new(
        client.clone(),
        settings.clone(),
        Arc::clone(&caches),
        membership.clone(),
        Arc::clone(&consistency),
    ));
    let isolation = Arc::new(IsolationReconciler::new(
        client.clone(),
        settings.clone(),
        Arc::clone(&caches),
        Arc::clone(&verdicts),
        queues.clone(),
        metrics.clone(),
    ));
    isolation.learn();
    let counted = Arc::clone(&verdicts);
    metrics.isolated_namespaces(move |status| counted.count(status));
    let preflight = Arc::new(PreflightReconciler {
        client: client.clone(),
        caches: Arc::clone(&caches),
        membership: membership.clone(),
        quotas: Arc::clone(&quotas),
        obstacles: Arc::clone(&obstacles),
        queues: queues.clone(),
        consistency: Arc::clone(&consistency),
        limiter: FairLimiter::new(settings.preflight.concurrency),
        buckets: Buckets::default(),
        settings: settings.clone(),
    });
    preflight.learn();
    let early_jobs =
        EarlyJobReconciler::new(client.clone(), Arc::clone(&caches), queues.clone(), metrics.clone(), &settings);
    early_jobs.learn(Timestamp::now().as_second());
    let signing_keys = Arc::new(SigningKeyReconciler {
        client: client.clone(),
        caches: Arc::clone(&caches),
        consistency: Arc::clone(&consistency),
        backoff: Arc::clone(&key_backoff),
        revocations: Arc::clone(&revocations),
        queues: queues.clone(),
        recorder: recorder.clone(),
        metrics: metrics.clone(),
    });
    let (at_a_time, found) = (settings.concurrency, Arc::clone(&caches));
    let schedules = Arc::new(ScheduleReconciler {
        applier: Applier::new(client.clone()),
        client,
        settings,
        recorder,
        metrics,
        caches,
        membership,
        deleted_jobs,
        consistency,
        quotas,
        ledger: Arc::clone(&ledger),
        verdicts,
        protected,
        obstacles,
        key_backoff,
        revocations,
        queues: queues.clone(),
    });

    let WorkQueues { schedules: to_do, signing_keys: keys_to_do, preflight: checks_to_do, .. } = queues.clone();
    let schedule = |name: &_| found.schedules.get_ref(name);
    let (namespace, tier) = (|name: &_| found.namespaces.get_ref(name), |name: &_| found.tiers.get_ref(name));
    let controllers = async {
        tokio::join!(
            run_controller(schedules, schedule, to_do, at_a_time, stop.clone()),
            run_controller(signing_keys, schedule, keys_to_do, at_a_time, stop.clone()),
            run_controller(preflight, schedule, checks_to_do, at_a_time, stop.clone()),
            run_controller(Arc::new(early_jobs), schedule, queues.early_jobs.clone(), at_a_time, stop.clone()),
            run_controller(isolation, namespace, queues.isolation.clone(), at_a_time, stop.clone()),
            run_controller(tiers, tier, queues.tiers.clone(), at_a_time, stop.clone()),
            run_controller(cleanup, namespace, queues.cleanup.clone(), at_a_time, stop),
        )
    };
    tokio::select! {
        _ = Box::pin(controllers) => {}
        never = Box::pin(ledger.tidy()) => match never {},
    }
}

/// What is known once everything was listed.
struct Learned {
    settings: Settings,
    quotas: Arc<Quotas>,
    ledger: Arc<Ledger>,
    kept: Watched,
    /// The caches are kept up to date as long as this exists.
    watches: Watches,
}

/// Loads what must be known at the start: what the cluster supports, then the records, then what the watches show.
async fn learn(
    client: &Client,
    settings: Settings,
    queues: &WorkQueues,
    metrics: &Metrics,
    readiness: &Readiness,
) -> Learned {
    let depth = queues.schedules.clone();
    metrics.queue_depth(move || depth.len());
    let makes_early_jobs = makes_early_jobs(client, &settings, metrics).await;
    let settings = Settings { makes_early_jobs, ..settings };
    let quotas = Arc::<Quotas>::default();
    let ledger = Arc::new(Ledger::new(client.clone(), &own_namespace(client), Arc::clone(&quotas)));
    ledger.load(&settings.watch_namespaces).await;
    let mut watches = Watches::new(client.clone(), settings.watch_namespaces.clone(), metrics.clone());
    let kept = watches::start(&mut watches, queues, &quotas, metrics);
    // Wait for the caches: an object that isn't known yet must not be taken for one that doesn't exist.
    kept.caches.ready().await;
    kept.protected.ready().await;
    quotas.listed(|namespace| kept.caches.unlisted.has(namespace), Timestamp::now().as_second());
    readiness.caches_filled();
    Learned { settings, quotas, ledger, kept, watches }
}
