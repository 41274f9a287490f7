//! Records in the state in which other operators and admins left them.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::operator::test_support::{fake_api, objects};
use crate::operator::tier::quota::Limits;
use crate::operator::tier::quota::world::World;

const NOW: i64 = 1_800_000_000;
const RUNS: Start = Start { runs: true, triggered: false };
const TRIGGERED: Start = Start { runs: true, triggered: true };
const RECORD: &str = "postern-usage-team-a";

struct Cluster(Arc<Mutex<World>>);

impl Cluster {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(World { now: NOW, ..World::default() })))
    }

    fn ledger(&self) -> Ledger {
        let world = Arc::clone(&self.0);
        let client = fake_api::client(move |asked| world.lock().unwrap().answer(&asked));
        Ledger::new(client, "postern-system", Arc::default())
    }

    /// A ledger that has been loaded, of an operator that sees this schedule appear.
    async fn leader(&self, schedule: &WebhookSchedule) -> Ledger {
        let ledger = self.ledger();
        ledger.try_to_load(&[], NOW).await.unwrap();
        ledger.quotas.listed(|_| false, NOW);
        ledger.quotas.note(schedule, NOW);
        begins_at(&ledger, schedule);
        ledger
    }

    fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }
}

/// When the schedule's first delivery is allowed.
fn begins_at(ledger: &Ledger, schedule: &WebhookSchedule) -> Option<i64> {
    let limits = Limits { min_interval: 900, max_schedules: 9, max_per_hour: 40 };
    ledger.quotas.recomputed(schedule, limits, NOW).unwrap().not_before
}

async fn is_recorded(ledger: &Ledger, schedule: &WebhookSchedule) -> bool {
    matches!(ledger.record(schedule, RUNS, NOW).await, Ok(Recorded::Done(_)))
}

