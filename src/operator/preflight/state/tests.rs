//! What is checked, when, and with which result.

use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::delivery::OutcomeClass::{self, Checked, Failed, Interrupted, Refused};
use crate::operator::test_support::objects::{
    ended, found, history, minute, over, run, said, schedule, terminated, valid_with,
};

/// A schedule whose checks are observed one after the other.
pub(super) struct Scenario {
    pub(super) schedule: WebhookSchedule,
    pub(super) recent: Vec<DeliveryStatus>,
}

impl Scenario {
    pub(super) fn new() -> Self {
        Self { schedule: schedule(), recent: Vec::new() }
    }

    pub(super) fn annotate(&mut self, value: &str) {
        self.schedule.metadata.annotations = Some([(CHECK_ANNOTATION.into(), value.into())].into());
    }

    pub(super) fn look(&mut self, runs: &[Run]) -> CheckState {
        self.look_at(0, runs)
    }

    /// Observes this many minutes after the first Jobs were made, and writes the status.
    pub(super) fn look_at(&mut self, now: i64, runs: &[Run]) -> CheckState {
        self.look_after(60 * now, runs)
    }

    /// Observes this many seconds later, and writes the status.
    pub(super) fn look_after(&mut self, seconds: i64, runs: &[Run]) -> CheckState {
        let now = minute(0) + SignedDuration::from_secs(seconds);
        let look = check_state(&self.schedule, runs, &self.recent, true, now);
        self.schedule.status.get_or_insert_default().checked.clone_from(&look.checked);
        look
    }

    /// The check that is due now.
    pub(super) fn due(&mut self) -> Check {
        self.due_after(0)
    }

    pub(super) fn due_after(&mut self, seconds: i64) -> Check {
        match self.look_after(seconds, &[]).stage {
            Phase::Due(check) => check,
            other => panic!("{other:?}"),
        }
    }

    /// The result of a check whose sender reports this.
    pub(super) fn checked(&mut self, class: OutcomeClass, reason: Reason) -> CheckStatus {
        let check = self.due();
        let look = self.look(&[made(&check, over(), vec![said(class, reason)])]);
        assert_eq!(look.stage, Phase::Nothing);
        look.checked.unwrap()
    }
}

/// A check's run that began at the first minute.
pub(super) fn made(check: &Check, job: Value, pods: Vec<Value>) -> Run {
    let mut run = run(0, job, pods);
    let job = Arc::make_mut(&mut run.job);
    job.metadata.name = Some(check.job.clone());
    job.annotations_mut().insert(CHECK_ANNOTATION.into(), check.value.clone().unwrap_or_default());
    run
}

#[test]
fn a_new_spec_is_checked_once_and_a_changed_one_again() {
    let mut scenario = Scenario::new();
    let first = scenario.due();
    assert_eq!(scenario.due(), first, "the same however often it is tried");
    assert!(first.job.starts_with("postern-nightly-report-c"), "{first:?}");
    let checked = scenario.checked(Checked, Reason::Allowed);
    assert_eq!((checked.generation, checked.result, checked.value), (1, CheckResult::Allowed, None));
    assert_eq!(scenario.look(&[]).stage, Phase::Nothing);

    scenario.schedule.metadata.generation = Some(2);
    assert_ne!(scenario.due().job, first.job);
    assert_eq!(scenario.checked(Refused, Reason::AddressInternal).generation, 2);
    assert_eq!(scenario.look(&[]).stage, Phase::Nothing);
}

#[test]
fn each_new_value_asks_again_and_one_that_comes_back_too() {
    let mut scenario = Scenario::new();
    scenario.checked(Checked, Reason::Allowed);
    let mut names = Vec::new();
    for (count, value) in (1..).zip(["one", "two", "one"]) {
        scenario.annotate(value);
        names.push(scenario.due().job);
        assert_eq!(scenario.checked(Checked, Reason::Allowed).value.as_deref(), Some(value));
        assert_eq!(scenario.look(&[]).stage, Phase::Nothing);
        // Make the next check later than this one.
        scenario.schedule.status.as_mut().unwrap().checked.as_mut().unwrap().time = Time(minute(count));
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "no Job that is still there is taken for another's");
    scenario.annotate("");
    assert_eq!(scenario.look(&[]).stage, Phase::Nothing);
}

#[test]
fn the_value_that_was_asked_for_stays_asked_for_by_a_later_spec() {
    let mut scenario = Scenario::new();
    scenario.annotate("one");
    scenario.checked(Checked, Reason::Allowed);
    scenario.schedule.metadata.annotations = None;
    scenario.schedule.metadata.generation = Some(2);
    assert_eq!(scenario.checked(Checked, Reason::Allowed).value.as_deref(), Some("one"));
    scenario.annotate("one");
    assert_eq!(scenario.look(&[]).stage, Phase::Nothing);
}

