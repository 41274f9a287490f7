//! What a tenant sees, depending on what happened.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::json;

use super::check_tests::checked;
use super::*;
use crate::api::CheckResult;
use crate::delivery::OutcomeClass::{Delivered, Failed, FailedPermanently, Refused};
use crate::delivery::Reason;
use crate::operator::admission::status::AdmissionStatus;
use crate::operator::deliveries::run::Run;
use crate::operator::isolation::verdict::IsolationStatus;
use crate::operator::kubernetes::apply::ApplyError;
use crate::operator::schedule::assess::assess;
use crate::operator::signing_keys::backoff::KeyNotMade;
use crate::operator::test_support::objects::{ended, found, minute, schedule, valid_with};
use crate::operator::tier::membership::TierError;

/// A schedule whose status is written once a minute.
pub(super) struct Scenario {
    pub(super) schedule: WebhookSchedule,
    minute: i64,
}

impl Scenario {
    pub(super) fn new() -> Self {
        let mut schedule = schedule();
        schedule.metadata.generation = Some(1);
        Self { schedule, minute: 0 }
    }

    pub(super) fn see(&mut self, runs: Vec<Run>) -> &WebhookScheduleStatus {
        let valid = valid_with(json!({})).unwrap();
        self.go(&Progress::Applied(&valid), runs)
    }

    fn go(&mut self, progress: &Progress<'_>, runs: Vec<Run>) -> &WebhookScheduleStatus {
        self.minute += 1;
        let now = minute(self.minute);
        let valid = match progress {
            Progress::Applied(valid) | Progress::WaitsForKey(valid) | Progress::Blocked(valid, _) => Some(*valid),
            Progress::Refused(_) => None,
        };
        let assessment = assess(&self.schedule, &found(runs), valid, now);
        self.schedule.status = Some(status(&self.schedule, progress, &assessment, now));
        self.schedule.status.as_ref().unwrap()
    }
}

pub(super) fn condition<'a>(status: &'a WebhookScheduleStatus, kind: &str) -> &'a Condition {
    status.conditions.iter().find(|condition| condition.type_ == kind).unwrap()
}

#[test]
fn nothing_changes_when_nothing_happened() {
    let mut scenario = Scenario::new();
    let first = scenario.see(vec![ended(0, Delivered, Reason::Delivered)]).clone();
    for runs in [vec![ended(0, Delivered, Reason::Delivered)], Vec::new()] {
        let accounted_until = first.accounted_until.clone();
        assert_eq!(WebhookScheduleStatus { accounted_until, ..scenario.see(runs).clone() }, first);
    }
}

#[test]
fn three_failures_in_a_row_are_unhealthy_until_one_success_or_another_spec() {
    let failure = |due| ended(due, Failed, Reason::ReceiverError);
    let mut scenario = Scenario::new();
    assert_eq!(condition(scenario.see(Vec::new()), "Healthy").status, "Unknown");
    assert_eq!(condition(scenario.see(vec![failure(0), failure(1)]), "Healthy").status, "True");
    let unhealthy = condition(scenario.see(vec![failure(2)]), "Healthy").clone();
    assert_eq!((unhealthy.status.as_str(), unhealthy.reason.as_str()), ("False", "DeliveriesFailing"));
    assert_eq!(unhealthy.last_transition_time, Time(minute(3)));
    let mut corrected = Scenario { schedule: scenario.schedule.clone(), ..Scenario::new() };
    corrected.schedule.metadata.generation = Some(2);
    assert_eq!(condition(corrected.see(Vec::new()), "Healthy").reason, "NotTried");
    let mended = scenario.see(vec![ended(3, Delivered, Reason::Delivered)]);
    assert_eq!(condition(mended, "Healthy").status, "True");
    assert_eq!(mended.last_delivery.as_ref().unwrap().scheduled_time, Some(Time(minute(3))));
}

#[test]
fn a_receiver_that_is_gone_pauses_until_the_spec_changes() {
    let valid = valid_with(json!({})).unwrap();
    let mut scenario = Scenario::new();
    scenario.see(Vec::new());
    let gone = scenario.see(vec![ended(2, FailedPermanently, Reason::ReceiverGone)]).clone();
    for kind in ["Scheduled", "Ready"] {
        let condition = condition(&gone, kind);
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "ReceiverGone"));
    }
    assert_eq!(gone.next_delivery_time, None);
    assert_eq!(condition(scenario.see(Vec::new()), "Scheduled").reason, "ReceiverGone", "it stays so");
    scenario.schedule.metadata.generation = Some(2);
    let assessment = assess(&scenario.schedule, &found(Vec::new()), Some(&valid), minute(9));
    assert_eq!(pause(&valid, &assessment), None);
    assert_eq!(condition(scenario.see(Vec::new()), "Scheduled").status, "True");
}