#[tokio::test(start_paused = true)]
async fn the_write_of_an_operator_that_was_deposed_is_refused() {
    let (cluster, schedule) = (Cluster::new(), objects::schedule());
    let old = cluster.leader(&schedule).await;
    assert!(is_recorded(&old, &schedule).await);
    let new = cluster.ledger();
    new.try_to_load(&[], NOW).await.unwrap();
    new.quotas.note(&schedule, NOW);
    new.quotas.listed(|_| false, NOW);
    assert_eq!(begins_at(&new, &schedule), None);
    assert!(is_recorded(&new, &schedule).await);
    assert_eq!(cluster.world(|world| world.writes.len()), 1, "it stands there");
    tokio::time::advance(PACE).await;
    assert!(new.record(&schedule, TRIGGERED, NOW).await.is_ok());
    let written = cluster.world(|world| world.records[RECORD].clone());
    tokio::time::advance(PACE).await;
    assert!(old.record(&schedule, TRIGGERED, NOW + 1).await.is_err());
    assert_eq!(cluster.world(|world| world.records[RECORD].clone()), written);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_an_admin_changed_or_deleted_is_written_anew() {
    let (cluster, schedule) = (Cluster::new(), objects::schedule());
    let ledger = cluster.leader(&schedule).await;
    assert!(is_recorded(&ledger, &schedule).await);
    let written = cluster.world(|world| world.records[RECORD]["data"].clone());
    for change in [Some(json!("another")), None] {
        cluster.world(|world| match change {
            Some(version) => world.records.get_mut(RECORD).unwrap()["metadata"]["resourceVersion"] = version,
            None => drop(world.records.remove(RECORD)),
        });
        tokio::time::advance(PACE).await;
        assert!(ledger.record(&schedule, TRIGGERED, NOW).await.is_err(), "somebody else has written");
        tokio::time::advance(PACE).await;
        assert!(is_recorded(&ledger, &schedule).await);
        assert_eq!(cluster.world(|world| world.records[RECORD]["data"].clone()), written);
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_written_for_once_a_second_however_much_is_asked() {
    let (cluster, schedule) = (Cluster::new(), objects::schedule());
    let ledger = cluster.leader(&schedule).await;
    assert!(is_recorded(&ledger, &schedule).await);
    for _ in 0..40 {
        assert!(matches!(ledger.record(&schedule, TRIGGERED, NOW).await, Ok(Recorded::Wait(wait)) if wait <= PACE));
    }
    assert_eq!(cluster.world(|world| world.writes.len()), 1);
    tokio::time::advance(PACE).await;
    assert!(matches!(ledger.record(&schedule, TRIGGERED, NOW).await, Ok(Recorded::Done(_))));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_counts_as_all_that_the_tier_allows_until_now() {
    for data in [json!({}), json!({"usage": "{"}), json!({"usage": "{\"version\":99}"}), json!({"usage": "[]"})] {
        let (cluster, schedule) = (Cluster::new(), objects::schedule());
        cluster.world(|world| {
            let record = json!({"metadata": {"name": RECORD, "resourceVersion": "7", "uid": "u"}, "data": data});
            world.records.insert(RECORD.into(), record);
        });
        let ledger = cluster.leader(&schedule).await;
        assert_eq!(begins_at(&ledger, &schedule), Some(NOW + 3_600), "{data}");
        ledger.tidy_one("team-a", NOW).await.unwrap();
        let text = cluster.world(|world| world.records[RECORD]["data"]["usage"].as_str().unwrap().to_owned());
        assert!(text.starts_with("{\"version\":2,"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_records_of_namespaces_that_are_worked_in_are_taken() {
    let (cluster, schedule) = (Cluster::new(), objects::schedule());
    assert!(is_recorded(&cluster.leader(&schedule).await, &schedule).await);
    cluster.world(|world| {
        let other = json!({"metadata": {"name": "another", "resourceVersion": "7"}, "data": {}});
        world.records.insert("another".into(), other);
    });
    for (worked_in, taken) in [(vec![], 1), (vec!["team-a".to_owned()], 1), (vec!["team-b".to_owned()], 0)] {
        let ledger = cluster.ledger();
        ledger.try_to_load(&worked_in, NOW).await.unwrap();
        assert_eq!(ledger.books.lock().len(), taken, "{worked_in:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_is_recorded_by_itself_and_a_record_goes_with_its_last_use() {
    let (cluster, schedule) = (Cluster::new(), objects::schedule());
    let ledger = cluster.leader(&schedule).await;
    assert!(is_recorded(&ledger, &schedule).await);
    ledger.quotas.remove(&schedule, NOW);
    let is_gone = async {
        while !ledger.books.lock().is_empty() {
            sleep(PACE).await;
        }
    };
    tokio::select! {
        never = ledger.tidy() => match never {},
        in_time = timeout(Duration::from_mins(1), is_gone) => in_time.unwrap(),
    }
    let writes = cluster.world(|world| world.writes.clone());
    assert_eq!(writes, ["POST configmaps", "DELETE configmaps"], "it delivered nothing, so nothing is remembered");
}

#[tokio::test(start_paused = true)]
async fn an_edit_a_suspension_and_other_limits_are_recorded_by_themselves() {
    let (cluster, mut schedule) = (Cluster::new(), objects::schedule());
    let ledger = cluster.leader(&schedule).await;
    assert!(is_recorded(&ledger, &schedule).await);
    let tidied = async || {
        tokio::select! {
            never = ledger.tidy() => match never {},
            () = sleep(3 * PACE) => cluster.world(|world| world.records.get(RECORD).cloned()),
        }
    };
    let first = tidied().await.unwrap();
    ledger.quotas.recompute(&schedule, Limits { min_interval: 1_800, max_schedules: 9, max_per_hour: 40 }, NOW);
    let with_other_limits = tidied().await.unwrap();
    assert_ne!(with_other_limits["data"], first["data"]);
    schedule.spec.schedule = "* * * * *".into();
    ledger.quotas.note(&schedule, NOW);
    let edited = tidied().await.unwrap();
    assert_ne!(edited["binaryData"], first["binaryData"]);
    ledger.quotas.applied(&schedule, false);
    assert_eq!(tidied().await, None, "it is refused and suspended, and has delivered nothing");
}

#[tokio::test(start_paused = true)]
async fn what_is_recorded_by_itself_keeps_to_the_pace_too() {
    let (cluster, schedule) = (Cluster::new(), objects::schedule());
    let ledger = cluster.leader(&schedule).await;
    assert!(is_recorded(&ledger, &schedule).await);
    ledger.quotas.recompute(&schedule, Limits { min_interval: 1_800, max_schedules: 9, max_per_hour: 40 }, NOW);
    let wait = ledger.tidy_one("team-a", NOW).await.unwrap().unwrap();
    assert!(wait <= PACE && cluster.world(|world| world.writes.len()) == 1);
    tokio::time::advance(wait).await;
    assert_eq!(ledger.tidy_one("team-a", NOW).await.unwrap(), None);
    assert_eq!(cluster.world(|world| world.writes.len()), 2);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_deleted_does_not_delay_another_namespace() {
    let (cluster, schedule) = (Cluster::new(), objects::schedule());
    let ledger = cluster.leader(&schedule).await;
    assert!(is_recorded(&ledger, &schedule).await);
    cluster.world(|world| world.refuses = Some((RECORD, 403)));
    ledger.quotas.remove(&schedule, NOW);
    let mut other = schedule.clone();
    other.metadata.namespace = Some("team-b".into());
    ledger.quotas.note(&other, NOW);
    begins_at(&ledger, &other);
    assert!(is_recorded(&ledger, &other).await);
    let writes = || cluster.world(|world| world.writes.clone());
    tokio::select! {
        never = ledger.tidy() => match never {},
        () = async {
            // By then, the refused record is retried every few minutes.
            sleep(Duration::from_mins(20)).await;
            assert_eq!(writes().len(), 2, "{:?}", writes());
            let tries = cluster.world(|world| world.refused);
            assert!((8..=16).contains(&tries), "{tries}");
            ledger.quotas.remove(&other, NOW);
            sleep(2 * PACE).await;
        } => {}
    }
    assert_eq!(writes().last().unwrap(), "DELETE configmaps", "the other record goes at once");
}
