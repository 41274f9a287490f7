//! A tenant who triggers, deletes and recreates a schedule while the operator dies before or after any write. The namespace
//! never gets more than its tier allows.

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

const START: i64 = 1_800_000_000;
const QUARTER: i64 = 900;

/// A cluster whose tier allows a delivery every 15 minutes, and four per hour.
struct Cluster {
    world: Arc<Mutex<World>>,
    made: u32,
}

/// An operator, and what it remembers.
struct Operator {
    quotas: Arc<Quotas>,
    ledger: Arc<Ledger>,
}

impl Cluster {
    fn new() -> Self {
        Self { world: Arc::new(Mutex::new(World { now: START, ..World::default() })), made: 0 }
    }

    fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().unwrap())
    }

    fn schedule(&self) -> Option<WebhookSchedule> {
        self.world(|world| world.schedule.clone().map(|schedule| serde_json::from_value(schedule).unwrap()))
    }

    fn client(&self) -> kube::Client {
        let world = Arc::clone(&self.world);
        fake_api::client(move |asked| world.lock().unwrap().answer(&asked))
    }

    /// Starts an operator.
    async fn start(&self) -> Operator {
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
    fn make(&mut self, expression: &str) {
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

    fn trigger(&self, value: &str) {
        self.world(|world| {
            world.schedule.as_mut().unwrap()["metadata"]["annotations"] = json!({TRIGGER_ANNOTATION: value});
        });
    }

    /// The tenant deletes the schedule, and its children are deleted with it.
    fn delete(&self) -> Option<WebhookSchedule> {
        let deleted = self.schedule();
        self.world(|world| {
            world.schedule = None;
            world.cron_job = None;
            world.jobs.clear();
        });
        deleted
    }

    fn wait(&self, seconds: i64) {
        self.world(|world| world.now += seconds);
    }

    fn is_dead(&self) -> bool {
        self.world(|world| world.is_dead)
    }

    fn delivered(&self) -> Vec<i64> {
        self.world(|world| world.delivered.iter().map(|time| time - START).collect())
    }

    fn writes(&self) -> Vec<String> {
        self.world(|world| std::mem::take(&mut world.writes))
    }
}

impl Operator {
    /// Runs the operator until it has nothing to do, or is dead.
    async fn work(&self, cluster: &Cluster) {
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

    fn context(&self, cluster: &Cluster, schedule: &WebhookSchedule, now: i64) -> ScheduleReconciler {
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
    async fn sees_deletion(&self, cluster: &Cluster, deleted: &WebhookSchedule) {
        let now = cluster.world(|world| world.now);
        self.quotas.remove(deleted, now);
        while let Ok(Some(wait)) = self.ledger.tidy_one("team-a", now).await {
            tokio::time::sleep(wait).await;
        }
    }
}

/// A schedule that was just triggered is deleted, recreated and triggered again. By the end, the operator has died at this
/// write, if it made that many.
async fn attack(cut: Option<(usize, bool)>, seen: bool) -> (Cluster, bool) {
    let mut cluster = Cluster::new();
    let operator = cluster.start().await;
    cluster.world(|world| world.cut = cut);
    cluster.make("0 12 1 1 *");
    cluster.trigger("once");
    operator.work(&cluster).await;
    cluster.wait(60);
    let deleted = cluster.delete().unwrap();
    if seen {
        operator.sees_deletion(&cluster, &deleted).await;
    }
    let went_through = !cluster.is_dead();
    for round in 0..3 {
        cluster.world(|world| world.cut = None);
        cluster.wait(30);
        cluster.make("0 12 1 1 *");
        cluster.trigger(&format!("again-{round}"));
        let next = cluster.start().await;
        next.work(&cluster).await;
        cluster.wait(30);
        let deleted = cluster.delete().unwrap();
        next.sees_deletion(&cluster, &deleted).await;
    }
    (cluster, went_through)
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_made_anew_delivers_no_sooner_wherever_the_operator_died() {
    for seen in [true, false] {
        let mut cuts = 0;
        for at in 1..9 {
            let mut went_through = false;
            for done in [false, true] {
                let cluster;
                (cluster, went_through) = attack(Some((at, done)), seen).await;
                let delivered = cluster.delivered();
                assert!(delivered.len() <= 1, "cut at write {at}, done: {done}, seen: {seen}: {delivered:?}");
            }
            if went_through {
                break;
            }
            cuts += 1;
        }
        assert!(cuts >= 4, "{cuts} writes");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_delivered_once_the_smallest_gap_has_passed_and_the_record_goes_in_the_end() {
    let (mut cluster, _) = attack(None, true).await;
    assert_eq!(cluster.delivered(), [0]);
    // The last operator saw the last deletion; whatever it wasn't sure of counts as delivered then.
    cluster.wait(QUARTER);
    let operator = cluster.start().await;
    cluster.make("0 12 1 1 *");
    cluster.trigger("later");
    operator.work(&cluster).await;
    let delivered = cluster.delivered();
    assert_eq!(delivered.len(), 2, "{delivered:?}");
    let deleted = cluster.delete().unwrap();
    operator.sees_deletion(&cluster, &deleted).await;
    cluster.wait(3_599);
    assert_eq!(cluster.world(|world| world.records.len()), 1);
    let next = cluster.start().await;
    let now = cluster.world(|world| world.now);
    next.ledger.tidy_one("team-a", now).await.unwrap();
    assert_eq!(cluster.world(|world| world.records.len()), 1, "a second before its end");
    next.ledger.tidy_one("team-a", now + 1).await.unwrap();
    assert_eq!(cluster.world(|world| world.records.len()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_record_costs_one_write_for_a_new_schedule_and_for_a_trigger_and_none_at_rest() {
    let mut cluster = Cluster::new();
    let operator = cluster.start().await;
    cluster.make("*/15 * * * *");
    operator.work(&cluster).await;
    assert_eq!(cluster.writes(), ["POST configmaps", "POST cronjobs", "PUT webhookschedules"]);
    let of_records = |cluster: &Cluster| cluster.writes().iter().filter(|write| write.ends_with("configmaps")).count();
    for _ in 0..100 {
        cluster.wait(QUARTER);
        operator.work(&cluster).await;
    }
    assert_eq!(of_records(&cluster), 0, "regular deliveries");
    cluster.wait(400);
    cluster.trigger("now");
    operator.work(&cluster).await;
    assert_eq!(of_records(&cluster), 1);
    let next = cluster.start().await;
    next.work(&cluster).await;
    assert_eq!(of_records(&cluster), 0, "a restart");
}

#[tokio::test(start_paused = true)]
async fn without_a_record_nothing_starts_and_the_schedule_says_so() {
    let mut cluster = Cluster::new();
    let operator = cluster.start().await;
    cluster.world(|world| world.refuses = Some(("configmaps", 403)));
    cluster.make("*/15 * * * *");
    cluster.trigger("now");
    operator.work(&cluster).await;
    assert!(cluster.world(|world| world.cron_job.is_none() && world.delivered.is_empty()));
    let conditions = cluster.schedule().unwrap().status.unwrap().conditions;
    let scheduled = conditions.iter().find(|condition| condition.type_ == "Scheduled").unwrap();
    assert_eq!((&*scheduled.status, &*scheduled.reason), ("False", "UsageNotRecorded"));
    cluster.world(|world| world.refuses = None);
    operator.work(&cluster).await;
    assert_eq!(cluster.delivered(), [0], "what was not recorded was not counted either");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_refused_is_no_delivery_and_is_made_as_soon_as_it_can_be() {
    let mut cluster = Cluster::new();
    let operator = cluster.start().await;
    cluster.make("0 12 1 1 *");
    operator.work(&cluster).await;
    cluster.trigger("now");
    cluster.world(|world| world.refuses = Some(("jobs", 403)));
    let schedule = cluster.schedule().unwrap();
    let context = operator.context(&cluster, &schedule, START);
    assert!(reconcile_at(&schedule, &context, Timestamp::from_second(START).unwrap()).await.is_err());
    cluster.world(|world| world.refuses = None);
    cluster.wait(5);
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    operator.work(&cluster).await;
    assert_eq!(cluster.delivered(), [5]);
}
