//! What is recorded, when, and what follows from it.

use serde_json::{Value, json};

use super::*;
use crate::delivery;
use crate::delivery::OutcomeClass::{Delivered, Failed};
use crate::operator::schedule::observe::ObservedState;
use crate::operator::test_support::objects::{
    cron_job, ended, found, history, minute, over, run, said, schedule, valid_with,
};

/// A schedule that delivers every minute, and the status that it would have.
pub(super) struct Scenario {
    pub(super) schedule: WebhookSchedule,
    pub(super) spec: Value,
}

impl Scenario {
    pub(super) fn new(spec: Value) -> Self {
        let mut schedule = schedule();
        schedule.metadata.generation = Some(1);
        schedule.spec.starting_deadline_seconds = 45;
        schedule.status =
            Some(WebhookScheduleStatus { observed_generation: Some(1), ..WebhookScheduleStatus::default() });
        Self { schedule, spec }
    }

    pub(super) fn status(&mut self) -> &mut WebhookScheduleStatus {
        self.schedule.status.as_mut().unwrap()
    }

    pub(super) fn see(&mut self, now: i64, runs: Vec<Run>) -> DeliveryHistory {
        self.see_found(now, &found(runs))
    }

    pub(super) fn see_found(&mut self, now: i64, found: &ObservedState) -> DeliveryHistory {
        let mut spec = json!({"schedule": "* * * * *", "startingDeadlineSeconds": 45, "concurrencyPolicy": "Forbid"});
        spec.as_object_mut().unwrap().extend(self.spec.as_object().unwrap().clone());
        let mut valid = valid_with(spec).unwrap();
        if let delivery::Run::Scheduled(timing) = &mut valid.delivery.run {
            timing.offset_seconds = 0;
        }
        let record = history(&self.schedule, found, Some(&valid), minute(now));
        let status = self.status();
        status.recent_deliveries.clone_from(&record.recent);
        status.accounted_until.clone_from(&record.accounted_until);
        status.last_trigger.clone_from(&record.last_trigger);
        status.paused_generation = record.paused_generation;
        record
    }
}

pub(super) fn reasons(deliveries: &[DeliveryStatus]) -> Vec<&str> {
    deliveries.iter().map(|delivery| &*delivery.reason).collect()
}

#[test]
fn a_delivery_is_new_once() {
    let mut scenario = Scenario::new(json!({}));
    let first = scenario.see(0, vec![ended(0, Delivered, Reason::Delivered)]);
    assert_eq!(reasons(&first.new), ["Delivered"]);
    let again = scenario.see(0, vec![ended(0, Delivered, Reason::Delivered)]);
    assert_eq!((again.new.len(), again.recent.len()), (0, 1));
}

#[test]
fn what_ended_while_the_operator_was_away_is_caught_up_with_in_its_order() {
    let mut scenario = Scenario::new(json!({}));
    let runs = vec![ended(2, Delivered, Reason::Delivered), ended(1, Failed, Reason::ReceiverError)];
    let record = scenario.see(3, runs);
    assert_eq!(reasons(&record.new), ["ReceiverError", "Delivered"]);
    assert_eq!(reasons(&record.recent), ["Delivered", "ReceiverError"]);
}

#[test]
fn keeps_as_many_deliveries_of_each_kind_as_the_tenant_wants_and_what_healthy_needs() {
    let mut scenario = Scenario::new(json!({}));
    scenario.schedule.spec.history = History { successful: 2, failed: 4 };
    let runs = |from: i64, to, class, reason| (from..to).map(move |due| ended(due, class, reason));
    let seen = || {
        let mut seen: Vec<_> = runs(0, 5, Delivered, Reason::Delivered).collect();
        seen.extend(runs(5, 11, Failed, Reason::ReceiverError));
        seen
    };
    let times = |record: &DeliveryHistory| {
        record.recent.iter().map(|delivery| delivery.scheduled_time.clone().unwrap().0).collect::<Vec<_>>()
    };
    let first = scenario.see(11, seen());
    assert_eq!((first.new.len(), first.recent.len()), (11, 11), "as long as their Jobs are there");
    assert_eq!(scenario.see(11, seen()).new.len(), 0);
    assert_eq!(times(&scenario.see(11, seen().split_off(10))), [10, 9, 8, 7, 4, 3].map(minute), "without them");
    scenario.schedule.spec.history = History { successful: 0, failed: 0 };
    assert_eq!(times(&scenario.see(11, Vec::new())), [10, 9, 8, 4].map(minute));
}

#[test]
fn however_many_jobs_there_are_no_more_is_kept_than_the_schema_admits_and_nothing_is_told_again() {
    let mut scenario = Scenario::new(json!({}));
    let runs = || (0..60).map(|due| ended(due, Delivered, Reason::Delivered)).collect();
    let first = scenario.see(60, runs());
    assert_eq!((first.new.len(), first.recent.len()), (60, MOST_RECENT));
    let again = scenario.see(60, runs());
    assert_eq!(again.recent, first.recent, "the status stays as it is, so nothing is told");
}

#[test]
fn a_senders_word_takes_the_place_of_what_the_operator_made_of_its_silence() {
    let mut scenario = Scenario::new(json!({}));
    scenario.see(1, vec![run(0, json!({}), Vec::new())]);
    let late = scenario.see(1, vec![ended(0, Delivered, Reason::Delivered)]);
    assert_eq!((reasons(&late.new), reasons(&late.recent)), (vec!["Delivered"], vec!["Delivered"]));
    let silent = scenario.see(1, vec![run(0, over(), Vec::new())]);
    assert_eq!((silent.new.len(), reasons(&silent.recent)), (0, vec!["Delivered"]), "and not the other way round");
}