#[test]
fn what_a_delivery_has_told_already_is_not_checked_but_on_demand() {
    let mut scenario = Scenario::new();
    let told = |class, reason| {
        let valid = valid_with(json!({"schedule": "* * * * *"})).unwrap();
        let found = found(vec![ended(0, class, reason)]);
        history(&schedule(), &found, Some(&valid), minute(0)).recent
    };
    for (class, reason, is_judged) in [
        (OutcomeClass::Delivered, Reason::Delivered, true),
        (Failed, Reason::ReceiverError, true),
        (Refused, Reason::AddressInternal, true),
        (Refused, Reason::StartingDeadlineExceeded, false),
        (Failed, Reason::NameNotResolved, false),
    ] {
        scenario.recent = told(class, reason);
        assert_eq!(scenario.look(&[]).stage == Phase::Nothing, is_judged, "{reason}");
    }
    scenario.recent = told(OutcomeClass::Delivered, Reason::Delivered);
    scenario.annotate("now");
    scenario.due();
    scenario.schedule.metadata.annotations = None;
    scenario.schedule.metadata.generation = Some(2);
    scenario.due();
}

#[test]
fn says_what_a_check_came_to() {
    for (class, reason, result) in [
        (Checked, Reason::Allowed, CheckResult::Allowed),
        (Refused, Reason::ReferenceMissing, CheckResult::Refused),
        (Failed, Reason::NameNotResolved, CheckResult::Refused),
        (Interrupted, Reason::Interrupted, CheckResult::Unknown),
        (OutcomeClass::Delivered, Reason::Allowed, CheckResult::Unknown),
    ] {
        let checked = Scenario::new().checked(class, reason);
        assert_eq!((checked.result, &*checked.reason), (result, reason.as_str()));
        assert_eq!(checked.detail.as_deref(), Some("what to do"));
    }
    let mut scenario = Scenario::new();
    let check = scenario.due();
    let silent = terminated(json!({"exitCode": 2, "reason": "Error"}));
    let checked = scenario.look(&[made(&check, over(), vec![silent])]).checked.unwrap();
    assert_eq!((checked.result, &*checked.reason), (CheckResult::Unknown, "SenderEndedSilently"));
}

#[test]
fn what_its_sender_says_counts_once_its_job_is_over() {
    let mut scenario = Scenario::new();
    let check = scenario.due();
    let look = scenario.look(&[made(&check, json!({"active": 1}), vec![said(Checked, Reason::Allowed)])]);
    assert_eq!((look.stage, look.checked), (Phase::UnderWay, None));
    scenario.look(&[made(&check, over(), vec![said(Checked, Reason::Allowed)])]).checked.unwrap();
}

#[test]
fn one_that_cannot_begin_is_given_up_and_its_job_ended() {
    let mut scenario = Scenario::new();
    let check = scenario.due();
    let runs = [made(&check, json!({}), Vec::new())];
    let waits = scenario.look_at(2, &runs);
    assert_eq!((waits.stage, waits.until), (Phase::UnderWay, Some(minute(2).as_second() + 10)));
    assert!(waits.checked.is_none() && waits.given_up.is_none());
    let over = scenario.look_at(3, &runs);
    assert_eq!(over.given_up.unwrap().name_any(), check.job);
    let checked = over.checked.unwrap();
    assert_eq!(
        (checked.result, &*checked.reason, checked.time),
        (CheckResult::Unknown, "PodNotCreated", Time(minute(3)))
    );
    assert_eq!(scenario.look_at(3, &[]).stage, Phase::Nothing);
}

#[test]
fn one_that_does_not_end_is_given_up_whatever_becomes_of_its_job() {
    let mut scenario = Scenario::new();
    let check = scenario.due();
    // For example, its node is lost.
    let mut runs = [made(&check, json!({"active": 1, "ready": 1}), Vec::new())];
    let waits = scenario.look_at(3, &runs);
    assert_eq!((waits.stage, waits.until), (Phase::UnderWay, Some(minute(3).as_second())));
    let over = scenario.look_at(4, &runs);
    assert_eq!((over.stage, over.given_up.map(|job| job.name_any())), (Phase::Nothing, Some(check.job)));
    let checked = over.checked.unwrap();
    assert_eq!((checked.result, &*checked.reason), (CheckResult::Unknown, "PodDeadlineExceeded"));
    assert_eq!(scenario.look_at(4, &runs).obsolete.len(), 1, "it is still there");

    scenario.annotate("again");
    let another = scenario.look_at(4, &runs);
    assert!(matches!(another.stage, Phase::Due(_)), "{:?}", another.stage);
    assert_eq!(another.obsolete.len(), 1);
    Arc::make_mut(&mut runs[0].job).metadata.deletion_timestamp = Some(Time(minute(4)));
    let another = scenario.look_at(4, &runs);
    assert!(matches!(another.stage, Phase::Due(_)), "{:?}", another.stage);
    assert!(another.obsolete.is_empty(), "it is deleted once");
}

