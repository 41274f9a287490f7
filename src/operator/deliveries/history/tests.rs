//! What is recorded, when, and what follows from it.

use serde_json::{Value, json};

use super::*;
use crate::api::TRIGGER_ANNOTATION;
use crate::delivery;
use crate::delivery::OutcomeClass::{Delivered, Failed, FailedPermanently};
use crate::operator::schedule::observe::ObservedState;
use crate::operator::test_support::objects::{
    cron_job, ended, found, history, minute, over, run, said, schedule, valid_with,
};

/// A schedule of every minute, and the status that it would have.
struct Life {
    schedule: WebhookSchedule,
    spec: Value,
}

impl Life {
    fn new(spec: Value) -> Self {
        let mut schedule = schedule();
        schedule.metadata.generation = Some(1);
        schedule.spec.starting_deadline_seconds = 45;
        schedule.status =
            Some(WebhookScheduleStatus { observed_generation: Some(1), ..WebhookScheduleStatus::default() });
        Self { schedule, spec }
    }

    fn status(&mut self) -> &mut WebhookScheduleStatus {
        self.schedule.status.as_mut().unwrap()
    }

    fn see(&mut self, now: i64, runs: Vec<Run>) -> DeliveryHistory {
        self.see_found(now, &found(runs))
    }

    fn see_found(&mut self, now: i64, found: &ObservedState) -> DeliveryHistory {
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

fn reasons(deliveries: &[DeliveryStatus]) -> Vec<&str> {
    deliveries.iter().map(|delivery| &*delivery.reason).collect()
}

#[test]
fn a_delivery_is_new_once() {
    let mut life = Life::new(json!({}));
    let first = life.see(0, vec![ended(0, Delivered, Reason::Delivered)]);
    assert_eq!(reasons(&first.new), ["Delivered"]);
    let again = life.see(0, vec![ended(0, Delivered, Reason::Delivered)]);
    assert_eq!((again.new.len(), again.recent.len()), (0, 1));
}

#[test]
fn what_ended_while_the_operator_was_away_is_caught_up_with_in_its_order() {
    let mut life = Life::new(json!({}));
    let runs = vec![ended(2, Delivered, Reason::Delivered), ended(1, Failed, Reason::ReceiverError)];
    let record = life.see(3, runs);
    assert_eq!(reasons(&record.new), ["ReceiverError", "Delivered"]);
    assert_eq!(reasons(&record.recent), ["Delivered", "ReceiverError"]);
}

#[test]
fn keeps_as_many_deliveries_of_each_kind_as_the_tenant_wants_and_what_healthy_needs() {
    let mut life = Life::new(json!({}));
    life.schedule.spec.history = History { successful: 2, failed: 4 };
    let runs = |from: i64, to, class, reason| (from..to).map(move |due| ended(due, class, reason));
    let seen = || {
        let mut seen: Vec<_> = runs(0, 5, Delivered, Reason::Delivered).collect();
        seen.extend(runs(5, 11, Failed, Reason::ReceiverError));
        seen
    };
    let times = |record: &DeliveryHistory| {
        record.recent.iter().map(|delivery| delivery.scheduled_time.clone().unwrap().0).collect::<Vec<_>>()
    };
    let first = life.see(11, seen());
    assert_eq!((first.new.len(), first.recent.len()), (11, 11), "as long as their Jobs are there");
    assert_eq!(life.see(11, seen()).new.len(), 0);
    assert_eq!(times(&life.see(11, seen().split_off(10))), [10, 9, 8, 7, 4, 3].map(minute), "without them");
    life.schedule.spec.history = History { successful: 0, failed: 0 };
    assert_eq!(times(&life.see(11, Vec::new())), [10, 9, 8, 4].map(minute));
}

#[test]
fn however_many_jobs_there_are_no_more_is_kept_than_the_schema_admits_and_nothing_is_told_again() {
    let mut life = Life::new(json!({}));
    let runs = || (0..60).map(|due| ended(due, Delivered, Reason::Delivered)).collect();
    let first = life.see(60, runs());
    assert_eq!((first.new.len(), first.recent.len()), (60, MOST_RECENT));
    let again = life.see(60, runs());
    assert_eq!(again.recent, first.recent, "the status stays as it is, so nothing is told");
}

#[test]
fn a_senders_word_takes_the_place_of_what_the_operator_made_of_its_silence() {
    let mut life = Life::new(json!({}));
    life.see(1, vec![run(0, json!({}), Vec::new())]);
    let late = life.see(1, vec![ended(0, Delivered, Reason::Delivered)]);
    assert_eq!((reasons(&late.new), reasons(&late.recent)), (vec!["Delivered"], vec!["Delivered"]));
    let silent = life.see(1, vec![run(0, over(), Vec::new())]);
    assert_eq!((silent.new.len(), reasons(&silent.recent)), (0, vec!["Delivered"]), "and not the other way round");
}

#[test]
fn what_never_began_is_recorded_and_its_job_given_up() {
    let mut life = Life::new(json!({}));
    let early = life.see(0, vec![run(0, json!({}), Vec::new())]);
    assert_eq!((early.new.len(), early.given_up.len()), (0, 0));
    assert_eq!(early.open_until, Some(minute(0).as_second() + 55), "the deadline and the margin");
    let late = life.see(1, vec![run(0, json!({}), Vec::new())]);
    assert_eq!(reasons(&late.new), ["PodNotCreated"]);
    assert_eq!(late.given_up.len(), 1);
}

#[test]
fn a_job_that_was_made_at_the_last_moment_has_time_to_begin() {
    let mut life = Life::new(json!({}));
    let mut late = run(0, json!({}), Vec::new());
    Arc::make_mut(&mut late.job).metadata.creation_timestamp = Some(Time(minute(1)));
    let record = life.see(1, vec![late]);
    assert_eq!((record.new.len(), record.open_until), (0, Some(minute(1).as_second() + 10)));
}

#[test]
fn a_missed_time_is_recorded_once_and_only_while_the_schedule_was_in_force() {
    let mut life = Life::new(json!({}));
    assert_eq!(life.see(0, Vec::new()).new, [], "it has only just begun");
    let missed = life.see(2, Vec::new());
    assert_eq!(reasons(&missed.new), ["DeadlineMissed"]);
    assert_eq!(missed.new[0].scheduled_time, Some(Time(minute(1))));
    assert_eq!(life.see(2, Vec::new()).new, []);

    life.spec = json!({"suspend": true});
    assert_eq!(life.see(9, Vec::new()).accounted_until, None);
    life.spec = json!({});
    assert_eq!(life.see(10, Vec::new()).new, [], "nothing was due while it was suspended");
    life.schedule.metadata.generation = Some(2);
    assert_eq!(life.see(20, Vec::new()).new, [], "another spec has other times");
}

#[test]
fn a_time_that_a_run_got_in_the_way_of_is_missed_for_it() {
    let mut life = Life::new(json!({}));
    life.see(0, Vec::new());
    let running = json!({"containerStatuses": [{
        "name": "sender", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}},
    }]});
    let record = life.see(4, vec![run(1, json!({}), vec![running])]);
    assert_eq!(reasons(&record.new), ["PreviousStillRunning", "PreviousStillRunning"], "2 and 3");
}

