//! Who is within the quotas of a namespace, what stays taken, and who is looked at again.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::*;
use crate::api::WebhookScheduleStatus;
use crate::operator::testdata;

/// 2027-01-15T08:00:00Z.
const NOON: i64 = 1_800_000_000;

/// A namespace in a tier of 15 minutes, three schedules and ten deliveries an hour.
struct Team {
    quotas: Quotas,
    limits: Limits,
    now: i64,
}

impl Team {
    /// An operator has just listed all schedules.
    fn new() -> Self {
        let quotas = Quotas::default();
        quotas.listed();
        Self { quotas, limits: Limits { min_interval: 900, max_schedules: 3, max_per_hour: 10 }, now: NOON }
    }

    /// Notes a schedule that was made at this second of the team's life.
    fn note(&self, name: &str, created: i64, expression: &str) -> Vec<String> {
        names(&self.quotas.note(&schedule(name, created, expression), self.now))
    }

    fn delete(&self, name: &str, created: i64, expression: &str) -> Vec<String> {
        names(&self.quotas.remove(&schedule(name, created, expression), self.now))
    }

    fn share(&self, name: &str, created: i64, expression: &str) -> Share {
        self.quotas.share(&schedule(name, created, expression), self.limits, self.now)
    }

    fn place(&self, name: &str, created: i64, expression: &str) -> (u32, u32) {
        let share = self.share(name, created, expression);
        (share.rank, share.older_per_hour)
    }
}

fn schedule(name: &str, created: i64, expression: &str) -> WebhookSchedule {
    let mut schedule = testdata::schedule();
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
    // One that is outside the tier by itself takes nothing either.
    team.note("a", 1, "* * * * *");
    assert_eq!(team.place("b", 2, QUARTERLY), (2, 0));
}

#[test]
fn those_outside_whose_place_changes_are_looked_at_again_and_no_others() {
    let mut team = Team::new();
    team.limits.max_schedules = 2;
    for (created, name) in (1..).zip(["a", "b", "c", "d"]) {
        team.note(name, created, QUARTERLY);
    }
    team.share("a", 1, QUARTERLY);
    assert_eq!(team.note("e", 5, QUARTERLY), ["e"], "the youngest concerns nobody else");
    assert_eq!(team.delete("e", 5, QUARTERLY), [""; 0]);
    assert_eq!(team.delete("a", 1, QUARTERLY), ["c", "d"], "c is within now, and d is the third");
    assert_eq!(team.note("b", 2, QUARTERLY), [""; 0], "nothing has changed");
    assert_eq!(team.note("b", 2, "* * * * *"), ["d"], "less comes before it");
}

#[test]
fn what_was_used_of_a_deleted_schedule_stays_taken_for_an_hour() {
    let mut team = Team::new();
    team.limits.max_per_hour = 4;
    team.share("a", 0, QUARTERLY);
    // Due at :15 and :30.
    team.now = NOON + 31 * 60;
    team.delete("a", 0, QUARTERLY);
    team.now = NOON + 60 * 60;
    let (two, four) = (team.share("b", 1, HALF_HOURLY), team.share("c", 2, QUARTERLY));
    assert_eq!(two.not_before, None, "two were used, and two are free");
    assert_eq!((four.older_per_hour, four.room_at), (2, Some(NOON + 90 * 60)), "an hour after the last");
    team.delete("b", 1, HALF_HOURLY);
    assert_eq!(team.share("c", 2, QUARTERLY).not_before, Some(NOON + 90 * 60));
    team.now = NOON + 90 * 60;
    assert_eq!(team.share("c", 2, QUARTERLY).not_before, None);
}

