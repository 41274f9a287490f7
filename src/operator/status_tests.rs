//! What a tenant sees, from what happened.

use std::cell::Cell;

use serde_json::json;

use super::*;
use crate::operator::testdata::{schedule, valid_with};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn delivery(second: i64, outcome: DeliveryOutcome) -> DeliveryStatus {
    serde_json::from_value(json!({
        "scheduledTime": Time(at(second)), "startedAt": Time(at(second)), "outcome": outcome, "reason": "Some",
    }))
    .unwrap()
}

/// A schedule that goes through statuses, a minute after each other.
struct Life {
    schedule: WebhookSchedule,
    minute: Cell<i64>,
}

impl Life {
    fn new() -> Self {
        Self { schedule: schedule(), minute: Cell::new(0) }
    }

    fn see(&mut self, seen: Vec<DeliveryStatus>) -> &WebhookScheduleStatus {
        let valid = valid_with(json!({})).unwrap();
        self.go(&Progress::Applied(&valid), seen)
    }

    fn go(&mut self, progress: &Progress<'_>, seen: Vec<DeliveryStatus>) -> &WebhookScheduleStatus {
        self.minute.set(self.minute.get() + 1);
        let now = at(60 * self.minute.get());
        self.schedule.status = Some(status(&self.schedule, progress, seen, now));
        self.schedule.status.as_ref().unwrap()
    }
}

fn condition<'a>(status: &'a WebhookScheduleStatus, kind: &str) -> &'a Condition {
    status.conditions.iter().find(|condition| condition.type_ == kind).unwrap()
}

#[test]
fn nothing_changes_when_nothing_happened() {
    let mut life = Life::new();
    let first = life.see(vec![delivery(0, DeliveryOutcome::Delivered)]).clone();
    assert_eq!(*life.see(vec![delivery(0, DeliveryOutcome::Delivered)]), first);
    assert_eq!(*life.see(Vec::new()), first);
}

#[test]
fn three_failures_in_a_row_are_unhealthy_and_one_success_mends_it() {
    let mut life = Life::new();
    assert_eq!(condition(life.see(Vec::new()), "Healthy").status, "Unknown");
    let failures: Vec<_> = (0..3).map(|n| delivery(n * 60, DeliveryOutcome::Failed)).collect();
    assert_eq!(condition(life.see(failures[..2].to_vec()), "Healthy").status, "True");
    let unhealthy = condition(life.see(failures), "Healthy").clone();
    assert_eq!((unhealthy.status.as_str(), unhealthy.reason.as_str()), ("False", "DeliveriesFailing"));
    assert_eq!(unhealthy.last_transition_time, Time(at(180)));
    let mended = life.see(vec![delivery(180, DeliveryOutcome::Delivered)]);
    assert_eq!(condition(mended, "Healthy").status, "True");
    assert_eq!(mended.last_delivery.as_ref().unwrap().scheduled_time, Some(Time(at(180))));
}

#[test]
fn keeps_as_many_deliveries_of_each_kind_as_the_tenant_wants() {
    let mut life = Life::new();
    life.schedule.spec.history = History { successful: 2, failed: 4 };
    let mut seen: Vec<_> = (0..5).map(|n| delivery(n * 60, DeliveryOutcome::Delivered)).collect();
    seen.extend((5..11).map(|n| delivery(n * 60, DeliveryOutcome::Failed)));
    let status = life.see(seen);
    let times: Vec<_> =
        status.recent_deliveries.iter().map(|delivery| delivery.scheduled_time.clone().unwrap().0).collect();
    assert_eq!(times, [10, 9, 8, 7, 4, 3].map(|n| at(n * 60)));
}

#[test]
fn a_delivery_is_recorded_once_and_a_second_pod_of_it_replaces_the_first() {
    let mut life = Life::new();
    life.see(vec![delivery(0, DeliveryOutcome::Interrupted)]);
    let mut second = delivery(0, DeliveryOutcome::Delivered);
    second.started_at = Some(Time(at(9)));
    let status = life.see(vec![second, delivery(0, DeliveryOutcome::Interrupted)]);
    assert_eq!(status.recent_deliveries.len(), 1);
    assert_eq!(status.recent_deliveries[0].outcome, DeliveryOutcome::Delivered);
}

#[test]
fn a_refused_delivery_says_why_the_target_is_not_allowed_and_that_the_schedule_is_not_ready() {
    let mut life = Life::new();
    let mut refused = delivery(0, DeliveryOutcome::Refused);
    refused.reason = "AddressInternal".into();
    refused.detail = Some("10.0.0.1 is in 10.0.0.0/8".into());
    let status = life.see(vec![refused]);
    for kind in ["TargetAllowed", "Ready"] {
        let condition = condition(status, kind);
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "AddressInternal"));
        assert_eq!(condition.message, "10.0.0.1 is in 10.0.0.0/8");
    }
}

#[test]
fn what_is_not_accepted_shows_the_refusal_and_no_next_delivery() {
    let mut life = Life::new();
    assert!(life.see(Vec::new()).next_delivery_time.is_some());
    let status = life.go(&Progress::Refused(&Refusal::NoDefaultTier), Vec::new());
    assert_eq!(condition(status, "Accepted").reason, "NoDefaultTier");
    assert_eq!(condition(status, "Ready").status, "False");
    assert_eq!((&status.next_delivery_time, &status.tier), (&None, &None));
}

#[test]
fn a_paused_schedule_is_ready_and_has_no_next_delivery() {
    let mut life = Life::new();
    let paused = valid_with(json!({"suspend": true})).unwrap();
    let status = life.go(&Progress::Applied(&paused), Vec::new());
    assert_eq!(condition(status, "Scheduled").reason, "Suspended");
    assert_eq!(condition(status, "Ready").status, "True");
    assert_eq!(status.next_delivery_time, None);
}

#[test]
fn a_name_that_is_taken_is_named() {
    let mut life = Life::new();
    let valid = valid_with(json!({})).unwrap();
    let taken = ApplyError::NameTaken { kind: "CronJob".into(), name: "postern-nightly-report".into() };
    let status = life.go(&Progress::Blocked(&valid, &taken), Vec::new());
    let scheduled = condition(status, "Scheduled");
    assert_eq!(scheduled.reason, "NameTaken");
    assert_eq!(
        scheduled.message,
        "CronJob postern-nightly-report exists and is not Postern's: delete or rename it, and this schedule goes on by itself"
    );
}

#[test]
fn every_reason_of_a_condition_is_in_the_docs() {
    let page = include_str!("../../docs/reasons.md");
    let refusals = [
        Refusal::ScheduleInvalid(String::new()),
        Refusal::TimeZoneUnknown(String::new()),
        Refusal::TierNotFound(String::new()),
        Refusal::NoDefaultTier,
        Refusal::SeveralDefaultTiers(String::new()),
        Refusal::TierInvalid { tier: String::new(), problem: String::new() },
        Refusal::SpecInvalid(String::new()),
    ];
    for refusal in &refusals {
        let mut life = Life::new();
        for condition in &life.go(&Progress::Refused(refusal), Vec::new()).conditions {
            assert!(
                page.contains(&format!("| `{}` |", condition.reason)),
                "docs/reasons.md lacks {}",
                condition.reason
            );
        }
    }
}
