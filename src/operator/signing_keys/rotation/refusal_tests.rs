//! An API server that refuses requests for a key, or doesn't answer them.

use std::collections::BTreeSet;

use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

use super::scenario::{Memory, Scenario};
use super::{KeyState, MOST, SETTLED};

const SECRETS: &str = "secrets";
const CRON_JOBS: &str = "cronjobs";
const POLICIES: &str = "networkpolicies";

#[tokio::test]
async fn without_a_key_nothing_is_sent_and_a_rotation_that_fails_goes_on_with_the_old_key() {
    let mut scenario = Scenario::new();
    scenario.world(|world| world.refuses = Some((SECRETS, 403)));
    scenario.run().await;
    let (reason, message) = scenario.world(|world| world.scheduled());
    assert_eq!(reason, "KeyNotMade");
    assert!(message.contains("the API server answered 403"), "{message}");
    assert_eq!(scenario.world(|world| (world.cron_job.clone(), world.keys())), (None, Vec::new()));
    assert!(scenario.world(|world| world.events.contains(&"KeyNotMade".into())));
    scenario.world(|world| world.refuses = None);
    scenario.wait(60);
    scenario.run().await;
    assert!(scenario.world(|world| world.is_whole()));

    let old = scenario.key();
    scenario.world(|world| {
        world.refuses = Some((SECRETS, 403));
        world.events.clear();
    });
    scenario.ask("now");
    scenario.run().await;
    assert!(scenario.world(|world| world.is_whole()));
    assert_eq!(scenario.key(), old);
    assert_eq!(scenario.world(|world| world.events.clone()), ["KeyNotMade"]);
}

#[tokio::test]
async fn a_revocation_does_not_wait_since_a_rotation_failed_and_ends_the_old_key_without_a_new_one() {
    let (mut scenario, mut operator) = (Scenario::with_a_key().await, Memory::default());
    scenario.world(|world| world.refuses = Some((SECRETS, 403)));
    scenario.ask("now");
    scenario.go_on(&mut operator).await;
    assert!(scenario.world(|world| world.is_whole()), "the old key goes on");
    scenario.ask("revoke");
    scenario.go_on(&mut operator).await;
    assert!(!scenario.world(|world| world.runs()), "a key that was revoked signs nothing more");
    assert_eq!(scenario.world(|world| world.scheduled().0), "KeyNotMade");
    scenario.world(|world| world.refuses = None);
    scenario.wait(60);
    scenario.go_on(&mut operator).await;
    scenario.wait(SETTLED);
    scenario.go_on(&mut operator).await;
    assert!(scenario.world(|world| world.is_whole() && world.keys().len() == 1));
}

#[tokio::test]
async fn a_revoked_key_signs_nothing_while_what_the_senders_need_cannot_be_written() {
    let mut scenario = Scenario::with_a_key().await;
    let old = scenario.key();
    scenario.world(|world| world.refuses = Some((POLICIES, 500)));
    scenario.ask("revoke");
    scenario.run().await;
    assert!(scenario.world(|world| !world.runs()));
    assert_eq!(scenario.world(|world| world.scheduled().0), "ApplyFailed");
    assert_ne!(scenario.key(), old);
    scenario.world(|world| world.refuses = None);
    scenario.run().await;
    scenario.wait(SETTLED);
    scenario.run().await;
    assert!(scenario.world(|world| world.is_whole() && world.keys().len() == 1));
}

#[tokio::test]
async fn nobody_is_told_that_a_key_is_revoked_while_the_cron_job_cannot_be_suspended() {
    let scenario = Scenario::with_a_key().await;
    let old = scenario.key();
    scenario.world(|world| {
        world.refuses = Some((CRON_JOBS, 403));
        world.events.clear();
    });
    scenario.ask("revoke");
    scenario.run().await;
    assert_eq!(scenario.world(|world| world.scheduled().0), "ApplyFailed");
    assert_eq!(scenario.world(|world| world.keys()), [(old, KeyState::Active)]);
    assert_eq!(scenario.world(|world| world.events.clone()), [""; 0]);
    scenario.world(|world| world.refuses = None);
    scenario.run().await;
    assert!(scenario.world(|world| world.is_whole()));
    assert_eq!(scenario.world(|world| world.events.clone()), ["KeyRevoked"]);
}

