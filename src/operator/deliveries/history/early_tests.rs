//! What a Job that was made early counts for before its time: nothing until it is final, and then only for the gap.

use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

use super::tests::{Scenario, reasons};
use super::*;
use crate::api::TRIGGER_ANNOTATION;
use crate::delivery;
use crate::delivery::OutcomeClass::{Delivered, Interrupted};
use crate::operator::test_support::objects::{ended, found, history, minute, run, said, valid_with};

/// The Job of minute 1, made 20 s before it. Its sender was stopped: such is the last word of one that was withdrawn.
fn early() -> Run {
    let mut early = run(1, json!({"active": 1}), vec![said(Interrupted, Reason::Interrupted)]);
    Arc::make_mut(&mut early.job).metadata.creation_timestamp = Some(Time(before(20)));
    early
}

/// So many seconds before minute 1.
fn before(seconds: i64) -> Timestamp {
    minute(1) - SignedDuration::from_secs(seconds)
}

/// The record at this time of a schedule that is due every minute, delivered at minute 0, and has an early Job for minute 1.
fn record(schedule: &WebhookSchedule, suspend: bool, now: Timestamp) -> DeliveryHistory {
    let spec = json!({"schedule": "* * * * *", "startingDeadlineSeconds": 45, "suspend": suspend});
    let mut valid = valid_with(spec).unwrap();
    if let delivery::Run::Scheduled(timing) = &mut valid.delivery.run {
        timing.offset_seconds = 0;
    }
    history(schedule, &found(vec![ended(0, Delivered, Reason::Delivered), early()]), Some(&valid), now)
}

#[test]
fn a_job_counts_for_nothing_while_it_may_be_withdrawn() {
    let seen = record(&Scenario::new(json!({})).schedule, false, before(7));
    assert_eq!((seen.last, reasons(&seen.recent)), (Some(minute(0).as_second()), vec!["Delivered"]));
    assert_eq!(seen.open_until, Some(before(6).as_second()), "it is looked at again when it counts");
}

#[test]
fn a_job_that_is_final_counts_for_the_gap_and_has_no_outcome_before_its_time() {
    let schedule = Scenario::new(json!({})).schedule;
    for seconds in [6, 1] {
        let seen = record(&schedule, false, before(seconds));
        assert_eq!((seen.last, reasons(&seen.recent)), (Some(minute(1).as_second()), vec!["Delivered"]), "{seconds}");
        assert_eq!(seen.open_until, Some(minute(1).as_second()), "{seconds}");
    }
    assert_eq!(reasons(&record(&schedule, false, minute(1)).recent), ["Interrupted", "Delivered"]);
}

#[test]
fn nobody_gains_a_delivery_by_a_trigger_in_the_last_seconds() {
    // It was suspended, so its CronJob delivers nothing at minute 1. The tier allows one delivery in a minute.
    let mut schedule = Scenario::new(json!({})).schedule;
    schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "now".into())].into());
    for seconds in [6, 1] {
        let seen = record(&schedule, true, before(seconds));
        assert_eq!(seen.trigger_waits, Some(TriggerDecision::At(Some(minute(2).as_second()))), "{seconds}");
    }
    let withdrawn = record(&schedule, true, before(7));
    assert_eq!(withdrawn.trigger_waits, Some(TriggerDecision::At(Some(minute(1).as_second()))), "after minute 0");
}
