//! What a new operator concludes from the record of the previous one.

use kube::ResourceExt as _;

use super::usage::{ScheduleId, Usage};
use super::*;
use crate::operator::test_support::objects;

const NOON: i64 = 1_800_000_000;
const LIMITS: Limits = Limits { min_interval: 900, max_schedules: 9, max_per_hour: 4 };
const HALF_HOURLY: &str = "*/30 * * * *";
const QUARTERLY: &str = "*/15 * * * *";

fn schedule(name: &str, expression: &str) -> WebhookSchedule {
    let mut schedule = objects::schedule();
    schedule.metadata.name = Some(name.into());
    schedule.metadata.uid = Some(name.into());
    schedule.spec.schedule = expression.into();
    schedule
}

fn share(quotas: &Quotas, name: &str, expression: &str, now: i64) -> QuotaUsage {
    let schedule = schedule(name, expression);
    quotas.note(&schedule, now);
    quotas.recomputed(&schedule, LIMITS, now).unwrap()
}

/// An operator that sees these schedules at its start, with this record of the previous operator.
fn restarted(usage: Usage, seen: &[(&str, &str)], now: i64) -> Quotas {
    let quotas = Quotas::default();
    quotas.restore("team-a", usage);
    for (name, expression) in seen {
        quotas.note(&schedule(name, expression), now);
    }
    quotas.listed(|_| false, now);
    quotas
}

/// The record after two schedules began at noon.
fn two() -> Usage {
    let quotas = restarted(Usage::default(), &[], NOON);
    share(&quotas, "a", HALF_HOURLY, NOON);
    share(&quotas, "b", HALF_HOURLY, NOON);
    quotas.usage("team-a", NOON)
}

#[test]
fn a_restart_changes_nothing_about_what_is_recorded() {
    let usage = two();
    assert_eq!(usage.schedules.len(), 2);
    let later = NOON + 10_000;
    let quotas = restarted(usage.clone(), &[("a", HALF_HOURLY), ("b", HALF_HOURLY)], later);
    assert_eq!(quotas.usage("team-a", later), usage);
    for name in ["a", "b"] {
        assert_eq!(share(&quotas, name, HALF_HOURLY, later).not_before, None);
    }
    assert_eq!(quotas.usage("team-a", later), usage);
}

#[test]
fn a_schedule_that_went_while_no_operator_was_there_counts_as_delivered_until_now() {
    let later = NOON + 10_000;
    let quotas = restarted(two(), &[("a", HALF_HOURLY), ("new", HALF_HOURLY)], later);
    assert_eq!(share(&quotas, "new", HALF_HOURLY, later).not_before, Some(later + HOUR), "two are free, two were used");
    assert_eq!(share(&quotas, "a", HALF_HOURLY, later).not_before, None);
    let quotas = restarted(two(), &[("a", HALF_HOURLY), ("new", "0 12 1 1 *")], later);
    assert_eq!(share(&quotas, "new", "0 12 1 1 *", later).not_before, Some(later + HOUR));
    assert_eq!(quotas.usage("team-a", later).deleted_last, Some(later));
}

#[test]
fn a_schedule_that_was_edited_meanwhile_waits_for_room_as_if_it_had_been_now() {
    let later = NOON + 10_000;
    let quotas = restarted(two(), &[("a", "1-59/30 * * * *"), ("b", HALF_HOURLY)], later);
    assert_eq!(share(&quotas, "a", "1-59/30 * * * *", later).not_before, Some(later + HOUR));
    assert_eq!(share(&quotas, "b", HALF_HOURLY, later).not_before, None);
}

#[test]
fn one_that_goes_before_anyone_has_looked_at_it_counts_as_delivered_until_then() {
    let later = NOON + 10_000;
    let look = |quotas: &Quotas| {
        quotas.remove(&schedule("a", HALF_HOURLY), later);
        quotas.usage("team-a", later).deleted_last
    };
    let quotas = restarted(two(), &[("a", HALF_HOURLY)], later);
    assert_eq!(look(&quotas), Some(later));
    let quotas = restarted(two(), &[("a", HALF_HOURLY), ("b", HALF_HOURLY)], later);
    quotas.delivered(&schedule("a", HALF_HOURLY), Some(NOON), false, NOON);
    assert_eq!(look(&quotas), Some(NOON + 9_000), "it was due then");
}

