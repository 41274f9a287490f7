//! What a tenant sees of checks.

use serde_json::json;

use super::tests::{Scenario, condition};
use super::*;
use crate::api::{CheckResult, CheckStatus};
use crate::delivery::OutcomeClass::{Delivered, Failed, Refused};
use crate::delivery::Reason;
use crate::operator::preflight::state::{Check, Phase};
use crate::operator::schedule::assess::assess;
use crate::operator::test_support::objects::{ended, found, minute, schedule, valid_with};

#[test]
fn that_no_job_could_be_made_for_a_check_is_told_while_nothing_is_known_and_is_in_the_docs() {
    let valid = valid_with(json!({})).unwrap();
    let mut assessment = assess(&schedule(), &found(Vec::new()), Some(&valid), minute(0));
    let check = Check { job: "check".into(), value: None, repeated_within: None };
    assessment.check.could_not_be_made(&schedule(), &check, minute(0));
    let status = status(&schedule(), &Progress::Applied(&valid), &assessment, minute(0));
    let allowed = condition(&status, "TargetAllowed");
    assert_eq!((&*allowed.status, &*allowed.reason), ("Unknown", "JobNotCreated"));
    assert_eq!(condition(&status, "Ready").status, "True");
    assert!(include_str!("../../../../docs/reasons.md").contains("| `JobNotCreated` |"));
}

/// The result of a check of this generation that began at this minute.
pub(super) fn checked(generation: i64, result: CheckResult, at: i64) -> CheckStatus {
    let (generation, value, time) = (generation, None, Time(minute(at)));
    let (reason, detail) = ("ReferenceMissing".into(), Some("add it".into()));
    let (target, key_fingerprints, repeats, repeat_at) = (None, Vec::new(), 0, None);
    CheckStatus { generation, value, time, result, reason, detail, target, key_fingerprints, repeats, repeat_at }
}

#[test]
fn the_target_is_judged_by_a_check_until_a_later_delivery_tells_and_the_other_way_round() {
    let mut scenario = Scenario::new();
    let told = |scenario: &mut Scenario, runs, checked: Option<CheckStatus>| {
        scenario.schedule.status.get_or_insert_default().checked = checked;
        let allowed = condition(scenario.see(runs), "TargetAllowed").clone();
        (allowed.status, allowed.reason, allowed.message)
    };
    let fact = |status: &str, reason: &str, message: &str| (status.into(), reason.into(), message.into());
    let delivered = || vec![ended(5, Delivered, Reason::Delivered)];
    let by_delivery = fact("True", "Allowed", "the last delivery was not refused");

    assert_eq!(told(&mut scenario, Vec::new(), None).1, "Checking");
    assert_eq!(
        told(&mut scenario, Vec::new(), Some(checked(0, CheckResult::Refused, 0))).1,
        "Checking",
        "an older spec"
    );
    let refused = fact("False", "ReferenceMissing", "add it");
    assert_eq!(told(&mut scenario, Vec::new(), Some(checked(1, CheckResult::Refused, 0))), refused);
    let unknown = told(&mut scenario, Vec::new(), Some(checked(1, CheckResult::Unknown, 0)));
    assert_eq!(unknown, fact("Unknown", "ReferenceMissing", "the check could not be made: add it"));
    assert_eq!(told(&mut scenario, delivered(), Some(checked(1, CheckResult::Refused, 0))), by_delivery);
    // A check on demand, after the delivery.
    assert_eq!(told(&mut scenario, delivered(), Some(checked(1, CheckResult::Refused, 6))), refused);
    assert_eq!(condition(scenario.schedule.status.as_ref().unwrap(), "Ready").reason, "ReferenceMissing");
    assert_eq!(told(&mut scenario, delivered(), Some(checked(1, CheckResult::Allowed, 6))).0, "True");
    assert_eq!(told(&mut scenario, delivered(), Some(checked(1, CheckResult::Unknown, 6))), by_delivery);
}

/// What `Ready` and `TargetAllowed` say this many minutes after a new spec, when its first check is in this phase; and the
/// message.
fn report_at(scenario: &mut Scenario, at: i64, stage: Phase) -> [String; 3] {
    let valid = valid_with(json!({})).unwrap();
    let mut assessment = assess(&scenario.schedule, &found(Vec::new()), Some(&valid), minute(at));
    assessment.check.stage = stage;
    let new = status(&scenario.schedule, &Progress::Applied(&valid), &assessment, minute(at));
    scenario.schedule.status = Some(new.clone());
    let told = |kind| format!("{} {}", condition(&new, kind).status, condition(&new, kind).reason);
    [told("Ready"), told("TargetAllowed"), condition(&new, "TargetAllowed").message.clone()]
}