#[test]
fn while_the_cron_job_is_not_there_nothing_is_claimed_and_nothing_forgotten() {
    let mut life = Life::new(json!({}));
    life.see(0, Vec::new());
    let delivered = (0..3).map(|due| ended(due - 3, Delivered, Reason::Delivered)).collect();
    life.schedule.spec.history.successful = 1;
    life.see(0, delivered);
    let without = ObservedState { cron_job: None, ..found(Vec::new()) };
    let record = life.see_found(9, &without);
    assert_eq!((record.new.len(), record.recent.len()), (0, 3));
    assert_eq!(record.accounted_until, Some(Time(minute(0))));
    let mut made_again = cron_job(json!({}));
    made_again.metadata.creation_timestamp = Some(Time(minute(9)));
    let record = life.see_found(11, &ObservedState { cron_job: Some(Arc::new(made_again)), ..found(Vec::new()) });
    assert_eq!(
        (record.missed, record.recent.iter().filter(|delivery| delivery.outcome == DeliveryOutcome::Delivered).count()),
        (vec![minute(10).as_second()], 1),
        "the Jobs of the first are gone"
    );
}

#[test]
fn a_time_that_the_controller_began_is_not_missed_though_its_job_is_not_seen() {
    let mut life = Life::new(json!({}));
    life.see(0, Vec::new());
    let begun = Arc::new(cron_job(json!({"lastScheduleTime": minute(2)})));
    let record = life.see_found(2, &ObservedState { cron_job: Some(begun), ..found(Vec::new()) });
    assert_eq!(record.missed, [minute(1).as_second()]);
    assert_eq!(record.accounted_until, Some(Time(minute(2))));
}

#[test]
fn a_job_that_is_gone_may_have_been_removed_when_as_many_later_ones_are_kept() {
    let gone = || Run { is_deleted: true, ..run(0, json!({}), Vec::new()) };
    let later = |most| (1..most).map(|due| run(due, failed_at(due), vec![said(Failed, Reason::ReceiverError)]));
    for (most, told) in [(3, 1), (4, 0)] {
        let mut life = Life::new(json!({}));
        let record = life.see(5, std::iter::once(gone()).chain(later(most)).collect());
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
    let record = Life::new(json!({})).see(1, vec![Run { is_deleted: true, ..by_hand }]);
    assert_eq!((record.new.len(), record.gone.len()), (0, 1));
}

#[test]
fn a_trigger_is_made_once_for_a_value() {
    let mut life = Life::new(json!({}));
    life.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "one".into())].into());
    let first = life.see(0, Vec::new()).trigger.unwrap();
    assert!(life.see(0, Vec::new()).trigger.is_none());
    life.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "two".into())].into());
    let second = life.see(1, Vec::new()).trigger.unwrap();
    assert_ne!(first.id, second.id);
    life.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), String::new())].into());
    assert!(life.see(1, Vec::new()).trigger.is_none(), "no value asks for nothing");
    life.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "one".into())].into());
    let back = life.see(2, Vec::new()).trigger.unwrap();
    assert!(back.id != first.id && back.id != second.id, "a value that comes back asks for another");
    life.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "x".repeat(100_000))].into());
    assert_eq!(life.see(3, Vec::new()).trigger.unwrap().value.len(), 128);
    assert!(life.see(4, Vec::new()).trigger.is_none());
}