#[test]
fn what_never_began_is_recorded_and_its_job_given_up() {
    let mut scenario = Scenario::new(json!({}));
    let early = scenario.see(0, vec![run(0, json!({}), Vec::new())]);
    assert_eq!((early.new.len(), early.given_up.len()), (0, 0));
    assert_eq!(early.open_until, Some(minute(0).as_second() + 55), "the deadline and the margin");
    let late = scenario.see(1, vec![run(0, json!({}), Vec::new())]);
    assert_eq!(reasons(&late.new), ["PodNotCreated"]);
    assert_eq!(late.given_up.len(), 1);
}

#[test]
fn a_job_that_was_made_at_the_last_moment_has_time_to_begin() {
    let mut scenario = Scenario::new(json!({}));
    let mut late = run(0, json!({}), Vec::new());
    Arc::make_mut(&mut late.job).metadata.creation_timestamp = Some(Time(minute(1)));
    let record = scenario.see(1, vec![late]);
    assert_eq!((record.new.len(), record.open_until), (0, Some(minute(1).as_second() + 10)));
}

#[test]
fn a_missed_time_is_recorded_once_and_only_while_the_schedule_was_in_force() {
    let mut scenario = Scenario::new(json!({}));
    assert_eq!(scenario.see(0, Vec::new()).new, [], "it has only just begun");
    let missed = scenario.see(2, Vec::new());
    assert_eq!(reasons(&missed.new), ["DeadlineMissed"]);
    assert_eq!(missed.new[0].scheduled_time, Some(Time(minute(1))));
    assert_eq!(missed.new[0].generation, Some(1), "it was due by this spec");
    assert_eq!(scenario.see(2, Vec::new()).new, []);

    scenario.spec = json!({"suspend": true});
    assert_eq!(scenario.see(9, Vec::new()).accounted_until, None);
    scenario.spec = json!({});
    assert_eq!(scenario.see(10, Vec::new()).new, [], "nothing was due while it was suspended");
    scenario.schedule.metadata.generation = Some(2);
    assert_eq!(scenario.see(20, Vec::new()).new, [], "another spec has other times");
}

#[test]
fn a_time_that_a_run_got_in_the_way_of_is_missed_for_it() {
    let mut scenario = Scenario::new(json!({}));
    scenario.see(0, Vec::new());
    let running = json!({"containerStatuses": [{
        "name": "sender", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}},
    }]});
    let record = scenario.see(4, vec![run(1, json!({}), vec![running])]);
    assert_eq!(reasons(&record.new), ["PreviousStillRunning", "PreviousStillRunning"], "2 and 3");
}

#[test]
fn while_the_cron_job_is_not_there_nothing_is_claimed_and_nothing_forgotten() {
    let mut scenario = Scenario::new(json!({}));
    scenario.see(0, Vec::new());
    let delivered = (0..3).map(|due| ended(due - 3, Delivered, Reason::Delivered)).collect();
    scenario.schedule.spec.history.successful = 1;
    scenario.see(0, delivered);
    let without = ObservedState { cron_job: None, ..found(Vec::new()) };
    let record = scenario.see_found(9, &without);
    assert_eq!((record.new.len(), record.recent.len()), (0, 3));
    assert_eq!(record.accounted_until, Some(Time(minute(0))));
    let mut made_again = cron_job(json!({}));
    made_again.metadata.creation_timestamp = Some(Time(minute(9)));
    let record = scenario.see_found(11, &ObservedState { cron_job: Some(Arc::new(made_again)), ..found(Vec::new()) });
    assert_eq!(
        (record.missed, record.recent.iter().filter(|delivery| delivery.outcome == DeliveryOutcome::Delivered).count()),
        (vec![minute(10).as_second()], 1),
        "the Jobs of the first are gone"
    );
}

#[test]
fn a_time_that_the_controller_began_is_not_missed_though_its_job_is_not_seen() {
    let mut scenario = Scenario::new(json!({}));
    scenario.see(0, Vec::new());
    let begun = Arc::new(cron_job(json!({"lastScheduleTime": minute(2)})));
    let record = scenario.see_found(2, &ObservedState { cron_job: Some(begun), ..found(Vec::new()) });
    assert_eq!(record.missed, [minute(1).as_second()]);
    assert_eq!(record.accounted_until, Some(Time(minute(2))));
}

#[test]
fn a_job_that_is_gone_may_have_been_removed_when_as_many_later_ones_are_kept() {
    let gone = || Run { is_deleted: true, ..run(0, json!({}), Vec::new()) };
    let later = |most| (1..most).map(|due| run(due, failed_at(due), vec![said(Failed, Reason::ReceiverError)]));
    for (most, told) in [(3, 1), (4, 0)] {
        let mut scenario = Scenario::new(json!({}));
        let record = scenario.see(5, std::iter::once(gone()).chain(later(most)).collect());
        let deleted = record.new.iter().filter(|delivery| delivery.reason == "JobDeleted").count();
        assert_eq!((deleted, record.gone.len()), (told, 1), "{most}");
    }
}

fn failed_at(due: i64) -> Value {
    json!({"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": minute(due)}]})
}

#[test]
fn a_gone_job_that_was_no_delivery_is_forgotten() {
    let mut by_hand = run(0, json!({}), Vec::new());
    Arc::make_mut(&mut by_hand.job).metadata.name = Some("by-hand".into());
    let record = Scenario::new(json!({})).see(1, vec![Run { is_deleted: true, ..by_hand }]);
    assert_eq!((record.new.len(), record.gone.len()), (0, 1));
}
