//! An operator that dies before or after any write in a key's life, and the next operator, which continues.

use k8s_openapi::jiff::SignedDuration;
use kube::ResourceExt;
use serde_json::json;

use super::SETTLED;
use super::scenario::Scenario;
use crate::api::KeyState;
use crate::operator::test_support::objects;

/// Runs `begin` with an operator that dies at each write in turn; then the next operator continues.
async fn survives<F: Future<Output = Scenario>>(begin: impl Fn() -> F) {
    let mut cuts = 0;
    for at in 1..20 {
        let mut went_through = false;
        for done in [false, true] {
            let mut scenario = begin().await;
            scenario.world(|world| {
                world.writes = 0;
                world.cut = Some((at, done));
            });
            scenario.run().await;
            went_through = !scenario.world(|world| std::mem::take(&mut world.is_dead));
            scenario.world(|world| world.cut = None);
            scenario.wait(1);
            scenario.run().await;
            // A Secret that may exist without being known is deleted a minute later.
            scenario.wait(SETTLED);
            scenario.run().await;
            let keys = scenario.world(|world| world.keys());
            assert!(scenario.world(|world| world.is_whole()), "cut at write {at}, done: {done}: {keys:?}");
        }
        if went_through {
            break;
        }
        cuts += 1;
    }
    assert!(cuts >= 2, "{cuts} writes");
}

#[tokio::test]
async fn a_first_key_is_made_however_often_the_operator_dies() {
    survives(async || Scenario::new()).await;
}

#[tokio::test]
async fn a_rotation_is_finished_and_the_key_that_a_receiver_relies_on_signs_all_the_while() {
    survives(async || {
        let scenario = Scenario::with_a_key().await;
        scenario.world(|world| world.relied_on = Some(world.keys()[0].0.clone()));
        scenario.ask("now");
        scenario
    })
    .await;
}

#[tokio::test]
async fn a_revocation_is_finished_and_the_old_key_goes() {
    survives(async || {
        let scenario = Scenario::with_a_key().await;
        scenario.ask("revoke");
        scenario
    })
    .await;
    let mut scenario = Scenario::with_a_key().await;
    let old = scenario.key();
    scenario.ask("revoke");
    scenario.run().await;
    assert!(!scenario.world(|world| world.mounted().contains(&old)));
    scenario.wait(SETTLED);
    scenario.run().await;
    assert!(!scenario.world(|world| world.secrets.contains_key(&old)));
}

#[tokio::test]
async fn the_end_of_an_overlap_is_finished() {
    let at_the_end = async || {
        let mut scenario = Scenario::with_a_key().await;
        scenario.ask("now");
        scenario.run().await;
        scenario.wait(3_600);
        scenario
    };
    survives(async || {
        let scenario = at_the_end().await;
        scenario.run().await;
        Scenario { now: scenario.now + SignedDuration::from_secs(SETTLED), ..scenario }
    })
    .await;
    survives(at_the_end).await;
}

