//! The life of keys, as the status shows it: when one is made, which ones sign, and when a Secret may be deleted.

use kube::ResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::api::ROTATE_ANNOTATION;
use crate::operator::names;
use crate::operator::test_support::objects::{self, minute};

const HOUR: i64 = 60;

/// A schedule with managed keys and this status. Times are minutes.
#[expect(clippy::needless_pass_by_value, reason = "tests write the keys where they call it")]
fn schedule(keys: Value) -> WebhookSchedule {
    let mut schedule = objects::schedule();
    schedule.spec.signing =
        serde_json::from_value(json!({"managed": {"rotateEvery": "10h", "overlap": "1h"}})).unwrap();
    schedule.status = serde_json::from_value(json!({"signingKeys": keys})).unwrap();
    schedule
}

fn key(name: &str, state: &str, made: i64, retires: Option<i64>) -> Value {
    json!({
        "fingerprint": name, "secretName": secret(name), "state": state, "createdAt": minute(made),
        "retiresAt": retires.map(minute),
    })
}

fn secret(name: &str) -> String {
    names::signing_key("nightly-report", &format!("{name:x>9}"))
}

/// All keys in the status.
fn listed(schedule: &WebhookSchedule) -> &[SigningKeyStatus] {
    &schedule.status.as_ref().unwrap().signing_keys
}

fn ask(schedule: &mut WebhookSchedule, value: &str) {
    schedule.annotations_mut().insert(ROTATE_ANNOTATION.into(), value.into());
}

fn cause(schedule: &WebhookSchedule, at: i64) -> Option<Cause> {
    wanted(schedule, minute(at)).map(|wanted| wanted.cause)
}

/// Makes the wanted key, with every step successful.
fn rotate(schedule: &mut WebhookSchedule, name: &str, at: i64) {
    let wanted = wanted(schedule, minute(at)).unwrap();
    let new = serde_json::from_value(key(name, "Pending", at, None)).unwrap();
    let mut status = schedule.status.clone().unwrap();
    status.signing_keys = begun(schedule, Some(new), wanted.cause, minute(at));
    schedule.status = Some(made(&status, &wanted, minute(at)));
}

fn settle(schedule: &mut WebhookSchedule, at: i64) {
    schedule.status.as_mut().unwrap().signing_keys = settled(schedule, &BTreeSet::new(), minute(at));
}

fn sign(schedule: &WebhookSchedule, at: i64) -> Vec<String> {
    let start = names::signing_key("nightly-report", "");
    let names = keys_of(schedule).filter(|key| signs(key, minute(at))).filter_map(|key| key.secret_name.clone());
    names.map(|name| name.strip_prefix(&start).unwrap().trim_start_matches('x').into()).collect()
}

fn shown(schedule: &WebhookSchedule) -> Vec<String> {
    let one = |key: &SigningKeyStatus| format!("{} {:?}", key.fingerprint, key.state);
    listed(schedule).iter().map(one).collect()
}

#[test]
fn the_first_key_is_made_at_once_and_none_for_keys_that_the_tenant_keeps() {
    assert_eq!(cause(&schedule(json!([])), 0), Some(Cause::First));
    assert_eq!(cause(&objects::schedule(), 0), None);
}

#[test]
fn a_new_key_is_made_when_the_active_one_has_its_age() {
    let schedule = schedule(json!([key("a", "Active", 0, None)]));
    assert_eq!(cause(&schedule, 10 * HOUR - 1), None);
    assert_eq!(cause(&schedule, 10 * HOUR), Some(Cause::Due));
    assert_eq!(next_change(&schedule, listed(&schedule), minute(0)), Some(minute(10 * HOUR).as_second()));
    assert_eq!(
        next_change(&schedule, listed(&schedule), minute(10 * HOUR)),
        None,
        "what is due is done, or waits for more"
    );
}

#[test]
fn a_new_key_is_made_when_the_spec_asks_for_another_type() {
    let mut schedule = schedule(json!([key("a", "Active", 0, None)]));
    schedule.spec.signing.managed.as_mut().unwrap().key_type = ManagedKeyType::V1a;
    assert_eq!(cause(&schedule, 1), Some(Cause::Due));
    schedule.status.as_mut().unwrap().signing_keys[0].public_key = Some("whpk_".into());
    assert_eq!(cause(&schedule, 1), None);
}