#[test]
fn nobody_knows_whether_a_schedule_is_ready_until_its_spec_is_checked() {
    let mut scenario = Scenario::new();
    for at in 0..5 {
        assert_eq!(
            report_at(&mut scenario, at, Phase::UnderWay)[..2],
            ["Unknown Checking", "Unknown Checking"],
            "{at}"
        );
    }
    scenario.schedule.status.as_mut().unwrap().checked = Some(checked(1, CheckResult::Allowed, 5));
    assert_eq!(report_at(&mut scenario, 5, Phase::Nothing)[..2], ["True Ready", "True ReferenceMissing"]);
    assert_eq!(report_at(&mut scenario, 6, Phase::UnderWay)[0], "True Ready", "it is checked again");
    scenario.schedule.metadata.generation = Some(2);
    assert_eq!(report_at(&mut scenario, 7, Phase::UnderWay)[0], "Unknown Checking", "another spec");
    scenario.schedule.status.as_mut().unwrap().checked = Some(checked(2, CheckResult::Refused, 8));
    assert_eq!(report_at(&mut scenario, 8, Phase::Nothing)[0], "False ReferenceMissing");
}

#[test]
fn nobody_waits_for_ever_for_a_check_that_does_not_begin_or_was_given_up() {
    let due = || Phase::Due(Check { job: "check".into(), value: None, repeated_within: None });
    let mut scenario = Scenario::new();
    assert_eq!(report_at(&mut scenario, 0, due())[0], "Unknown Checking");
    assert_eq!(report_at(&mut scenario, 1, due())[0], "Unknown Checking");
    assert_eq!(report_at(&mut scenario, 2, due())[..2], ["True Ready", "Unknown Checking"]);
    assert_eq!(report_at(&mut scenario, 3, Phase::UnderWay)[0], "True Ready", "it doesn't turn back");

    let mut scenario = Scenario::new();
    report_at(&mut scenario, 0, Phase::UnderWay);
    scenario.schedule.status.as_mut().unwrap().checked = Some(checked(1, CheckResult::Unknown, 1));
    assert_eq!(report_at(&mut scenario, 1, Phase::Nothing)[..2], ["True Ready", "Unknown ReferenceMissing"]);

    // Another spec is waited for as long as the first.
    let mut scenario = Scenario::new();
    report_at(&mut scenario, 0, due());
    scenario.schedule.metadata.generation = Some(2);
    let ready = [1, 2, 3].map(|at| report_at(&mut scenario, at, due())[0].clone());
    assert_eq!(ready, ["Unknown Checking", "Unknown Checking", "True Ready"]);
}

#[test]
fn a_check_that_waits_for_the_tier_says_until_when_and_is_waited_for_if_that_is_soon() {
    let at = |minutes| Phase::Waits(minute(minutes).as_second());
    let mut scenario = Scenario::new();
    let told = report_at(&mut scenario, 0, at(1));
    assert_eq!(told[..2], ["Unknown CheckWaits", "Unknown CheckWaits"]);
    assert!(told[2].contains("this spec is checked at 2027-01-15T08:01:00Z"), "{}", told[2]);
    assert!(include_str!("../../../../docs/reasons.md").contains("| `CheckWaits` |"));
    let mut scenario = Scenario::new();
    for now in 0..3 {
        assert_eq!(report_at(&mut scenario, now, at(15))[..2], ["True Ready", "Unknown CheckWaits"], "{now}");
    }
    scenario.schedule.status.as_mut().unwrap().checked = Some(checked(1, CheckResult::Refused, 8));
    let told = report_at(&mut scenario, 9, at(15));
    assert_eq!(told[..2], ["False ReferenceMissing", "False ReferenceMissing"]);
    let waits = "add it; the requested check is made at 2027-01-15T08:15:00Z, the earliest time that the tier allows";
    assert_eq!(told[2], waits);
}

#[test]
fn a_name_that_was_not_resolved_says_nothing_of_where_it_leads() {
    let mut scenario = Scenario::new();
    scenario.see(vec![ended(0, Refused, Reason::AddressInternal)]);
    let status = scenario.see(vec![ended(1, Failed, Reason::NameNotResolved)]);
    assert_eq!(condition(status, "TargetAllowed").reason, "AddressInternal");
}

#[test]
fn a_refusal_for_lateness_says_nothing_of_the_target() {
    let mut scenario = Scenario::new();
    scenario.see(vec![ended(0, Delivered, Reason::Delivered)]);
    let status = scenario.see(vec![ended(1, Refused, Reason::StartingDeadlineExceeded)]);
    assert_eq!(condition(status, "TargetAllowed").status, "True");
}
