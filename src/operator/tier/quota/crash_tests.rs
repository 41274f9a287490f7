//! A tenant who triggers, deletes and recreates a schedule while the operator dies before or after any write. The namespace
//! never gets more than its tier allows.

use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::crash_world::{Cluster, QUARTER, START};
use crate::operator::schedule::reconcile::reconcile_at;

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
async fn what_an_edit_gives_up_is_recorded_once_the_cron_job_keeps_to_it() {
    let mut cluster = Cluster::new();
    let operator = cluster.start().await;
    cluster.make("*/15 * * * *");
    operator.work(&cluster).await;
    let edited = async |expression: &str| {
        cluster.world(|world| world.schedule.as_mut().unwrap()["spec"]["schedule"] = json!(expression));
        operator.work(&cluster).await;
        operator.tidies(START).await;
        cluster.world(|world| world.recorded().map(|part| part.takes))
    };
    assert_eq!(edited("*/30 * * * *").await, Some(2));
    assert_eq!(edited("* * * * *").await, None, "it is refused, and its CronJob suspended");
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
