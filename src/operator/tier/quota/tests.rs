//! Which schedules are within a namespace's quotas, which deliveries still count, and which schedules are requeued.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::*;
use crate::operator::test_support::objects;

/// 2027-01-15T08:00:00Z.
const NOON: i64 = 1_800_000_000;

/// A namespace in a tier of 15 minutes, three schedules and ten deliveries an hour.
struct Team {
    quotas: Quotas,
    limits: Limits,
    now: i64,
}

impl Team {
    /// An operator that has just listed all schedules.
    fn new() -> Self {
        let quotas = Quotas::default();
        quotas.listed(|_| false, NOON);
        Self { quotas, limits: Limits { min_interval: 900, max_schedules: 3, max_per_hour: 10 }, now: NOON }
    }

    /// Notes a schedule that was created at this second of the team's life.
    fn note(&self, name: &str, created: i64, expression: &str) -> Vec<String> {
        names(&self.quotas.note(&schedule(name, created, expression), self.now))
    }

    fn delete(&self, name: &str, created: i64, expression: &str) -> Vec<String> {
        names(&self.quotas.remove(&schedule(name, created, expression), self.now))
    }

    fn usage_of(&self, name: &str, created: i64, expression: &str) -> QuotaUsage {
        self.note(name, created, expression);
        self.quotas.recomputed(&schedule(name, created, expression), self.limits, self.now).unwrap()
    }

    fn place(&self, name: &str, created: i64, expression: &str) -> (u32, u32) {
        let share = self.usage_of(name, created, expression);
        (share.rank, share.older_per_hour)
    }
}

fn schedule(name: &str, created: i64, expression: &str) -> WebhookSchedule {
    let mut schedule = objects::schedule();
    schedule.metadata.name = Some(name.into());
    schedule.metadata.uid = Some(format!("{name}-{created}"));
    let created = k8s_openapi::jiff::Timestamp::from_second(NOON + created).unwrap();
    schedule.metadata.creation_timestamp = Some(Time(created));
    schedule.spec.schedule = expression.into();
    schedule
}

fn names(schedules: &[ObjectRef<WebhookSchedule>]) -> Vec<String> {
    schedules.iter().map(|schedule| schedule.name.clone()).collect()
}

const QUARTERLY: &str = "*/15 * * * *";
const HALF_HOURLY: &str = "*/30 * * * *";

#[test]
fn the_oldest_come_first_whoever_is_seen_first() {
    let team = Team::new();
    team.note("young", 2, QUARTERLY);
    team.note("old", 1, HALF_HOURLY);
    team.note("same-second-b", 3, QUARTERLY);
    team.note("same-second-a", 3, QUARTERLY);
    assert_eq!(team.place("old", 1, HALF_HOURLY), (1, 0));
    assert_eq!(team.place("young", 2, QUARTERLY), (2, 2));
    assert_eq!(team.place("same-second-a", 3, QUARTERLY), (3, 6));
    assert_eq!(team.place("same-second-b", 3, QUARTERLY), (4, 10));
}

#[test]
fn what_does_not_fit_takes_nothing_from_the_younger() {
    let mut team = Team::new();
    team.limits.max_per_hour = 5;
    team.note("a", 1, QUARTERLY);
    team.note("b", 2, QUARTERLY);
    team.note("c", 3, "0 * * * *");
    assert_eq!(team.place("c", 3, "0 * * * *"), (3, 4));
    // A schedule that exceeds the tier by itself takes nothing either.
    team.note("a", 1, "* * * * *");
    assert_eq!(team.place("b", 2, QUARTERLY), (2, 0));
}

#[test]
fn those_who_find_a_place_or_lose_it_are_looked_at_again_and_no_others() {
    let mut team = Team::new();
    team.limits.max_schedules = 2;
    for (created, name) in (1..).zip(["a", "b", "c", "d"]) {
        team.note(name, created, QUARTERLY);
    }
    team.usage_of("a", 1, QUARTERLY);
    assert_eq!(team.note("e", 5, QUARTERLY), [""; 0], "the youngest concerns nobody");
    assert_eq!(team.delete("e", 5, QUARTERLY), [""; 0]);
    assert_eq!(team.delete("a", 1, QUARTERLY), ["c"]);
    assert_eq!(team.note("b", 2, QUARTERLY), [""; 0], "nothing has changed");
    assert_eq!(team.note("older", 0, QUARTERLY), ["older", "c"]);
    team.limits = Limits { max_schedules: 9, max_per_hour: 8, ..team.limits };
    team.usage_of("b", 2, QUARTERLY);
    assert_eq!(team.note("b", 2, "* * * * *"), ["c"], "what is outside the tier leaves its part of the hour");
}