#[tokio::test]
async fn a_revocation_ends_the_old_key_even_when_there_is_no_room_for_a_new_one() {
    let mut scenario = Scenario::with_a_key().await;
    let name = |index: usize| format!("postern-nightly-report-k{}", "abcdefghijkmnpqr"[index..=index].repeat(9));
    let retired = |index: usize| json!({"fingerprint": "", "state": "Retired", "secretName": name(index), "retiresAt": scenario.now});
    let retired: Vec<_> = (1..MOST).map(retired).collect();
    scenario.world(|world| world.schedule["status"]["signingKeys"].as_array_mut().unwrap().extend(retired));
    scenario.ask("revoke");
    scenario.run().await;
    assert!(!scenario.world(|world| world.runs()));
    let (reason, message) = scenario.world(|world| world.scheduled());
    assert_eq!(reason, "KeyNotMade");
    assert!(message.contains("16 older keys wait for their Secrets to be deleted"), "{message}");
    scenario.wait(SETTLED);
    scenario.run().await;
    scenario.run().await;
    assert!(scenario.world(|world| world.is_whole()));
}

#[tokio::test]
async fn one_secret_that_cannot_be_deleted_holds_up_no_other() {
    let mut scenario = Scenario::with_a_key().await;
    let first = scenario.key();
    scenario.ask("revoke-1");
    scenario.run().await;
    let second = scenario.key();
    scenario.ask("revoke-2");
    scenario.run().await;
    scenario.world(|world| world.keeps = Some(second.clone()));
    scenario.wait(SETTLED);
    scenario.run().await;
    let names = |scenario: &Scenario| {
        scenario.world(|world| world.keys().into_iter().map(|(name, _)| name).collect::<Vec<_>>())
    };
    assert_eq!(names(&scenario), [scenario.key(), second], "it is told of until it is gone");
    assert!(scenario.world(|world| world.is_whole() && !world.secrets.contains_key(&first)));
    scenario.world(|world| world.keeps = None);
    scenario.run().await;
    assert_eq!(names(&scenario), [scenario.key()]);
    assert!(scenario.world(|world| world.is_whole()));
}

#[tokio::test]
async fn a_name_that_is_another_s_is_let_be_and_a_key_is_made_by_another() {
    let mut scenario = Scenario::new();
    scenario.world(|world| world.refuses = Some((SECRETS, 409)));
    scenario.run().await;
    assert!(scenario.world(|world| world.asked_for.len() == 1 && world.keys().is_empty()));
    scenario.world(|world| world.refuses = None);
    scenario.wait(60);
    scenario.run().await;
    assert!(scenario.world(|world| world.is_whole() && !world.secrets.contains_key(&world.asked_for[0])));
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_which_the_answer_was_lost_signs_nothing_and_goes() {
    for (answer, seconds) in [(504, 0), (0, 30)] {
        let mut scenario = Scenario::with_a_key().await;
        let old = scenario.key();
        scenario.world(|world| world.loses_answers = Some(answer));
        scenario.ask("now");
        scenario.run().await;
        assert_eq!(scenario.world(|world| (world.secrets.len(), world.mounted())), (2, BTreeSet::from([old.clone()])));
        let lost = scenario.world(|world| world.schedule().status.unwrap().signing_keys[0].clone());
        let ended = scenario.now + SignedDuration::from_secs(seconds);
        assert_eq!((lost.state, lost.retires_at.unwrap().0), (KeyState::Retired, ended));
        scenario.world(|world| world.loses_answers = None);
        scenario.wait(seconds + SETTLED);
        scenario.run().await;
        assert!(scenario.world(|world| world.is_whole()));
        assert_eq!(
            scenario.world(|world| (world.secrets.len(), world.mounted().len())),
            (2, 2),
            "the old one and a third"
        );
    }
}

#[tokio::test]
async fn a_key_whose_status_meets_with_a_conflict_once_its_secret_is_there_signs_and_is_not_made_again() {
    let scenario = Scenario::with_a_key().await;
    let old = scenario.key();
    scenario.ask("now");
    scenario.world(|world| {
        world.asked_for.clear();
        world.conflict_in = Some(2);
    });
    scenario.run().await;
    let made = scenario.world(|world| world.asked_for.clone());
    assert_eq!(made.len(), 1, "no second key is made");
    assert_eq!(scenario.world(|world| world.keys()), [(made[0].clone(), KeyState::Active), (old, KeyState::Retiring)]);
    assert!(scenario.world(|world| world.is_whole() && world.events.contains(&"KeyRotated".into())));
}

#[tokio::test]
async fn a_revocation_waits_until_the_controller_of_schedules_has_followed_it_though_the_cron_job_is_suspended() {
    let scenario = Scenario::with_a_key().await;
    let old = scenario.key();
    scenario.world(|world| world.cron_job.as_mut().unwrap()["spec"]["suspend"] = json!(true));
    scenario.ask("revoke");
    // A reconcile that began before may be about to make a Job that mounts the key.
    scenario.rotate(&scenario.world(|world| world.schedule())).await;
    assert_eq!(scenario.world(|world| world.keys()), [(old.clone(), KeyState::Active)]);
    scenario.run().await;
    assert_eq!(scenario.world(|world| world.keys()[1].clone()), (old, KeyState::Retired));
    assert!(scenario.world(|world| world.is_whole()));
}
