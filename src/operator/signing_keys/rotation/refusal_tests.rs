//! An API server that refuses requests for a key, or doesn't answer them.

use std::collections::BTreeSet;

use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

use super::life::{Life, Memory};
use super::{KeyState, MOST, SETTLED};

const SECRETS: &str = "secrets";
const CRON_JOBS: &str = "cronjobs";
const POLICIES: &str = "networkpolicies";

#[tokio::test]
async fn without_a_key_nothing_is_sent_and_a_rotation_that_fails_goes_on_with_the_old_key() {
    let mut life = Life::new();
    life.world(|world| world.refuses = Some((SECRETS, 403)));
    life.run().await;
    let (reason, message) = life.world(|world| world.scheduled());
    assert_eq!(reason, "KeyNotMade");
    assert!(message.contains("the API server answered 403"), "{message}");
    assert_eq!(life.world(|world| (world.cron_job.clone(), world.keys())), (None, Vec::new()));
    assert!(life.world(|world| world.told.contains(&"KeyNotMade".into())));
    life.world(|world| world.refuses = None);
    life.wait(60);
    life.run().await;
    assert!(life.world(|world| world.is_whole()));

    let old = life.key();
    life.world(|world| {
        world.refuses = Some((SECRETS, 403));
        world.told.clear();
    });
    life.ask("now");
    life.run().await;
    assert!(life.world(|world| world.is_whole()));
    assert_eq!(life.key(), old);
    assert_eq!(life.world(|world| world.told.clone()), ["KeyNotMade"]);
}

#[tokio::test]
async fn a_revocation_does_not_wait_since_a_rotation_failed_and_ends_the_old_key_without_a_new_one() {
    let (mut life, mut operator) = (Life::with_a_key().await, Memory::default());
    life.world(|world| world.refuses = Some((SECRETS, 403)));
    life.ask("now");
    life.go_on(&mut operator).await;
    assert!(life.world(|world| world.is_whole()), "the old key goes on");
    life.ask("revoke");
    life.go_on(&mut operator).await;
    assert!(!life.world(|world| world.runs()), "a key that was revoked signs nothing more");
    assert_eq!(life.world(|world| world.scheduled().0), "KeyNotMade");
    life.world(|world| world.refuses = None);
    life.wait(60);
    life.go_on(&mut operator).await;
    life.wait(SETTLED);
    life.go_on(&mut operator).await;
    assert!(life.world(|world| world.is_whole() && world.keys().len() == 1));
}

#[tokio::test]
async fn a_revoked_key_signs_nothing_while_what_the_senders_need_cannot_be_written() {
    let mut life = Life::with_a_key().await;
    let old = life.key();
    life.world(|world| world.refuses = Some((POLICIES, 500)));
    life.ask("revoke");
    life.run().await;
    assert!(life.world(|world| !world.runs()));
    assert_eq!(life.world(|world| world.scheduled().0), "ApplyFailed");
    assert_ne!(life.key(), old);
    life.world(|world| world.refuses = None);
    life.run().await;
    life.wait(SETTLED);
    life.run().await;
    assert!(life.world(|world| world.is_whole() && world.keys().len() == 1));
}

#[tokio::test]
async fn nobody_is_told_that_a_key_is_revoked_while_the_cron_job_cannot_be_suspended() {
    let life = Life::with_a_key().await;
    let old = life.key();
    life.world(|world| {
        world.refuses = Some((CRON_JOBS, 403));
        world.told.clear();
    });
    life.ask("revoke");
    life.run().await;
    assert_eq!(life.world(|world| world.scheduled().0), "ApplyFailed");
    assert_eq!(life.world(|world| world.keys()), [(old, KeyState::Active)]);
    assert_eq!(life.world(|world| world.told.clone()), [""; 0]);
    life.world(|world| world.refuses = None);
    life.run().await;
    assert!(life.world(|world| world.is_whole()));
    assert_eq!(life.world(|world| world.told.clone()), ["KeyRevoked"]);
}