#[test]
fn triggers_deletions_and_the_end_of_the_namespace_are_remembered() {
    let quotas = restarted(Usage::default(), &[], NOON);
    share(&quotas, "a", "0 12 1 1 *", NOON);
    assert!(quotas.triggered(&schedule("a", "0 12 1 1 *"), NOON).is_some());
    quotas.delivered(&schedule("a", "0 12 1 1 *"), Some(NOON), false, NOON);
    let usage = quotas.usage("team-a", NOON);
    let again = restarted(usage, &[("a", "0 12 1 1 *")], NOON + 60);
    assert_eq!(share(&again, "a", "0 12 1 1 *", NOON + 60).last_triggered, Some(NOON));
    quotas.remove(&schedule("a", "0 12 1 1 *"), NOON + 60);
    let again = restarted(quotas.usage("team-a", NOON + 60), &[], NOON + 70);
    assert_eq!(share(&again, "anew", "0 12 1 1 *", NOON + 80).not_before, Some(NOON + 900));
    assert!(quotas.usage("team-a", NOON + HOUR).is_empty());
}

#[test]
fn a_namespace_that_could_not_be_listed_yet_is_not_taken_for_empty() {
    let quotas = Quotas::default();
    quotas.restore("team-a", two());
    quotas.listed(|namespace| namespace == "team-a", NOON + 60);
    assert_eq!(quotas.usage("team-a", NOON + 60), two());
    for name in ["a", "b"] {
        quotas.note(&schedule(name, HALF_HOURLY), NOON + 60);
    }
    assert_eq!(share(&quotas, "a", HALF_HOURLY, NOON + 60).not_before, None);
    assert_eq!(quotas.usage("team-a", NOON + 60), two());
}

#[test]
fn a_cron_job_that_is_not_suspended_yet_is_recorded_whatever_became_of_its_schedule() {
    let quotas = restarted(Usage::default(), &[], NOON);
    share(&quotas, "a", QUARTERLY, NOON);
    assert!(quotas.starts(&schedule("a", QUARTERLY), true, NOON).is_some());
    // It takes more than the tier allows, so its CronJob will be suspended.
    share(&quotas, "a", "* * * * *", NOON);
    let later = NOON + 10_000;
    let next = restarted(quotas.usage("team-a", NOON), &[("a", "* * * * *"), ("new", "0 * * * *")], later);
    share(&next, "a", "* * * * *", later);
    assert_eq!(share(&next, "new", "0 * * * *", later).not_before, Some(later + HOUR));
    assert_eq!(
        next.usage("team-a", later).schedules[&ScheduleId::of("a")].takes,
        4,
        "nor has this operator suspended it"
    );
    quotas.applied(&schedule("a", "* * * * *"), false);
    let next = restarted(quotas.usage("team-a", NOON), &[("a", "* * * * *"), ("new", "0 * * * *")], later);
    assert_eq!(share(&next, "new", "0 * * * *", later).not_before, None);
}

#[test]
fn the_last_delivery_of_a_schedule_that_lost_its_share_is_remembered_until_the_gap_has_passed() {
    let quotas = restarted(Usage::default(), &[], NOON);
    share(&quotas, "a", QUARTERLY, NOON);
    quotas.delivered(&schedule("a", QUARTERLY), Some(NOON + 900), false, NOON + 901);
    share(&quotas, "a", "* * * * *", NOON + 902);
    let next = restarted(quotas.usage("team-a", NOON + 902), &[], NOON + 903);
    assert_eq!(share(&next, "new", "0 12 1 1 *", NOON + 903).not_before, Some(NOON + 1_803), "deleted meanwhile");
}

#[test]
fn a_schedule_that_was_edited_or_deleted_since_it_was_judged_does_not_start() {
    let quotas = restarted(Usage::default(), &[], NOON);
    let starts = |expression| quotas.starts(&schedule("a", expression), true, NOON).is_some();
    share(&quotas, "a", HALF_HOURLY, NOON);
    assert!(starts(HALF_HOURLY) && !starts(QUARTERLY));
    share(&quotas, "a", "* * * * *", NOON);
    assert!(!starts("* * * * *"), "it takes more than the tier allows");
    quotas.remove(&schedule("a", "* * * * *"), NOON);
    assert!(!starts("* * * * *"));
}

#[test]
fn a_delivery_that_was_not_made_after_all_leaves_no_trace() {
    let quotas = restarted(Usage::default(), &[], NOON);
    let asked = schedule("a", "0 12 1 1 *");
    share(&quotas, &asked.name_any(), "0 12 1 1 *", NOON);
    let before = quotas.usage("team-a", NOON);
    let noted = quotas.triggered(&asked, NOON).unwrap();
    assert_ne!(quotas.usage("team-a", NOON), before);
    quotas.not_triggered(&asked, noted);
    assert_eq!(quotas.usage("team-a", NOON), before);
}