#[test]
fn who_waits_for_room_is_looked_at_when_something_changes() {
    let team = Team::new();
    team.usage_of("a", 0, QUARTERLY);
    team.usage_of("b", 1, QUARTERLY);
    team.quotas.delivered(&schedule("a", 0, QUARTERLY), None, true, team.now);
    assert_eq!(team.delete("b", 1, QUARTERLY), ["a"]);
    assert_eq!(team.note("c", 2, QUARTERLY), ["c"], "once");
}

#[test]
fn what_was_used_of_a_deleted_schedule_stays_taken_for_an_hour() {
    let mut team = Team::new();
    team.limits.max_per_hour = 4;
    team.usage_of("a", 0, QUARTERLY);
    // It is due at :15 and :30.
    team.now = NOON + 31 * 60;
    team.delete("a", 0, QUARTERLY);
    team.now = NOON + 60 * 60;
    let (two, four) = (team.usage_of("b", 1, HALF_HOURLY), team.usage_of("c", 2, QUARTERLY));
    assert_eq!(two.not_before, None, "two were used, and two are free");
    assert_eq!((four.older_per_hour, four.room_at), (2, Some(NOON + 90 * 60)), "an hour after the last");
    team.delete("b", 1, HALF_HOURLY);
    assert_eq!(team.usage_of("c", 2, QUARTERLY).not_before, Some(NOON + 90 * 60));
    team.now = NOON + 90 * 60;
    assert_eq!(team.usage_of("c", 2, QUARTERLY).not_before, None);
}

#[test]
fn a_schedule_that_is_made_after_another_was_deleted_keeps_the_gap_under_any_name() {
    let mut team = Team::new();
    team.usage_of("a", 0, "0 * * * *");
    team.usage_of("b", 0, "0 * * * *");
    team.now = NOON + 61 * 60;
    team.delete("a", 0, "0 * * * *");
    assert_eq!(
        team.usage_of("c", 3_661, "5 * * * *").not_before,
        Some(NOON + 75 * 60),
        "15 minutes after the last due time"
    );
    assert_eq!(team.usage_of("b", 0, "0 * * * *").not_before, None, "it was there before");
    team.quotas.delivered(&schedule("b", 0, "0 * * * *"), Some(NOON + 70 * 60), false, team.now);
    team.now = NOON + 71 * 60;
    team.delete("b", 0, "0 * * * *");
    assert_eq!(
        team.usage_of("b", 4_260, "0 * * * *").not_before,
        Some(NOON + 85 * 60),
        "after the one that was triggered"
    );
}

#[test]
fn a_schedule_that_takes_the_place_of_another_of_its_name_counts_once() {
    let team = Team::new();
    team.usage_of("a", 0, QUARTERLY);
    team.note("a", 9, QUARTERLY);
    assert_eq!(team.place("a", 9, QUARTERLY), (1, 0));
}

#[test]
fn whose_place_is_free_since_another_took_a_name_without_a_deletion_is_looked_at() {
    let mut team = Team::new();
    team.limits.max_schedules = 1;
    team.usage_of("a", 0, QUARTERLY);
    team.usage_of("b", 1, QUARTERLY);
    assert_eq!(team.note("a", 9, QUARTERLY), ["b"]);
}

#[test]
fn what_was_due_of_a_schedule_that_lost_its_place_keeps_a_successor_at_the_gap() {
    let mut team = Team::new();
    team.limits.max_schedules = 1;
    team.usage_of("a", 5, "0 * * * *");
    team.now = NOON + HOUR + 5;
    team.note("older", 0, "0 * * * *");
    team.delete("a", 5, "0 * * * *");
    team.limits.max_schedules = 2;
    assert_eq!(team.usage_of("new", HOUR + 5, "0 * * * *").not_before, Some(NOON + HOUR + 900));
}

#[test]
fn another_expression_has_to_wait_for_room_and_an_edit_of_one_that_never_delivered_does_not() {
    let mut team = Team::new();
    team.limits.max_per_hour = 2;
    let moved = "1-59/30 * * * *";
    for _ in 0..9 {
        assert_eq!(team.usage_of("a", 0, HALF_HOURLY).not_before, None);
        assert_eq!(team.usage_of("a", 0, moved).not_before, None);
    }
    team.now = NOON + 46 * 60;
    let after_the_last = Some(NOON + (31 + 60) * 60);
    assert_eq!(team.usage_of("a", 0, HALF_HOURLY).not_before, after_the_last, "two were used");
    assert_eq!(team.usage_of("a", 0, moved).not_before, after_the_last, "back and forth is no other");
}

#[test]
fn one_that_can_make_no_more_than_it_takes_by_its_gap_alone_needs_no_room_for_a_change() {
    let mut team = Team::new();
    team.limits.max_per_hour = 4;
    team.usage_of("a", 0, QUARTERLY);
    team.now = NOON + 46 * 60;
    let share = team.usage_of("a", 0, "1-59/15 * * * *");
    assert_eq!((share.not_before, share.room_at), (None, Some(team.now)), "nor for a trigger");
    // A tier that is wrong for a moment has no lasting effect.
    team.limits.min_interval = 1_200;
    team.usage_of("a", 0, "1-59/15 * * * *");
    team.limits.min_interval = 900;
    assert_eq!(team.usage_of("a", 0, "1-59/15 * * * *").not_before, None);
}