#[test]
fn a_refused_delivery_says_why_the_target_is_not_allowed_and_that_the_schedule_is_not_ready() {
    let mut scenario = Scenario::new();
    let status = scenario.see(vec![ended(0, Refused, Reason::AddressInternal)]);
    for kind in ["TargetAllowed", "Ready"] {
        let condition = condition(status, kind);
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "AddressInternal"));
        assert_eq!(condition.message, "what to do");
    }
}

#[test]
fn what_an_older_spec_was_refused_for_says_nothing_of_a_newer_one() {
    let mut scenario = Scenario::new();
    assert_eq!(condition(scenario.see(vec![ended(0, Refused, Reason::AddressInternal)]), "Ready").status, "False");
    scenario.schedule.metadata.generation = Some(2);
    let status = scenario.see(Vec::new());
    assert_eq!(condition(status, "TargetAllowed").status, "Unknown");
    assert_eq!(condition(status, "Ready").status, "Unknown");
}

#[test]
fn the_next_delivery_is_due_by_the_clocks_of_its_zone_before_and_after_they_change() {
    let valid = valid_with(json!({"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"})).unwrap();
    let next = |now: &str| next(&valid, now.parse().unwrap()).unwrap().0.to_string();
    assert_eq!(next("2027-03-26T12:00:00Z"), "2027-03-27T01:30:00Z");
    assert_eq!(next("2027-03-28T12:00:00Z"), "2027-03-29T00:30:00Z");
    // In autumn, 02:30 occurs twice.
    assert_eq!(next("2027-10-30T12:00:00Z"), "2027-10-31T00:30:00Z");
    assert_eq!(next("2027-10-31T00:30:00Z"), "2027-10-31T01:30:00Z");
}

#[test]
fn what_is_not_accepted_shows_the_refusal_and_no_next_delivery() {
    let mut scenario = Scenario::new();
    assert!(scenario.see(Vec::new()).next_delivery_time.is_some());
    let status = scenario.go(&Progress::Refused(&Refusal::Tier(TierError::NoDefault)), Vec::new());
    assert_eq!(condition(status, "Accepted").reason, "NoDefaultTier");
    assert_eq!(condition(status, "Ready").status, "False");
    assert_eq!((&status.next_delivery_time, &status.tier), (&None, &None));
}

#[test]
fn nobody_knows_whether_a_schedule_is_ready_until_it_has_its_first_key_and_one_that_cannot_be_made_is_told() {
    let valid = ValidatedSchedule { checked_first: false, ..valid_with(json!({})).unwrap() };
    let mut scenario = Scenario::new();
    let waits = scenario.go(&Progress::WaitsForKey(&valid), Vec::new());
    assert_eq!(condition(waits, "Accepted").status, "True");
    for kind in ["Scheduled", "Ready"] {
        let condition = condition(waits, kind);
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("Unknown", "KeyPending"), "{kind}");
    }
    assert_eq!(waits.next_delivery_time, None);
    assert!(include_str!("../../../../docs/reasons.md").contains("| `KeyPending` |"));
    let mut assessment = assess(&scenario.schedule, &found(Vec::new()), Some(&valid), minute(1));
    assessment.key_error = Some(KeyNotMade { why: "the API server answered 403 when asked to make its Secret".into() });
    let failed = status(&scenario.schedule, &Progress::WaitsForKey(&valid), &assessment, minute(1));
    for kind in ["Scheduled", "Ready"] {
        let condition = condition(&failed, kind);
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "KeyNotMade"), "{kind}");
    }
}

#[test]
fn a_paused_schedule_is_ready_and_has_no_next_delivery() {
    let mut scenario = Scenario::new();
    let paused = valid_with(json!({"suspend": true})).unwrap();
    scenario.schedule.status.get_or_insert_default().checked = Some(checked(1, CheckResult::Allowed, 0));
    let status = scenario.go(&Progress::Applied(&paused), Vec::new());
    assert_eq!(condition(status, "Scheduled").reason, "Suspended");
    assert_eq!(condition(status, "Ready").status, "True");
    assert_eq!(status.next_delivery_time, None);
}

#[test]
fn where_a_proof_is_required_nothing_is_sent_or_missed_and_no_trigger_is_made_before_there_is_one() {
    let mut valid = valid_with(json!({})).unwrap();
    (valid.isolation_required, valid.checked_first) = (true, false);
    let mut schedule = schedule();
    schedule.metadata.annotations = Some([("postern.dev/trigger".into(), "now".into())].into());
    let mut look = |isolation: Option<&'static str>, at: i64| {
        let mut found = found(Vec::new());
        if let Some(status) = isolation {
            found.isolation.status = status;
        }
        let assessment = assess(&schedule, &found, Some(&valid), minute(at));
        let new = status(&schedule, &Progress::Applied(&valid), &assessment, minute(at));
        schedule.status = Some(new.clone());
        (pause(&valid, &assessment), assessment.history, new)
    };
    for at in [1, 90] {
        let (paused, record, new) = look(None, at);
        assert_eq!(paused, Some(Pause::NotIsolated));
        assert!(record.trigger.is_none() && record.missed.is_empty());
        assert_eq!(condition(&new, "Scheduled").reason, "NotIsolated");
        assert_eq!(condition(&new, "EgressIsolated").reason, "Checking");
        assert_eq!((condition(&new, "Ready").status.as_str(), &new.next_delivery_time), ("False", &None));
    }
    assert_eq!(look(Some("False"), 91).0, Some(Pause::NotIsolated));
    let (paused, record, new) = look(Some("True"), 92);
    assert!(paused.is_none() && record.trigger.is_some() && record.missed.is_empty());
    assert_eq!(condition(&new, "Ready").status, "True");
}