#[test]
fn what_its_sender_says_counts_in_the_end_though_its_job_is_never_over() {
    let mut scenario = Scenario::new();
    let check = scenario.due();
    let late = scenario.look_at(4, &[made(&check, json!({"active": 1}), vec![said(Checked, Reason::Allowed)])]);
    assert_eq!((late.checked.unwrap().result, late.given_up.is_some()), (CheckResult::Allowed, true));
}

#[test]
fn one_that_could_not_be_made_leaves_what_is_known_of_the_spec() {
    let mut scenario = Scenario::new();
    let known = scenario.checked(Refused, Reason::AddressInternal);
    scenario.annotate("again");
    let again = scenario.checked(Interrupted, Reason::Interrupted);
    let repeat_at = again.repeat_at.clone();
    assert!(repeat_at.is_some(), "it is tried again");
    assert_eq!(again, CheckStatus { value: Some("again".into()), repeat_at, ..known });
    assert_eq!(scenario.look(&[]).stage, Phase::Nothing, "it was answered");
    scenario.schedule.metadata.generation = Some(2);
    assert_eq!(scenario.checked(Interrupted, Reason::Interrupted).result, CheckResult::Unknown);
    scenario.annotate("and again");
    assert_eq!(scenario.checked(Checked, Reason::Allowed).result, CheckResult::Allowed);
}

#[test]
fn however_often_the_spec_changes_one_is_made_after_the_other() {
    let mut scenario = Scenario::new();
    let first = scenario.due();
    scenario.schedule.metadata.generation = Some(2);
    let look = scenario.look(&[made(&first, json!({}), Vec::new())]);
    assert_eq!((look.stage, look.checked), (Phase::UnderWay, None));
    assert!(look.obsolete.is_empty() && look.until.is_some());
    let stuck = scenario.look_at(3, &[made(&first, json!({}), Vec::new())]);
    assert!(matches!(stuck.stage, Phase::Due(_)), "{:?}", stuck.stage);
    assert_eq!(stuck.obsolete.len(), 1, "it is in the way");
    // The check of the first spec says nothing about the second spec.
    let over = scenario.look(&[made(&first, over(), vec![said(Checked, Reason::Allowed)])]);
    assert!(matches!(over.stage, Phase::Due(check) if check.job != first.job));
    assert_eq!(over.checked, None);
}

#[test]
fn what_is_asked_meanwhile_takes_no_result_from_a_new_spec() {
    let mut scenario = Scenario::new();
    let first = scenario.due();
    scenario.annotate("again");
    assert_eq!(scenario.look(&[made(&first, json!({}), Vec::new())]).stage, Phase::UnderWay);
    let over = [made(&first, over(), vec![said(Checked, Reason::Allowed)])];
    let checked = scenario.look(&over).checked.unwrap();
    assert_eq!((checked.result, checked.value), (CheckResult::Allowed, None));
    let next = scenario.look(&over).stage;
    assert!(matches!(&next, Phase::Due(check) if check.value.as_deref() == Some("again")), "{next:?}");
}

#[test]
fn what_nobody_asks_for_any_more_is_ended_if_it_has_not() {
    let mut scenario = Scenario::new();
    let check = scenario.due();
    for (status, ended) in [(json!({}), 1), (over(), 0)] {
        let run = made(&check, status, Vec::new());
        let refused = super::check_state(&scenario.schedule, &[run], &[], false, minute(0));
        assert_eq!((refused.stage, refused.obsolete.len()), (Phase::Nothing, ended), "it is not accepted");
    }
}

#[test]
fn nothing_is_checked_where_checks_are_switched_off() {
    let mut scenario = Scenario::new();
    scenario.annotate("now");
    let look = |runs: &[Run]| super::check_state(&scenario.schedule, runs, &[], false, minute(0));
    assert_eq!(look(&[]).stage, Phase::Nothing);
    let under_way =
        look(&[made(&Check { job: "x".into(), value: None, repeated_within: None }, json!({"active": 1}), Vec::new())]);
    assert_eq!((under_way.stage, under_way.obsolete.len()), (Phase::Nothing, 1), "what was begun before is ended");
}
