//! How triggers, holds and receivers that answer 410 (Gone) affect the record.

use serde_json::json;

use super::tests::Scenario;
use super::*;
use crate::api::TRIGGER_ANNOTATION;
use crate::delivery::OutcomeClass::FailedPermanently;
use crate::operator::schedule::observe::ObservedState;
use crate::operator::test_support::objects::{cron_job, ended, found, history, minute, over, run, said, valid_with};

#[test]
fn a_trigger_is_made_once_for_a_value() {
    let mut scenario = Scenario::new(json!({}));
    scenario.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "one".into())].into());
    let first = scenario.see(0, Vec::new()).trigger.unwrap();
    assert!(scenario.see(0, Vec::new()).trigger.is_none());
    scenario.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "two".into())].into());
    let second = scenario.see(1, Vec::new()).trigger.unwrap();
    assert_ne!(first.id, second.id);
    scenario.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), String::new())].into());
    assert!(scenario.see(1, Vec::new()).trigger.is_none(), "no value asks for nothing");
    scenario.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "one".into())].into());
    let back = scenario.see(2, Vec::new()).trigger.unwrap();
    assert!(back.id != first.id && back.id != second.id, "a value that comes back asks for another");
    scenario.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "x".repeat(100_000))].into());
    assert_eq!(scenario.see(3, Vec::new()).trigger.unwrap().value.len(), 128);
    assert!(scenario.see(4, Vec::new()).trigger.is_none());
}

#[test]
fn a_trigger_that_comes_too_early_is_made_later_and_only_the_last_value_of_many() {
    let mut scenario = Scenario::new(json!({"schedule": "0 * * * *"}));
    let ask = |scenario: &mut Scenario, value: &str| {
        scenario.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), value.into())].into());
    };
    ask(&mut scenario, "first");
    assert!(scenario.see(0, Vec::new()).trigger.is_some());
    for value in 1..=100 {
        ask(&mut scenario, &value.to_string());
        let early = scenario.see(0, Vec::new());
        assert!(early.trigger.is_none());
        assert_eq!(early.trigger_waits, Some(TriggerDecision::At(Some(minute(1).as_second()))));
        assert_eq!(early.open_until, Some(minute(1).as_second()));
    }
    assert_eq!(scenario.see(1, Vec::new()).trigger.unwrap().value, "100");
}

#[test]
fn a_trigger_whose_job_is_there_is_made_whatever_the_time() {
    let mut scenario = Scenario::new(json!({}));
    scenario.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "now".into())].into());
    let trigger = scenario.see(0, Vec::new()).trigger.unwrap();
    // The status could not be written.
    scenario.status().last_trigger = None;
    let mut made = run(0, json!({}), Vec::new());
    let annotations =
        [("trigger", "now"), ("triggered-at", &minute(0).to_string()), ("delivery-id", trigger.id.as_str())];
    let annotations = annotations.map(|(name, value)| (format!("postern.dev/{name}"), value.to_owned()));
    Arc::make_mut(&mut made.job).metadata.annotations = Some(annotations.into());
    assert_eq!(scenario.see(0, vec![made]).trigger.map(|trigger| trigger.id), Some(trigger.id));
}

#[test]
fn a_held_schedule_tells_until_when_and_misses_nothing_meanwhile() {
    let mut scenario = Scenario::new(json!({"schedule": "0 * * * *"}));
    scenario.see(-30, Vec::new());
    // Hourly at :00 until now, and moved to :01.
    scenario.spec = json!({"schedule": "1 * * * *", "startingDeadlineSeconds": 45});
    let delivered = Arc::new(cron_job(json!({"lastScheduleTime": minute(0)})));
    let mut valid = valid_with(scenario.spec.clone()).unwrap();
    valid.min_interval = 900;
    let found = ObservedState { cron_job: Some(delivered), ..found(Vec::new()) };
    let held = history(&scenario.schedule, &found, Some(&valid), minute(0));
    assert_eq!(held.held_until, Some(minute(61).as_second()));
    scenario.status().held_until = Some(Time(minute(61)));
    scenario.status().accounted_until = Some(Time(minute(0)));
    let released = history(&scenario.schedule, &found, Some(&valid), minute(61));
    assert_eq!((released.held_until, released.missed.len()), (None, 0));
}

#[test]
fn a_receiver_that_is_gone_pauses_and_a_trigger_goes_on() {
    let gone = || ended(1, FailedPermanently, Reason::ReceiverGone);
    let mut scenario = Scenario::new(json!({}));
    assert_eq!(scenario.see(1, vec![gone()]).paused_generation, Some(1));
    assert_eq!(scenario.see(2, vec![gone()]).paused_generation, Some(1));
    assert_eq!(scenario.see(90, vec![gone()]).new, [], "nothing is missed meanwhile");
    scenario.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "again".into())].into());
    let resumed = scenario.see(91, vec![gone()]);
    assert_eq!((resumed.paused_generation, resumed.trigger.is_some()), (None, true));
    assert_eq!(scenario.see(91, vec![gone()]).paused_generation, None, "the old answer counts once");
    let gone_again = run(91, over(), vec![said(FailedPermanently, Reason::ReceiverGone)]);
    assert_eq!(scenario.see(92, vec![gone(), gone_again]).paused_generation, Some(1));
}

#[test]
fn an_answer_to_an_older_spec_does_not_pause_a_newer_one() {
    let mut scenario = Scenario::new(json!({}));
    scenario.schedule.metadata.generation = Some(2);
    scenario.status().observed_generation = Some(2);
    let record = scenario.see(1, vec![ended(1, FailedPermanently, Reason::ReceiverGone)]);
    assert_eq!((record.paused_generation, record.new.len()), (None, 1));
}

#[test]
fn a_trigger_that_no_cache_shows_yet_counts() {
    let mut scenario = Scenario::new(json!({"schedule": "0 * * * *"}));
    scenario.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "again".into())].into());
    let mut found = found(Vec::new());
    found.share.last_triggered = Some(minute(0).as_second());
    assert_eq!(scenario.see_found(0, &found).trigger_waits, Some(TriggerDecision::At(Some(minute(1).as_second()))));
}
