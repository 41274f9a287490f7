//! When a CronJob is held, until when, and when a requested delivery is made.

use serde_json::json;

use super::*;
use crate::cron::time_zone;
use crate::operator::test_support::objects::{minute, schedule, share_of, valid_with};

/// Seconds of a minute of the day.
fn at(hour: i64, minute: i64) -> i64 {
    1_800_000_000 / 86_400 * 86_400 + hour * 3_600 + minute * 60
}

/// A schedule in a tier that allows one delivery in 15 minutes.
struct Case {
    schedule: &'static str,
    deadline: i64,
    last: Option<i64>,
    last_triggered: Option<i64>,
    not_before: Option<i64>,
    held_until: Option<i64>,
    spread: i64,
    child: CronJobState,
}

impl Case {
    fn new(schedule: &'static str, child: CronJobState) -> Self {
        Self {
            schedule,
            deadline: 300,
            last: None,
            last_triggered: None,
            not_before: None,
            held_until: None,
            spread: 0,
            child,
        }
    }

    fn ask<T>(&self, question: impl Fn(&Spacing<'_>) -> T) -> T {
        let expression = Expression::parse(self.schedule, None).unwrap();
        let Case { schedule: _, deadline, last, last_triggered, not_before, held_until, spread, child } = *self;
        let zone = time_zone("UTC").unwrap();
        question(&Spacing {
            expression: &expression,
            zone: &zone,
            deadline,
            min_interval: 900,
            last,
            last_triggered,
            not_before,
            held_until,
            spread,
            child,
        })
    }

    fn held_until(&self, now: i64) -> Option<i64> {
        self.ask(|spacing| spacing.held_until(now))
    }

    fn triggered(&self, now: i64) -> TriggerDecision {
        self.ask(|spacing| spacing.triggered(Some(0), now))
    }
}

#[test]
fn a_cron_job_that_runs_by_its_expression_is_never_held() {
    let case = Case { last: Some(at(9, 0)), ..Case::new("*/15 * * * *", CronJobState::Runs(at(9, 0))) };
    for now in [at(9, 0) + 1, at(9, 14), at(9, 15) - 1, at(9, 15), at(9, 15) + 30, at(9, 21)] {
        assert_eq!(case.held_until(now), None, "{now}");
    }
}

#[test]
fn a_new_schedule_begins_at_its_next_time() {
    let case = Case::new("*/15 * * * *", CronJobState::Missing);
    assert_eq!(case.held_until(at(9, 1)), None);
    let after_one_that_was_deleted = Case { not_before: Some(at(9, 20)), ..case };
    assert_eq!(after_one_that_was_deleted.held_until(at(9, 1)), Some(at(9, 30)));
}

#[test]
fn an_edit_that_moves_the_minute_is_held_until_the_gap_is_kept() {
    // Hourly at :00, moved to :14, :15.
    let moved = |schedule| Case { last: Some(at(9, 0)), ..Case::new(schedule, CronJobState::Stands(at(9, 0))) };
    assert_eq!(moved("14 * * * *").held_until(at(9, 1)), Some(at(10, 14)), "14 minutes after the last");
    assert_eq!(moved("15 * * * *").held_until(at(9, 1)), None, "15 minutes");
}

#[test]
fn an_edit_does_not_make_up_for_a_time_that_the_new_expression_had() {
    // If it ran at 9:32, it would begin 9:30 at once, and 9:45 only 13 minutes later.
    let case = Case { last: Some(at(9, 0)), ..Case::new("*/15 * * * *", CronJobState::Stands(at(9, 0))) };
    assert_eq!(case.held_until(at(9, 32)), Some(at(9, 45)));
    assert_eq!(case.held_until(at(9, 45) + 1), None, "it is due just now");
    assert_eq!(case.held_until(at(9, 45) + 90), None, "a tenth of the gap is on time");
    assert_eq!(case.held_until(at(9, 45) + 91), Some(at(10, 0)));
    assert_eq!(Case { deadline: 60, ..case }.held_until(at(9, 32)), None, "its deadline has passed");
}

#[test]
fn what_was_missed_while_it_was_suspended_is_made_up_for_when_no_other_follows_within_the_hour() {
    let daily =
        Case { deadline: 7_200, last: Some(at(-15, 0)), ..Case::new("0 9 * * *", CronJobState::Stands(at(-15, 0))) };
    assert_eq!(daily.held_until(at(10, 30)), None);
    let never_yet = Case { deadline: 7_200, ..Case::new("0 * * * *", CronJobState::Stands(at(8, 30))) };
    assert_eq!(never_yet.held_until(at(9, 2)), Some(at(10, 0)));
    let hourly =
        Case { deadline: 7_200, last: Some(at(8, 0)), ..Case::new("0 * * * *", CronJobState::Stands(at(8, 0))) };
    assert_eq!(hourly.held_until(at(9, 2)), Some(at(10, 0)));
}

#[test]
fn after_a_trigger_the_next_is_held_when_it_would_come_too_early() {
    let case = |last| Case { last, last_triggered: last, ..Case::new("0 * * * *", CronJobState::Runs(at(9, 0))) };
    assert_eq!(case(Some(at(9, 45))).held_until(at(9, 45)), None, "15 minutes before it");
    assert_eq!(case(Some(at(9, 45) + 1)).held_until(at(9, 46)), Some(at(11, 0)));
}

#[test]
fn one_that_the_controller_began_late_moves_a_trigger_and_not_the_next() {
    let case = Case { last: Some(at(9, 2)), ..Case::new("*/15 * * * *", CronJobState::Runs(at(9, 0))) };
    assert_eq!(case.held_until(at(9, 3)), None);
    assert_eq!(case.triggered(at(9, 3)), TriggerDecision::At(Some(at(9, 17))));
}

#[test]
fn a_trigger_is_made_at_once_or_when_the_gap_is_kept() {
    let case = Case { last: Some(at(9, 0)), ..Case::new("0 * * * *", CronJobState::Runs(at(9, 0))) };
    assert_eq!(case.triggered(at(9, 15)), TriggerDecision::Now);
    assert_eq!(case.triggered(at(9, 14)), TriggerDecision::At(Some(at(9, 15))));
    assert_eq!(Case { not_before: Some(at(9, 20)), ..case }.triggered(at(9, 15)), TriggerDecision::At(Some(at(9, 20))));
}

#[test]
fn a_trigger_waits_for_room_in_the_hour() {
    let case = Case::new("0 * * * *", CronJobState::Runs(at(9, 0)));
    assert_eq!(case.ask(|spacing| spacing.triggered(Some(at(9, 40)), at(9, 20))), TriggerDecision::At(Some(at(9, 40))));
    assert_eq!(case.ask(|spacing| spacing.triggered(None, at(9, 20))), TriggerDecision::At(None));
}

#[test]
fn a_trigger_lets_one_pass_that_can_no_longer_be_held() {
    let case = Case { last: Some(at(8, 0)), ..Case::new("0 * * * *", CronJobState::Runs(at(8, 0))) };
    assert_eq!(case.triggered(at(9, 0) - PROMPT), TriggerDecision::After(at(9, 0) + PROMPT));
    assert_eq!(case.triggered(at(9, 0) + 1), TriggerDecision::After(at(9, 0) + PROMPT), "its Job isn't seen yet");
    let blocked = Case { deadline: 7_200, ..case };
    assert_eq!(blocked.triggered(at(9, 20)), TriggerDecision::Now, "9:00 waits for the run of 8:00, and is held");
    assert_eq!(case.triggered(at(9, 0) - PROMPT - 1), TriggerDecision::Now, "it is held for this one");
    let suspended = Case { child: CronJobState::Stands(at(8, 0)), ..case };
    assert_eq!(suspended.triggered(at(9, 0) - 1), TriggerDecision::Now);
}

#[test]
fn what_is_due_too_close_to_a_trigger_is_in_its_way() {
    let case = Case::new("0 * * * *", CronJobState::Runs(at(9, 0)));
    let in_the_way = |time| case.ask(|spacing| spacing.is_in_the_way(time, at(9, 20)));
    assert!(!in_the_way(at(9, 45)));
    assert!(in_the_way(at(9, 46)));
    assert!(in_the_way(at(10, 14)));
    assert!(!in_the_way(at(10, 15)), "it passes before");
}

#[test]
fn a_cron_job_that_is_held_stays_so_whoever_resumes_it() {
    let (mut schedule, valid) = (schedule(), valid_with(json!({})).unwrap());
    let terms = valid.terms(&share_of(&schedule));
    let spec = json!({"schedule": valid.expression.resolved(), "timeZone": valid.zone_name, "jobTemplate": {}});
    let cron_job: CronJob =
        serde_json::from_value(json!({"metadata": {"creationTimestamp": minute(0)}, "spec": spec})).unwrap();
    let now = |minutes| minute(minutes).as_second();
    assert_eq!(cron_job_state(&terms, &schedule, Some(&cron_job), &[], now(1)), CronJobState::Runs(now(0)));
    schedule.status = serde_json::from_value(json!({"heldUntil": minute(5)})).unwrap();
    assert_eq!(cron_job_state(&terms, &schedule, Some(&cron_job), &[], now(4)), CronJobState::Stands(now(0)));
    assert_eq!(
        cron_job_state(&terms, &schedule, Some(&cron_job), &[], now(5)),
        CronJobState::Runs(now(0)),
        "the status could not be written"
    );
}

#[test]
fn after_a_trigger_in_its_place_a_due_time_is_not_made_up_for() {
    // 9:15 was due while a delivery triggered at 9:15 was made.
    let case = Case { last: Some(at(9, 15)), ..Case::new("*/15 * * * *", CronJobState::Stands(at(9, 0))) };
    assert_eq!(case.held_until(at(9, 15) + 2), Some(at(9, 30)));
    assert_eq!(case.held_until(at(9, 30)), None);
}

#[test]
fn one_that_was_held_until_its_time_is_made_later_too_when_the_next_is_far_enough() {
    // The operator was away at 10:00.
    let case = Case {
        last: Some(at(8, 50)),
        held_until: Some(at(10, 0)),
        ..Case::new("0 * * * *", CronJobState::Stands(at(8, 0)))
    };
    assert_eq!(case.held_until(at(10, 4)), None);
    assert_eq!(Case { held_until: None, ..case }.held_until(at(10, 4)), Some(at(11, 0)));
}

#[test]
fn a_trigger_keeps_the_gap_after_the_second_at_which_a_regular_delivery_began() {
    let case = Case { last: Some(at(9, 0)), spread: 10, ..Case::new("0 * * * *", CronJobState::Runs(at(9, 0))) };
    assert_eq!(case.triggered(at(9, 15)), TriggerDecision::At(Some(at(9, 15) + 10)));
}
