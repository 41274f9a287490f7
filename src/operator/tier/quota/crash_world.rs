//! A tenant's schedule in a cluster in which operators die and start anew.

use std::sync::{Arc, Mutex};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::Quotas;
use super::ledger::Ledger;
use super::world::World;
use crate::api::{TRIGGER_ANNOTATION, WebhookSchedule};
use crate::operator::cache::caches::Caches;
use crate::operator::cache::indexed::Indexed;
use crate::operator::schedule::context::ScheduleReconciler;
use crate::operator::schedule::reconcile::reconcile_at;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{self, Controllers, settings};

pub(super) const START: i64 = 1_800_000_000;
pub(super) const QUARTER: i64 = 900;

/// A cluster whose tier allows a delivery every 15 minutes, and four per hour.
pub(super) struct Cluster {
    world: Arc<Mutex<World>>,
    made: u32,
}

/// An operator, and what it remembers.
pub(super) struct Operator {
    pub(super) quotas: Arc<Quotas>,
    pub(super) ledger: Arc<Ledger>,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self { world: Arc::new(Mutex::new(World { now: START, ..World::default() })), made: 0 }
    }

    pub(super) fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().unwrap())
    }

    pub(super) fn schedule(&self) -> Option<WebhookSchedule> {
        self.world(|world| world.schedule.clone().map(|schedule| serde_json::from_value(schedule).unwrap()))
    }

    pub(super) fn client(&self) -> kube::Client {
        let world = Arc::clone(&self.world);
        fake_api::client(move |asked| world.lock().unwrap().answer(&asked))
    }

    /// Starts an operator.
    pub(super) async fn start(&self) -> Operator {
        self.world(|world| world.is_dead = false);
        let (quotas, now) = (Arc::new(Quotas::default()), self.world(|world| world.now));
        let ledger = Arc::new(Ledger::new(self.client(), "postern-system", Arc::clone(&quotas)));
        ledger.try_to_load(&[], now).await.unwrap();
        if let Some(schedule) = self.schedule() {
            quotas.note(&schedule, now);
        }
        quotas.listed(|_| false, now);
        Operator { quotas, ledger }
    }

    /// The tenant creates the schedule, a different one each time.
    pub(super) fn make(&mut self, expression: &str) {
        self.made += 1;
        let uid = format!("6d3f2b54-9a0e-4c55-8c62-{:012}", self.made);
        let mut schedule = json!(objects::schedule());
        schedule["metadata"]["uid"] = json!(uid);
        schedule["spec"]["schedule"] = json!(expression);
        self.world(|world| {
            schedule["metadata"]["creationTimestamp"] = json!(Timestamp::from_second(world.now).unwrap());
            world.schedule = Some(schedule);
        });
    }

    pub(super) fn trigger(&self, value: &str) {
        self.world(|world| {
            world.schedule.as_mut().unwrap()["metadata"]["annotations"] = json!({TRIGGER_ANNOTATION: value});
        });
    }

    /// The tenant deletes the schedule, and its children are deleted with it.
    pub(super) fn delete(&self) -> Option<WebhookSchedule> {
        let deleted = self.schedule();
        self.world(|world| {
            world.schedule = None;
            world.cron_job = None;
            world.jobs.clear();
        });
        deleted
    }

    pub(super) fn wait(&self, seconds: i64) {
        self.world(|world| world.now += seconds);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.world(|world| world.is_dead)
    }

    pub(super) fn delivered(&self) -> Vec<i64> {
        self.world(|world| world.delivered.iter().map(|time| time - START).collect())
    }

    pub(super) fn writes(&self) -> Vec<String> {
        self.world(|world| std::mem::take(&mut world.writes))
    }
}

impl Operator {
    /// Runs the operator until it has nothing to do, or is dead.
    pub(super) async fn work(&self, cluster: &Cluster) {
        for _ in 0..9 {
            let (Some(schedule), false) = (cluster.schedule(), cluster.is_dead()) else { return };
            let (now, before) = cluster.world(|world| (world.now, world.writes.len()));
            self.quotas.note(&schedule, now);
            let context = self.context(cluster, &schedule, now);
            let _ = Box::pin(reconcile_at(&schedule, &context, Timestamp::from_second(now).unwrap())).await;
            if cluster.world(|world| world.writes.len()) == before {
                return;
            }
            // Wait for the ledger's rate limit.
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
        }
        panic!("it finds no rest");
    }

    pub(super) fn context(&self, cluster: &Cluster, schedule: &WebhookSchedule, now: i64) -> ScheduleReconciler {
        let mut tier = objects::tier();
        tier.spec.default = true;
        tier.spec.min_interval = serde_json::from_value(json!("15m")).unwrap();
        tier.spec.max_deliveries_per_hour = 4;
        let read = |object: Value| serde_json::from_value(object).unwrap();
        let caches =
            Caches {
                tiers: Indexed::of(vec![tier]),
                cron_jobs: Indexed::of(cluster.world(|world| world.cron_job.clone().into_iter().map(read).collect())),
                jobs: Indexed::of(cluster.world(|world| {
                    world.jobs.iter().cloned().map(|job| serde_json::from_value(job).unwrap()).collect()
                })),
                ..objects::caches(schedule)
            };
        let (quotas, ledger) = (Arc::clone(&self.quotas), Arc::clone(&self.ledger));
        let now = Timestamp::from_second(now).unwrap();
        let Controllers { schedules, .. } = Controllers::new(cluster.client(), caches, &settings(), now);
        ScheduleReconciler { quotas, ledger, ..schedules }
    }

    /// The operator sees that the schedule was deleted.
    pub(super) async fn sees_deletion(&self, cluster: &Cluster, deleted: &WebhookSchedule) {
        let now = cluster.world(|world| world.now);
        self.quotas.remove(deleted, now);
        self.tidies(now).await;
    }

    /// The operator records what no start has recorded, or dies.
    pub(super) async fn tidies(&self, now: i64) {
        while let Ok(Some(wait)) = self.ledger.tidy_one("team-a", now).await {
            tokio::time::sleep(wait).await;
        }
    }
}