#[test]
fn during_the_overlap_both_sign_the_newest_first_and_then_the_newest_alone() {
    let mut schedule = schedule(json!([key("a", "Active", 0, None)]));
    rotate(&mut schedule, "b", 10 * HOUR);
    assert_eq!(sign(&schedule, 11 * HOUR - 1), ["b", "a"]);
    assert_eq!(sign(&schedule, 11 * HOUR), ["b"]);
    assert_eq!(next_change(&schedule, listed(&schedule), minute(10 * HOUR)), Some(minute(11 * HOUR).as_second()));
    settle(&mut schedule, 11 * HOUR - 1);
    assert_eq!(shown(&schedule), ["b Active", "a Retiring"]);
    settle(&mut schedule, 11 * HOUR + 5);
    assert_eq!(shown(&schedule), ["b Active", "a Retired"]);
    let retired = &listed(&schedule)[1];
    assert_eq!(retired.retires_at, Some(Time(minute(11 * HOUR + 5))), "from when the CronJob mounts it no more");
}

#[test]
fn a_secret_goes_a_minute_after_its_last_use_and_no_sooner() {
    let schedule = schedule(json!([
        key("a", "Active", 0, None),
        key("b", "Retiring", 0, Some(1)),
        key("c", "Retired", 0, Some(9)),
        key("d", "Pending", 0, None),
    ]));
    assert_eq!(unused(&schedule, minute(9)), [""; 0]);
    assert_eq!(next_change(&schedule, listed(&schedule), minute(9)), Some(minute(10).as_second()));
    assert_eq!(unused(&schedule, minute(10)), [secret("c")]);
}

#[test]
fn each_new_value_of_the_annotation_makes_one_key() {
    let mut schedule = schedule(json!([key("a", "Active", 0, None)]));
    ask(&mut schedule, "one");
    assert_eq!(cause(&schedule, 1), Some(Cause::Asked));
    rotate(&mut schedule, "b", 1);
    assert_eq!(cause(&schedule, 2), None);
    assert_eq!(schedule.status.as_ref().unwrap().last_rotation.as_ref().unwrap().value, "one");
    ask(&mut schedule, "two");
    assert_eq!(cause(&schedule, 2), Some(Cause::Asked));
    ask(&mut schedule, "");
    assert_eq!(cause(&schedule, 2), None);
}

#[test]
fn the_first_key_follows_what_the_annotation_says_already() {
    let mut schedule = schedule(json!([]));
    ask(&mut schedule, "revoke");
    rotate(&mut schedule, "a", 0);
    assert_eq!(cause(&schedule, 1), None);
}

#[test]
fn a_revocation_ends_every_older_key_before_the_new_one_is_there() {
    let mut schedule = schedule(json!([key("b", "Active", 5, None), key("a", "Retiring", 0, Some(60))]));
    ask(&mut schedule, "revoke-2027-01-15");
    let wanted = wanted(&schedule, minute(9)).unwrap();
    assert_eq!(wanted.cause, Cause::Revoked);
    let new = serde_json::from_value(key("c", "Pending", 9, None)).unwrap();
    let mut cut = schedule.clone();
    for new in [Some(new), None] {
        let keyless = new.is_none();
        cut.status.as_mut().unwrap().signing_keys = begun(&schedule, new, wanted.cause, minute(9));
        assert_eq!(sign(&cut, 9), [""; 0]);
        assert_eq!(
            keys::usable(&cut, minute(9)),
            [""; 0],
            "nothing is sent, whether there is a new key or not: {keyless}"
        );
    }
    rotate(&mut schedule, "c", 9);
    assert_eq!(sign(&schedule, 9), ["c"]);
    settle(&mut schedule, 9);
    assert_eq!(shown(&schedule), ["c Active", "b Retired", "a Retired"]);
}

#[test]
fn a_key_of_which_it_is_not_known_whether_its_secret_is_there_never_signs_and_its_secret_goes() {
    let mut schedule = schedule(json!([key("b", "Pending", 5, None), key("a", "Active", 0, None)]));
    ask(&mut schedule, "now");
    rotate(&mut schedule, "c", 6);
    assert_eq!(shown(&schedule), ["c Active", "b Retired", "a Retiring"]);
    assert_eq!(sign(&schedule, 6), ["c", "a"]);
    assert_eq!(unused(&schedule, minute(7)), [secret("b")]);
}