#[tokio::test]
async fn a_revocation_ends_the_old_key_even_when_there_is_no_room_for_a_new_one() {
    let mut life = Life::with_a_key().await;
    let name = |index: usize| format!("postern-nightly-report-k{}", "abcdefghijkmnpqr"[index..=index].repeat(9));
    let retired =
        |index: usize| json!({"fingerprint": "", "state": "Retired", "secretName": name(index), "retiresAt": life.now});
    let retired: Vec<_> = (1..MOST).map(retired).collect();
    life.world(|world| world.schedule["status"]["signingKeys"].as_array_mut().unwrap().extend(retired));
    life.ask("revoke");
    life.run().await;
    assert!(!life.world(|world| world.runs()));
    let (reason, message) = life.world(|world| world.scheduled());
    assert_eq!(reason, "KeyNotMade");
    assert!(message.contains("16 older keys wait for their Secrets to be deleted"), "{message}");
    life.wait(SETTLED);
    life.run().await;
    life.run().await;
    assert!(life.world(|world| world.is_whole()));
}

#[tokio::test]
async fn one_secret_that_cannot_be_deleted_holds_up_no_other() {
    let mut life = Life::with_a_key().await;
    let first = life.key();
    life.ask("revoke-1");
    life.run().await;
    let second = life.key();
    life.ask("revoke-2");
    life.run().await;
    life.world(|world| world.keeps = Some(second.clone()));
    life.wait(SETTLED);
    life.run().await;
    let names = |life: &Life| life.world(|world| world.keys().into_iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert_eq!(names(&life), [life.key(), second], "it is told of until it is gone");
    assert!(life.world(|world| world.is_whole() && !world.secrets.contains_key(&first)));
    life.world(|world| world.keeps = None);
    life.run().await;
    assert_eq!(names(&life), [life.key()]);
    assert!(life.world(|world| world.is_whole()));
}

#[tokio::test]
async fn a_name_that_is_another_s_is_let_be_and_a_key_is_made_by_another() {
    let mut life = Life::new();
    life.world(|world| world.refuses = Some((SECRETS, 409)));
    life.run().await;
    assert!(life.world(|world| world.asked_for.len() == 1 && world.keys().is_empty()));
    life.world(|world| world.refuses = None);
    life.wait(60);
    life.run().await;
    assert!(life.world(|world| world.is_whole() && !world.secrets.contains_key(&world.asked_for[0])));
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_which_the_answer_was_lost_signs_nothing_and_goes() {
    for (answer, seconds) in [(504, 0), (0, 30)] {
        let mut life = Life::with_a_key().await;
        let old = life.key();
        life.world(|world| world.loses_answers = Some(answer));
        life.ask("now");
        life.run().await;
        assert_eq!(life.world(|world| (world.secrets.len(), world.mounted())), (2, BTreeSet::from([old.clone()])));
        let lost = life.world(|world| world.schedule().status.unwrap().signing_keys[0].clone());
        let ended = life.now + SignedDuration::from_secs(seconds);
        assert_eq!((lost.state, lost.retires_at.unwrap().0), (KeyState::Retired, ended));
        life.world(|world| world.loses_answers = None);
        life.wait(seconds + SETTLED);
        life.run().await;
        assert!(life.world(|world| world.is_whole()));
        assert_eq!(life.world(|world| (world.secrets.len(), world.mounted().len())), (2, 2), "the old one and a third");
    }
}

#[tokio::test]
async fn a_key_whose_status_meets_with_a_conflict_once_its_secret_is_there_signs_and_is_not_made_again() {
    let life = Life::with_a_key().await;
    let old = life.key();
    life.ask("now");
    life.world(|world| {
        world.asked_for.clear();
        world.conflict_in = Some(2);
    });
    life.run().await;
    let made = life.world(|world| world.asked_for.clone());
    assert_eq!(made.len(), 1, "no second key is made");
    assert_eq!(life.world(|world| world.keys()), [(made[0].clone(), KeyState::Active), (old, KeyState::Retiring)]);
    assert!(life.world(|world| world.is_whole() && world.told.contains(&"KeyRotated".into())));
}

#[tokio::test]
async fn a_revocation_waits_until_the_controller_of_schedules_has_followed_it_though_the_cron_job_is_suspended() {
    let life = Life::with_a_key().await;
    let old = life.key();
    life.world(|world| world.cron_job.as_mut().unwrap()["spec"]["suspend"] = json!(true));
    life.ask("revoke");
    // A reconcile that began before may be about to make a Job that mounts the key.
    life.rotate(&life.world(|world| world.schedule())).await;
    assert_eq!(life.world(|world| world.keys()), [(old.clone(), KeyState::Active)]);
    life.run().await;
    assert_eq!(life.world(|world| world.keys()[1].clone()), (old, KeyState::Retired));
    assert!(life.world(|world| world.is_whole()));
}