#[tokio::test]
async fn keys_that_the_spec_wants_no_more_go() {
    survives(async || {
        let scenario = Scenario::with_a_key().await;
        let spec = objects::schedule().spec;
        scenario.world(|world| world.schedule["spec"]["signing"] = json!(spec.signing));
        scenario
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_a_delivery_under_way_has_mounted_stays_until_that_has_ended() {
    let mut scenario = Scenario::with_a_key().await;
    let old = scenario.key();
    let source = json!({"secret": {"name": old}});
    let job = |owner: &str| {
        json!({
            "metadata": {"name": "x", "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "CronJob", "name": "x", "uid": owner, "controller": true},
            ]},
            "spec": {"template": {"spec": {"containers": [], "volumes": [{"name": "x", "projected": {"sources": [source]}}]}}},
        })
    };
    // The other CronJob's Job has the label of the schedule's own, but belongs to somebody else.
    scenario.world(|world| world.jobs.extend(["the-cron-job", "another"].map(job)));
    scenario.ask("revoke");
    scenario.run().await;
    scenario.wait(SETTLED);
    scenario.run().await;
    assert!(scenario.world(|world| world.secrets.contains_key(&old)));
    scenario.world(|world| world.jobs[0]["status"] = objects::over());
    scenario.run().await;
    assert!(scenario.world(|world| !world.secrets.contains_key(&old) && world.is_whole()));
}

#[tokio::test]
async fn a_new_key_costs_its_secret_and_two_writes_of_the_status_and_rest_costs_none() {
    let scenario = Scenario::new();
    scenario.run().await;
    // The acceptance, the CronJob, and the status that reports it; then the three writes of the key.
    assert_eq!(scenario.world(|world| std::mem::take(&mut world.writes)), 3 + 3);
    scenario.run().await;
    assert_eq!(scenario.world(|world| world.writes), 0);
}

#[tokio::test]
async fn a_secret_is_immutable_of_its_own_type_and_the_schedule_s() {
    let scenario = Scenario::with_a_key().await;
    let (name, secret) = scenario.world(|world| world.secrets.pop_first().unwrap());
    let schedule = scenario.world(|world| world.schedule());
    assert!(name.starts_with("postern-nightly-report-k") && name.len() == "postern-nightly-report-k".len() + 9);
    assert_eq!((&secret["type"], &secret["immutable"]), (&json!("postern.dev/signing-key"), &json!(true)));
    assert_eq!(
        secret["metadata"]["labels"],
        json!({"app.kubernetes.io/managed-by": "postern", "postern.dev/schedule": "nightly-report"})
    );
    let owner = json!({
        "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "name": "nightly-report", "uid": schedule.uid(),
        "controller": true,
    });
    assert_eq!(secret["metadata"]["ownerReferences"], json!([owner]));
    assert_eq!(secret["data"].as_object().unwrap().keys().collect::<Vec<_>>(), ["key"]);
    assert!(!scenario.world(|world| world.schedule.to_string()).contains(secret["data"]["key"].as_str().unwrap()));
}

#[tokio::test]
async fn a_key_is_replaced_at_its_age_and_the_old_one_signs_beside_it() {
    survives(async || {
        let mut scenario = Scenario::with_a_key().await;
        scenario.world(|world| world.relied_on = Some(world.keys()[0].0.clone()));
        scenario.wait(720 * 3_600);
        scenario
    })
    .await;
    let mut scenario = Scenario::with_a_key().await;
    let old = scenario.key();
    scenario.wait(720 * 3_600 - 1);
    scenario.run().await;
    assert_eq!(scenario.key(), old);
    scenario.wait(1);
    scenario.run().await;
    assert_ne!(scenario.key(), old);
    assert_eq!(scenario.world(|world| world.keys()[1].clone()), (old, KeyState::Retiring));
}

#[tokio::test]
async fn a_secret_goes_that_was_left_behind_by_a_rotation_for_which_nobody_asks_any_more() {
    let mut scenario = Scenario::with_a_key().await;
    scenario.ask("now");
    scenario.world(|world| {
        world.writes = 0;
        world.cut = Some((2, true));
    });
    scenario.run().await;
    assert_eq!(scenario.world(|world| (world.secrets.len(), world.keys()[0].1)), (2, KeyState::Pending));
    scenario.world(|world| {
        (world.cut, world.is_dead) = (None, false);
        world.schedule["metadata"]["annotations"] = json!({});
    });
    scenario.run().await;
    scenario.wait(SETTLED);
    scenario.run().await;
    assert!(scenario.world(|world| world.secrets.len() == 1 && world.is_whole()));
}

#[tokio::test]
async fn two_controllers_that_write_the_status_at_the_same_time_lose_nothing() {
    let scenario = Scenario::with_a_key().await;
    scenario.ask("now");
    // Both operators see the same version, and both have something to write.
    let mut seen = scenario.world(|world| world.schedule());
    seen.status.as_mut().unwrap().tier = None;
    scenario.rotate(&seen).await;
    let keys = scenario.world(|world| world.keys());
    assert_eq!(keys.len(), 2);
    scenario.world(|world| world.writes = 0);
    scenario.reconcile(&seen).await;
    assert_eq!(scenario.world(|world| world.writes), 1, "the status was to be written");
    assert_eq!(scenario.world(|world| world.keys()), keys, "over a version that is no more, so it was refused");
    scenario.run().await;
    assert!(scenario.world(|world| world.is_whole()));
    assert_eq!(scenario.world(|world| (world.keys(), world.scheduled().0)), (keys, "Scheduled".into()));
}