#[test]
fn a_secret_that_is_another_s_is_never_deleted() {
    let keys = [key("b", "Pending", 5, None), key("a", "Active", 0, None)];
    let keys: Vec<SigningKeyStatus> = serde_json::from_value(json!(keys)).unwrap();
    assert_eq!(unmade(&keys, false, minute(5)), keys[1..]);
    assert_eq!(unmade(&keys, true, minute(5))[0].state, KeyState::Retired);
}

#[test]
fn keys_that_are_wanted_no_more_end_with_the_spec_that_asked_for_them() {
    let mut schedule = schedule(json!([key("b", "Active", 5, None), key("a", "Retiring", 0, Some(60))]));
    schedule.spec.signing = objects::schedule().spec.signing;
    settle(&mut schedule, 9);
    assert_eq!(shown(&schedule), ["b Retired", "a Retired"]);
    assert_eq!(unused(&schedule, minute(10)), ["b", "a"].map(secret));
}

#[test]
fn however_often_it_is_asked_no_more_keys_sign_than_a_delivery_takes_and_a_revocation_has_room() {
    let mut schedule = schedule(json!([key("a", "Active", 0, None)]));
    for name in "bcdefghijkm".chars().map(String::from) {
        ask(&mut schedule, &name);
        assert_eq!((cause(&schedule, 1), no_room(&schedule, Cause::Asked)), (Some(Cause::Asked), None));
        rotate(&mut schedule, &name, 1);
        settle(&mut schedule, 1);
        assert!(sign(&schedule, 1).len() <= MAX_KEYS);
    }
    assert_eq!(listed(&schedule).len(), MOST - ROOM_TO_REVOKE);
    let why = "12 older keys wait for their Secrets to be deleted";
    assert_eq!(no_room(&schedule, Cause::Asked).as_deref(), Some(why));
    ask(&mut schedule, "revoke");
    assert_eq!((cause(&schedule, 1), no_room(&schedule, Cause::Revoked)), (Some(Cause::Revoked), None));
}

#[test]
fn one_that_is_pending_when_all_is_done_was_left_behind_and_its_secret_goes() {
    let mut schedule = schedule(json!([key("b", "Pending", 5, None), key("a", "Active", 0, None)]));
    settle(&mut schedule, 6);
    assert_eq!(shown(&schedule), ["b Retired", "a Active"]);
    assert_eq!(next_change(&schedule, listed(&schedule), minute(6)), Some(minute(7).as_second()));
    assert_eq!(unused(&schedule, minute(7)), [secret("b")]);
}

#[test]
fn a_secret_that_is_named_like_no_key_is_neither_mounted_nor_deleted_whatever_the_status_says() {
    let own = secret("a");
    let of_another = names::signing_key("nightly-report-kafka", "aaaaaaaaa");
    let too_long = format!("{own}a");
    let strange = names::signing_key("nightly-report", "aaaa-aaaa");
    let others = ["database", &of_another, &too_long, &strange, "postern-nightly-report-k"];
    for name in others.into_iter().chain([&*own]) {
        let expected: &[&str] = if name == own { &[name] } else { &[] };
        let mut schedule = schedule(json!([key("a", "Active", 0, None)]));
        schedule.status.as_mut().unwrap().signing_keys[0].secret_name = Some(name.into());
        assert_eq!(keys::usable(&schedule, minute(9)), expected);
        schedule.status.as_mut().unwrap().signing_keys[0].state = KeyState::Retired;
        schedule.status.as_mut().unwrap().signing_keys[0].retires_at = Some(Time(minute(1)));
        assert_eq!(unused(&schedule, minute(9)), expected);
    }
}

#[test]
fn at_rest_nothing_changes() {
    let mut schedule = schedule(json!([key("b", "Active", 5, None), key("a", "Retiring", 0, Some(60))]));
    let before = schedule.clone();
    settle(&mut schedule, 9);
    assert_eq!(schedule, before);
}
