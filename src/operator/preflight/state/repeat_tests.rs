//! Which checks are repeated automatically, and until when.

use k8s_openapi::jiff::SignedDuration;
use serde_json::json;

use super::tests::{Scenario, made};
use super::*;
use crate::delivery::OutcomeClass::{self, Checked, Refused};
use crate::operator::test_support::objects::{ended, found, history, minute, over, said, schedule, valid_with};

#[test]
fn what_may_pass_is_checked_again_by_itself_soon_and_then_ever_more_rarely_until_it_has() {
    let mut scenario = Scenario::new();
    let first = scenario.checked(Refused, Reason::ReferenceMissing);
    assert_eq!((first.repeats, first.repeat_at), (0, Some(Time(minute(0) + SignedDuration::from_secs(5)))));
    let (mut now, mut names) = (0, Vec::new());
    for (repeats, wait) in (1..).zip([5, 15, 45, 90, 180]) {
        let waits = scenario.look_after(now + wait - 1, &[]);
        assert_eq!((waits.stage, waits.until), (Phase::Nothing, Some(minute(0).as_second() + now + wait)));
        now += wait;
        let check = scenario.due_after(now);
        assert_eq!(scenario.due_after(now + 1), check, "the same however often it is tried");
        assert_eq!(check.repeated_within, Some(wait));
        let over = scenario.look_after(now, &[made(&check, over(), vec![said(Refused, Reason::ReferenceMissing)])]);
        assert_eq!(over.ended, Some((CheckResult::Refused, "ReferenceMissing".into())));
        assert_eq!(over.checked.unwrap().repeats, repeats);
        names.push(check.job);
    }
    names.dedup();
    assert_eq!(names.len(), 5, "each is another Job");
    let check = scenario.due_after(now + 360);
    let over = scenario.look_after(now + 360, &[made(&check, over(), vec![said(Checked, Reason::Allowed)])]);
    let checked = over.checked.unwrap();
    assert_eq!((checked.result, checked.repeats, checked.repeat_at), (CheckResult::Allowed, 0, None));
    assert_eq!(scenario.look_after(now + 99_999, &[]).stage, Phase::Nothing);
}

#[test]
fn what_could_not_be_made_is_tried_again_and_where_a_url_leads_is_not() {
    let mut scenario = Scenario::new();
    let check = scenario.due();
    let runs = [made(&check, json!({}), Vec::new())];
    let given_up = scenario.look_at(3, &runs);
    assert_eq!(given_up.ended, Some((CheckResult::Unknown, "PodNotCreated".into())));
    assert_eq!(given_up.until, Some(minute(3).as_second() + 5));
    let again = scenario.due_after(185);
    let mut look = scenario.look_after(185, &[]);
    look.could_not_be_made(&scenario.schedule, &again, minute(3));
    let checked = look.checked.unwrap();
    assert_eq!((checked.result, &*checked.reason, checked.repeats), (CheckResult::Unknown, "JobNotCreated", 1));

    let mut scenario = Scenario::new();
    assert_eq!(scenario.checked(Refused, Reason::AddressInternal).repeat_at, None);
    assert_eq!(scenario.look_at(999, &[]).stage, Phase::Nothing);
}

#[test]
fn what_is_repeated_ends_with_a_new_spec_or_a_delivery_that_tells_more() {
    let mut scenario = Scenario::new();
    scenario.checked(Refused, Reason::ReferenceMissing);
    scenario.schedule.status.as_mut().unwrap().checked.as_mut().unwrap().time = Time(minute(0));
    let found = |class, reason| {
        let found = found(vec![ended(1, class, reason)]);
        let valid = valid_with(json!({"schedule": "* * * * *"})).unwrap();
        history(&schedule(), &found, Some(&valid), minute(1)).recent
    };
    scenario.recent = found(Refused, Reason::ReferenceMissing);
    assert!(matches!(scenario.look_at(2, &[]).stage, Phase::Due(_)), "nothing else is known");
    scenario.recent = found(OutcomeClass::Delivered, Reason::Delivered);
    let told = scenario.look_at(2, &[]);
    assert_eq!((told.stage, told.checked.unwrap().repeat_at), (Phase::Nothing, None));

    let mut scenario = Scenario::new();
    scenario.checked(Refused, Reason::ReferenceMissing);
    scenario.schedule.metadata.generation = Some(2);
    assert_eq!(scenario.due().repeated_within, None);
    assert_eq!(scenario.checked(Refused, Reason::ReferenceMissing).repeats, 0);
}

#[test]
fn of_jobs_that_are_over_the_last_stays_and_the_others_go_when_the_next_is_due() {
    let mut scenario = Scenario::new();
    let first = made(&scenario.due(), over(), vec![said(Refused, Reason::ReferenceMissing)]);
    scenario.look(std::slice::from_ref(&first));
    let mut second = made(&scenario.due_after(5), over(), vec![said(Refused, Reason::ReferenceMissing)]);
    Arc::make_mut(&mut second.job).metadata.creation_timestamp = Some(Time(minute(0) + SignedDuration::from_secs(5)));
    let name = first.job.name_any();
    let runs = [second, first];
    let ended = scenario.look_after(5, &runs);
    assert!(ended.ended.is_some() && ended.obsolete.is_empty());
    let next = scenario.look_after(20, &runs);
    assert!(matches!(next.stage, Phase::Due(_)));
    assert_eq!(next.obsolete.iter().map(|job| job.name_any()).collect::<Vec<_>>(), [name]);
}