#[test]
fn a_schedule_that_is_made_after_another_was_deleted_keeps_the_gap_under_any_name() {
    let mut team = Team::new();
    team.share("a", 0, "0 * * * *");
    team.share("b", 0, "0 * * * *");
    team.now = NOON + 61 * 60;
    team.delete("a", 0, "0 * * * *");
    assert_eq!(
        team.share("c", 3_661, "5 * * * *").not_before,
        Some(NOON + 75 * 60),
        "15 minutes after the last due time"
    );
    assert_eq!(team.share("b", 0, "0 * * * *").not_before, None, "it was there before");
    team.quotas.delivered(&schedule("b", 0, "0 * * * *"), Some(NOON + 70 * 60));
    team.now = NOON + 71 * 60;
    team.delete("b", 0, "0 * * * *");
    assert_eq!(
        team.share("b", 4_260, "0 * * * *").not_before,
        Some(NOON + 85 * 60),
        "after the one that was triggered"
    );
}

#[test]
fn a_schedule_that_takes_the_place_of_another_of_its_name_counts_once() {
    let team = Team::new();
    team.share("a", 0, QUARTERLY);
    team.note("a", 9, QUARTERLY);
    assert_eq!(team.place("a", 9, QUARTERLY), (1, 0));
}

#[test]
fn another_expression_has_to_wait_for_room_and_an_edit_of_one_that_never_delivered_does_not() {
    let mut team = Team::new();
    team.limits.max_per_hour = 4;
    team.share("a", 0, QUARTERLY);
    team.now = NOON + 46 * 60;
    assert_eq!(team.share("a", 0, "1-59/15 * * * *").not_before, Some(NOON + 105 * 60), "three were used");
    assert_eq!(team.share("a", 0, QUARTERLY).not_before, Some(NOON + 105 * 60), "back and forth is no other");
    let team = Team { limits: team.limits, ..Team::new() };
    for _ in 0..9 {
        assert_eq!(team.share("a", 0, QUARTERLY).not_before, None);
        assert_eq!(team.share("a", 0, "1-59/15 * * * *").not_before, None);
    }
}

#[test]
fn triggers_take_what_the_schedules_leave() {
    let mut team = Team::new();
    team.limits.max_per_hour = 5;
    let room = |team: &Team| team.share("a", 0, QUARTERLY).room_at;
    assert_eq!(room(&team), Some(NOON));
    team.quotas.triggered(&schedule("a", 0, QUARTERLY), NOON);
    team.now += 60;
    assert_eq!(room(&team), Some(NOON + HOUR));
    team.limits.max_per_hour = 4;
    assert_eq!(room(&team), None, "the schedule may take them all");
}

#[test]
fn a_schedule_that_nobody_saw_before_keeps_the_gap_after_the_operators_start() {
    let team = Team { quotas: Quotas::default(), ..Team::new() };
    let mut known = schedule("known", 0, QUARTERLY);
    known.status = Some(WebhookScheduleStatus::default());
    team.quotas.note(&known, NOON);
    team.note("unknown", 0, QUARTERLY);
    team.quotas.listed();
    assert_eq!(team.share("known", 0, QUARTERLY).not_before, None);
    assert_eq!(team.share("unknown", 0, QUARTERLY).not_before, Some(NOON + 900));
}

#[test]
fn namespaces_are_apart_and_one_that_is_gone_is_forgotten() {
    let team = Team::new();
    team.share("a", 0, QUARTERLY);
    let mut elsewhere = schedule("b", 1, QUARTERLY);
    elsewhere.metadata.namespace = Some("team-b".into());
    assert_eq!(team.quotas.share(&elsewhere, team.limits, NOON).rank, 1);
    team.quotas.forget("team-a");
    assert_eq!(team.place("c", 2, QUARTERLY), (1, 0));
}

#[test]
fn limits_are_those_of_the_tier() {
    let tier: WebhookTierSpec = serde_json::from_value(json!({
        "minInterval": "1h", "maxSchedules": 7, "maxDeliveriesPerHour": 70,
    }))
    .unwrap();
    assert_eq!(Limits::from(&tier), Limits { min_interval: 3_600, max_schedules: 7, max_per_hour: 70 });
}