#[test]
fn a_network_that_is_not_closed_is_told_and_says_nothing_against_the_schedule() {
    let valid = ValidatedSchedule { checked_first: false, ..valid_with(json!({})).unwrap() };
    let mut found = found(Vec::new());
    found.isolation =
        IsolationStatus { status: "False", reason: "InternalReachable", message: "what was reached".into() };
    let schedule = schedule();
    let assessment = assess(&schedule, &found, Some(&valid), minute(1));
    let new = status(&schedule, &Progress::Applied(&valid), &assessment, minute(1));
    assert_eq!(condition(&new, "EgressIsolated").message, "what was reached");
    assert_eq!(condition(&new, "Ready").status, "True");
}

#[test]
fn a_name_that_is_taken_is_named() {
    let mut scenario = Scenario::new();
    let valid = valid_with(json!({})).unwrap();
    let taken = ApplyError::NameTaken { kind: "CronJob".into(), name: "postern-nightly-report".into() }.into();
    let status = scenario.go(&Progress::Blocked(&valid, &taken), Vec::new());
    let scheduled = condition(status, "Scheduled");
    assert_eq!(scheduled.reason, "NameTaken");
    assert_eq!(
        scheduled.message,
        "CronJob postern-nightly-report exists and doesn't belong to Postern: delete or rename it, and this schedule \
         goes on by itself"
    );
}

#[test]
fn policies_that_are_off_are_told_and_leave_a_schedule_ready() {
    let valid = ValidatedSchedule { checked_first: false, ..valid_with(json!({})).unwrap() };
    let mut scenario = Scenario::new();
    scenario.schedule.metadata.generation = Some(7);
    let mut assessment = assess(&scenario.schedule, &found(Vec::new()), Some(&valid), minute(0));
    assessment.protection = AdmissionStatus::of(&[], &[]);
    let status = status(&scenario.schedule, &Progress::Applied(&valid), &assessment, minute(0));
    let shown: Vec<_> = status.conditions.iter().map(|condition| (&*condition.type_, &*condition.status)).collect();
    let unknown = [("Healthy", "Unknown"), ("Ready", "True")];
    let told = [
        ("Accepted", "True"),
        ("Scheduled", "True"),
        ("TargetAllowed", "Unknown"),
        ("EgressIsolated", "Unknown"),
        ("Protected", "False"),
    ];
    assert_eq!(shown, [&told[..], &unknown].concat());
    assert_eq!(condition(&status, "Protected").observed_generation, Some(7));
}

#[test]
fn every_reason_of_a_condition_is_in_the_docs() {
    let page = include_str!("../../../../docs/reasons.md");
    let refusals = [
        Refusal::ScheduleInvalid(String::new()),
        Refusal::TimeZoneUnknown(String::new()),
        TierError::NotFound(String::new()).into(),
        Refusal::Tier(TierError::NoDefault),
        TierError::SeveralDefaults(String::new()).into(),
        TierError::Invalid { tier: String::new(), problem: String::new() }.into(),
        Refusal::SpecInvalid(String::new()),
    ];
    for refusal in &refusals {
        let mut scenario = Scenario::new();
        for condition in &scenario.go(&Progress::Refused(refusal), Vec::new()).conditions {
            assert!(
                page.contains(&format!("| `{}` |", condition.reason)),
                "docs/reasons.md lacks {}",
                condition.reason
            );
        }
    }
}

#[test]
fn one_that_is_not_accepted_does_not_follow_what_is_true_of_its_namespace_or_of_the_cluster() {
    let refusal = Refusal::Tier(TierError::NoDefault);
    let told = |isolation: IsolationStatus, protection: AdmissionStatus| {
        let mut assessment = assess(&schedule(), &found(Vec::new()), None, minute(0));
        assessment.isolation = isolation;
        assessment.protection = protection;
        status(&schedule(), &Progress::Refused(&refusal), &assessment, minute(0))
    };
    let open = IsolationStatus { status: "False", reason: "ForeignPolicy", message: "a".into() };
    let before =
        told(IsolationStatus::unknown(crate::operator::settings::Isolation::Warn), AdmissionStatus::Unreadable);
    assert_eq!(told(open, AdmissionStatus::of(&[], &[])), before);
    for kind in ["EgressIsolated", "Protected"] {
        let condition = condition(&before, kind);
        assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("Unknown", "NotAccepted"));
    }
}