#[test]
fn a_trigger_that_comes_too_early_is_made_later_and_only_the_last_value_of_many() {
    let mut life = Life::new(json!({"schedule": "0 * * * *"}));
    let ask = |life: &mut Life, value: &str| {
        life.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), value.into())].into());
    };
    ask(&mut life, "first");
    assert!(life.see(0, Vec::new()).trigger.is_some());
    for value in 1..=100 {
        ask(&mut life, &value.to_string());
        let early = life.see(0, Vec::new());
        assert!(early.trigger.is_none());
        assert_eq!(early.trigger_waits, Some(TriggerDecision::At(Some(minute(1).as_second()))));
        assert_eq!(early.open_until, Some(minute(1).as_second()));
    }
    assert_eq!(life.see(1, Vec::new()).trigger.unwrap().value, "100");
}

#[test]
fn a_trigger_whose_job_is_there_is_made_whatever_the_time() {
    let mut life = Life::new(json!({}));
    life.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "now".into())].into());
    let trigger = life.see(0, Vec::new()).trigger.unwrap();
    // The status could not be written.
    life.status().last_trigger = None;
    let mut made = run(0, json!({}), Vec::new());
    let annotations =
        [("trigger", "now"), ("triggered-at", &minute(0).to_string()), ("delivery-id", trigger.id.as_str())];
    let annotations = annotations.map(|(name, value)| (format!("postern.dev/{name}"), value.to_owned()));
    Arc::make_mut(&mut made.job).metadata.annotations = Some(annotations.into());
    assert_eq!(life.see(0, vec![made]).trigger.map(|trigger| trigger.id), Some(trigger.id));
}

#[test]
fn a_held_schedule_tells_until_when_and_misses_nothing_meanwhile() {
    let mut life = Life::new(json!({"schedule": "0 * * * *"}));
    life.see(-30, Vec::new());
    // Hourly at :00 until now, and moved to :01.
    life.spec = json!({"schedule": "1 * * * *", "startingDeadlineSeconds": 45});
    let delivered = Arc::new(cron_job(json!({"lastScheduleTime": minute(0)})));
    let mut valid = valid_with(life.spec.clone()).unwrap();
    valid.min_interval = 900;
    let found = ObservedState { cron_job: Some(delivered), ..found(Vec::new()) };
    let held = history(&life.schedule, &found, Some(&valid), minute(0));
    assert_eq!(held.held_until, Some(minute(61).as_second()));
    life.status().held_until = Some(Time(minute(61)));
    life.status().accounted_until = Some(Time(minute(0)));
    let released = history(&life.schedule, &found, Some(&valid), minute(61));
    assert_eq!((released.held_until, released.missed.len()), (None, 0));
}

#[test]
fn a_receiver_that_is_gone_pauses_and_a_trigger_goes_on() {
    let gone = || ended(1, FailedPermanently, Reason::ReceiverGone);
    let mut life = Life::new(json!({}));
    assert_eq!(life.see(1, vec![gone()]).paused_generation, Some(1));
    assert_eq!(life.see(2, vec![gone()]).paused_generation, Some(1));
    assert_eq!(life.see(90, vec![gone()]).new, [], "nothing is missed meanwhile");
    life.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "again".into())].into());
    let resumed = life.see(91, vec![gone()]);
    assert_eq!((resumed.paused_generation, resumed.trigger.is_some()), (None, true));
    assert_eq!(life.see(91, vec![gone()]).paused_generation, None, "the old answer counts once");
    let gone_again = run(91, over(), vec![said(FailedPermanently, Reason::ReceiverGone)]);
    assert_eq!(life.see(92, vec![gone(), gone_again]).paused_generation, Some(1));
}

#[test]
fn an_answer_to_an_older_spec_does_not_pause_a_newer_one() {
    let mut life = Life::new(json!({}));
    life.schedule.metadata.generation = Some(2);
    life.status().observed_generation = Some(2);
    let record = life.see(1, vec![ended(1, FailedPermanently, Reason::ReceiverGone)]);
    assert_eq!((record.paused_generation, record.new.len()), (None, 1));
}

#[test]
fn a_trigger_that_no_cache_shows_yet_counts() {
    let mut life = Life::new(json!({"schedule": "0 * * * *"}));
    life.schedule.metadata.annotations = Some([(TRIGGER_ANNOTATION.into(), "again".into())].into());
    let mut found = found(Vec::new());
    found.share.last_triggered = Some(minute(0).as_second());
    assert_eq!(life.see_found(0, &found).trigger_waits, Some(TriggerDecision::At(Some(minute(1).as_second()))));
}