#[test]
fn one_that_was_refused_keeps_the_gap_after_the_one_whose_place_it_takes() {
    let mut team = Team::new();
    team.limits = Limits { max_schedules: 1, ..team.limits };
    team.usage_of("a", 0, "0 * * * *");
    team.usage_of("b", 1, "1 * * * *");
    team.usage_of("invalid", 2, "61 * * * *");
    team.now = NOON + 60 * 60 + 20;
    team.delete("a", 0, "0 * * * *");
    let in_a_quarter = Some(NOON + 75 * 60);
    assert_eq!(team.usage_of("b", 1, "1 * * * *").not_before, in_a_quarter);
    assert_eq!(team.usage_of("b", 1, "2 * * * *").not_before, in_a_quarter, "an edit changes nothing about it");
    team.delete("b", 1, "2 * * * *");
    assert_eq!(team.usage_of("invalid", 2, "3 * * * *").not_before, in_a_quarter);
}

#[test]
fn triggers_take_what_the_schedules_leave() {
    let mut team = Team::new();
    team.limits.max_per_hour = 3;
    let room = |team: &Team| team.usage_of("a", 0, HALF_HOURLY).room_at;
    assert_eq!(room(&team), Some(NOON));
    let is_there_by_now = |team: &Team| team.quotas.delivered(&schedule("a", 0, HALF_HOURLY), None, true, team.now);
    assert!(is_there_by_now(&team), "whoever found none is told");
    team.quotas.triggered(&schedule("a", 0, HALF_HOURLY), NOON);
    team.now += 60;
    assert_eq!(room(&team), Some(NOON + HOUR));
    team.limits.max_per_hour = 2;
    assert_eq!(room(&team), None, "the schedule may take them all");
    assert!(!is_there_by_now(&team));
}

#[test]
fn a_schedule_that_is_not_known_as_it_is_has_no_share_yet() {
    let team = Team::new();
    let is_known = |expression| team.quotas.recomputed(&schedule("a", 0, expression), team.limits, NOON).is_some();
    assert!(!is_known(QUARTERLY));
    team.note("a", 0, QUARTERLY);
    assert!(is_known(QUARTERLY) && !is_known(HALF_HOURLY));
    team.delete("a", 0, QUARTERLY);
    assert!(!is_known(QUARTERLY), "a look doesn't bring it back");
}

#[test]
fn a_schedule_that_nobody_saw_before_keeps_the_gap_after_the_operators_start_and_one_that_was_held_stays_so() {
    let team = Team { quotas: Quotas::default(), ..Team::new() };
    let with_status = |name: &str, held_until: Option<i64>| {
        let held_until = held_until.map(|until| k8s_openapi::jiff::Timestamp::from_second(until).unwrap());
        let accepted = json!({
            "type": "Accepted", "status": "True", "reason": "", "message": "", "lastTransitionTime": "2027-01-15T08:00:00Z",
        });
        let status = json!({"conditions": [accepted], "heldUntil": held_until});
        WebhookSchedule { status: serde_json::from_value(status).unwrap(), ..schedule(name, 0, QUARTERLY) }
    };
    team.quotas.note(&with_status("known", None), NOON);
    team.quotas.note(&with_status("held", Some(NOON + 7_200)), NOON);
    team.note("unknown", 0, QUARTERLY);
    team.quotas.listed(|_| false, NOON);
    assert_eq!(team.usage_of("known", 0, QUARTERLY).not_before, None);
    assert_eq!(team.usage_of("held", 0, QUARTERLY).not_before, Some(NOON + 7_200));
    assert_eq!(team.usage_of("unknown", 0, QUARTERLY).not_before, Some(NOON + 900));
}

#[test]
fn namespaces_are_apart() {
    let team = Team::new();
    team.usage_of("a", 0, QUARTERLY);
    let mut elsewhere = schedule("b", 1, QUARTERLY);
    elsewhere.metadata.namespace = Some("team-b".into());
    team.quotas.note(&elsewhere, NOON);
    assert_eq!(team.quotas.recomputed(&elsewhere, team.limits, NOON).unwrap().rank, 1);
}

#[test]
fn limits_are_those_of_the_tier() {
    let tier: WebhookTierSpec = serde_json::from_value(json!({
        "minInterval": "1h", "maxSchedules": 7, "maxDeliveriesPerHour": 70,
    }))
    .unwrap();
    assert_eq!(Limits::from(&tier), Limits { min_interval: 3_600, max_schedules: 7, max_per_hour: 70 });
}
