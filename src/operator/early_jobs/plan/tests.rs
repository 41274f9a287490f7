//! When a Job is made early, kept and withdrawn. The schedule is due every five minutes, the last time at 08:00, and has a lead of
//! 20 s, so the Job of 08:05 is made at 08:04:40.

use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::operator::names;
use crate::operator::test_support::objects::{minute, over};

/// 08:00 and 08:05.
const LAST: i64 = 1_800_000_000;
const DOT: i64 = LAST + 300;

/// A CronJob of generation 7, and its Jobs.
struct World {
    cron_job: Value,
    runs: Vec<Run>,
}

impl World {
    fn new() -> Self {
        let delivery =
            json!({"run": {"scheduled": {"startingDeadlineSeconds": 60, "offsetSeconds": 0, "leadSeconds": 20}}});
        Self {
            cron_job: json!({
                "metadata": {"name": "postern-report", "generation": 7, "creationTimestamp": minute(-60)},
                "spec": {
                    "schedule": "*/5 * * * *", "timeZone": "UTC", "suspend": false, "concurrencyPolicy": "Forbid",
                    "jobTemplate": {"spec": {"template": {"metadata": {
                        "annotations": {names::DELIVERY_ANNOTATION: delivery.to_string()},
                    }}}},
                },
                "status": {"lastScheduleTime": minute(0)},
            }),
            runs: Vec::new(),
        }
    }

    fn with(pointer: &str, value: Value) -> Self {
        let mut world = Self::new();
        world.set(pointer, value);
        world
    }

    /// Sets a part of the CronJob that exists, or adds a field to one.
    fn set(&mut self, pointer: &str, value: Value) {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        self.cron_job.pointer_mut(parent).unwrap()[field] = value;
    }

    /// What the sender is told about time.
    fn told(offset: u32, lead: u32) -> Self {
        let delivery = json!({"run": {"scheduled": {
            "startingDeadlineSeconds": 60, "offsetSeconds": offset, "leadSeconds": lead,
        }}});
        let annotations = json!({names::DELIVERY_ANNOTATION: delivery.to_string()});
        Self::with("/spec/jobTemplate/spec/template/metadata/annotations", annotations)
    }

    fn with_runs(mut self, runs: Vec<Run>) -> Self {
        self.runs = runs;
        self
    }

    /// The plan at this many seconds after 08:05.
    fn plan(&self, after: i64) -> Plan {
        self.plan_at(Timestamp::from_second(DOT + after).unwrap())
    }

    fn plan_at(&self, now: Timestamp) -> Plan {
        plan(&serde_json::from_value(self.cron_job.clone()).unwrap(), &self.runs, now)
    }

    fn step(&self, after: i64) -> Step {
        self.plan(after).step
    }

    fn obstacle(&self) -> Option<Obstacle> {
        let cron_job = serde_json::from_value(self.cron_job.clone()).unwrap();
        obstacle(&cron_job, &Timing::of(&cron_job).unwrap(), &self.runs, DOT)
    }
}

/// A Job of this time with this status, and pods with these metadata and statuses.
#[expect(clippy::needless_pass_by_value, reason = "tests write the parts where they call it")]
fn run(time: i64, annotations: Value, status: Value, pods: &[Value]) -> Run {
    let metadata = json!({"name": names::job("postern-report", time), "annotations": annotations});
    Run {
        job: Arc::new(serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()),
        is_deleted: false,
        pods: pods.iter().map(|pod| Arc::new(serde_json::from_value(pod.clone()).unwrap())).collect(),
    }
}

/// The Job of 08:05, made early from the CronJob's generation 7, with a sender that waits.
fn early() -> Run {
    early_with(json!({"active": 1, "ready": 1}), &[json!({"status": {"phase": "Running"}})])
}

fn early_with(status: Value, pods: &[Value]) -> Run {
    run(DOT, json!({EARLY_ANNOTATION: "7"}), status, pods)
}

#[test]
fn the_job_of_the_coming_minute_is_made_by_the_lead_before_it_and_not_at_it() {
    let world = World::new();
    assert_eq!(world.plan(-200), Plan { step: Step::Nothing, next: Some((DOT - 20) * 1_000) });
    let just_before = Timestamp::from_second(DOT - 20).unwrap() - SignedDuration::from_millis(1);
    assert_eq!(world.plan_at(just_before).step, Step::Nothing);
    assert_eq!(world.plan(-20), Plan { step: Step::Make(DOT), next: Some((DOT + ADOPTED_WITHIN) * 1_000) });
    let at_last = Timestamp::from_second(DOT).unwrap() - SignedDuration::from_millis(1);
    assert_eq!(world.plan_at(at_last).step, Step::Make(DOT));
    // The run of 08:05 isn't begun yet, so nothing is planned for 08:10.
    assert_eq!(world.plan(0), Plan::NOTHING);
}

#[test]
fn the_offset_within_the_minute_delays_the_job() {
    let world = World::told(4, 20);
    assert_eq!(world.plan(-17), Plan { step: Step::Nothing, next: Some((DOT - 16) * 1_000) });
    assert_eq!(world.step(-16), Step::Make(DOT));
}

#[test]
fn a_cron_job_whose_senders_do_not_wait_is_left_alone() {
    let without = World::with("/spec/jobTemplate/spec/template/metadata/annotations", json!({}));
    let triggered = json!({"run": {"triggered": {"id": "msg_1", "scheduledTime": "2027-01-15T08:00:00Z"}}});
    let triggered = json!({names::DELIVERY_ANNOTATION: triggered.to_string()});
    let triggered = World::with("/spec/jobTemplate/spec/template/metadata/annotations", triggered);
    // A Job of a lead that ends before the minute does would be made after it.
    for world in [without, triggered, World::told(0, 0), World::told(4, 4), World::told(4, 3)] {
        assert_eq!(world.plan(-1), Plan::NOTHING, "{:?}", world.cron_job);
    }
}

#[test]
fn each_condition_for_an_early_job_is_needed() {
    let running = |time| run(time, json!({}), json!({"active": 1}), &[]);
    let finished = |time| run(time, json!({}), over(), &[]);
    let world = World::new().with_runs(vec![finished(LAST), finished(LAST - 300)]);
    assert_eq!((world.obstacle(), world.step(-10)), (None, Step::Make(DOT)));
    let triggered = Run {
        job: Arc::new(serde_json::from_value(json!({"metadata": {"name": "postern-report-t23456789a"}})).unwrap()),
        is_deleted: false,
        pods: Vec::new(),
    };
    let active = json!([{"kind": "Job", "name": "postern-report-1"}]);
    for (world, reason) in [
        (World::with("/spec/suspend", json!(true)), Obstacle::Suspended),
        (World::with("/metadata/deletionTimestamp", json!(minute(4))), Obstacle::Deleted),
        (World::told(5, 20), Obstacle::SentLater),
        // The run before wasn't begun; this one was already; the expression was changed since.
        (World::with("/status/lastScheduleTime", json!(minute(-5))), Obstacle::NotBegun),
        (World::with("/status/lastScheduleTime", json!(minute(5))), Obstacle::NotBegun),
        (World::with("/spec/schedule", json!("1,5 * * * *")), Obstacle::NotBegun),
        (World::new().with_runs(vec![running(LAST)]), Obstacle::StillRuns),
        (World::new().with_runs(vec![triggered]), Obstacle::StillRuns),
        (World::with("/status/active", active), Obstacle::StillRuns),
    ] {
        assert_eq!(world.obstacle(), Some(reason), "{}", world.cron_job);
        assert_eq!(world.plan(-10), Plan::NOTHING, "{reason:?}");
    }
}

#[test]
fn only_where_runs_may_overlap_does_one_that_still_runs_not_matter() {
    for (policy, step) in [("Allow", Step::Make(DOT)), ("Forbid", Step::Nothing), ("Replace", Step::Nothing)] {
        let mut world = World::with("/spec/concurrencyPolicy", json!(policy));
        world.set("/status/active", json!([{"kind": "Job", "name": "postern-report-1"}]));
        world.runs.push(run(LAST, json!({}), json!({"active": 1}), &[]));
        assert_eq!(world.step(-10), step, "{policy}");
    }
}

#[test]
fn the_first_run_after_the_clocks_change_is_the_controllers_own() {
    // In Berlin, the clocks went forward on 28 March 2027 at 01:00 UTC.
    let at = |time: &str| -> Timestamp { time.parse().unwrap() };
    for (last, now, is_made) in [
        ("2027-03-28T00:30:00Z", "2027-03-28T00:59:50Z", false),
        ("2027-03-28T00:00:00Z", "2027-03-28T00:29:50Z", true),
        ("2027-03-28T01:00:00Z", "2027-03-28T01:29:50Z", true),
    ] {
        let mut world = World::with("/spec/schedule", json!("0,30 * * * *"));
        world.set("/spec/timeZone", json!("Europe/Berlin"));
        world.set("/status/lastScheduleTime", json!(last));
        assert_eq!(matches!(world.plan_at(at(now)).step, Step::Make(_)), is_made, "{last}");
    }
}

#[test]
fn a_job_that_waits_is_kept_until_the_controller_has_adopted_it() {
    let mut world = World::new().with_runs(vec![early()]);
    for after in [-20, -6, -5, 0, ADOPTED_WITHIN - 1] {
        assert_eq!(world.plan(after), Plan { step: Step::Keep, next: Some((DOT + ADOPTED_WITHIN) * 1_000) }, "{after}");
    }
    world.set("/status/lastScheduleTime", json!(minute(5)));
    assert_eq!(world.step(1), Step::Nothing, "it runs, as any other");
}

#[test]
fn what_the_controller_would_make_otherwise_is_withdrawn_five_seconds_before_its_time_at_the_latest() {
    let waits = || World::new().with_runs(vec![early()]);
    let changed = |pointer: &str, value: Value| {
        let mut world = waits();
        world.set(pointer, value);
        world
    };
    let mut overlaps = waits();
    overlaps.runs.push(run(LAST, json!({}), json!({"active": 1}), &[]));
    let mut without_lead = World::told(0, 0).with_runs(vec![early()]);
    without_lead.set("/metadata/generation", json!(8));
    for world in [
        // Every change of its spec changes the generation.
        changed("/metadata/generation", json!(8)),
        changed("/spec/suspend", json!(true)),
        changed("/metadata/deletionTimestamp", json!(minute(4))),
        overlaps,
        without_lead,
    ] {
        assert_eq!(world.step(-20), Step::Withdraw(Arc::clone(&world.runs[0].job)), "{}", world.cron_job);
        assert_eq!(world.step(-6), Step::Withdraw(Arc::clone(&world.runs[0].job)), "{}", world.cron_job);
        for after in [-5, -1, 0, ADOPTED_WITHIN] {
            assert_eq!(world.step(after), Step::Keep, "{after}: {}", world.cron_job);
        }
    }
}

#[test]
fn a_job_whose_pod_is_lost_while_it_waits_is_left_to_the_controller() {
    let pod = |pod: Value| early_with(json!({"active": 1}), &[pod]);
    for lost in [
        early_with(over(), &[]),
        pod(json!({"status": {"phase": "Failed"}})),
        pod(json!({"status": {"phase": "Succeeded"}})),
        pod(json!({"metadata": {"deletionTimestamp": minute(4)}, "status": {"phase": "Running"}})),
    ] {
        let world = World::new().with_runs(vec![lost]);
        assert_eq!(world.step(-6), Step::Withdraw(Arc::clone(&world.runs[0].job)));
        assert_eq!(world.step(-5), Step::Keep, "the Job makes another pod");
    }
    let pending = World::new().with_runs(vec![pod(json!({"status": {"phase": "Pending"}}))]);
    assert_eq!(pending.step(-6), Step::Keep);
}

#[test]
fn a_job_that_is_being_deleted_already_is_not_touched() {
    let mut run = early();
    Arc::make_mut(&mut run.job).metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(minute(4)));
    let world = World::with("/spec/suspend", json!(true)).with_runs(vec![run]);
    assert_eq!(world.plan(-10), Plan::NOTHING);
}

#[test]
fn a_job_that_the_controller_does_not_adopt_is_told_once_its_minute_is_almost_over() {
    let world = World::new().with_runs(vec![early()]);
    assert_eq!(world.step(ADOPTED_WITHIN - 1), Step::Keep);
    assert_eq!(world.plan(ADOPTED_WITHIN), Plan { step: Step::NotAdopted(DOT), next: None });
    assert_eq!(world.step(2 * ADOPTED_WITHIN), Step::Nothing, "an operator that starts later says nothing of it");
    // A tenant who changes the schedule in the last seconds must not bring it about.
    let mut changed = World::new().with_runs(vec![early()]);
    changed.set("/metadata/generation", json!(8));
    assert_eq!(changed.step(ADOPTED_WITHIN), Step::Keep);
    let mut waits = World::new().with_runs(vec![early()]);
    waits.set("/status/active", json!([{"kind": "Job", "name": "postern-report-1"}]));
    assert_eq!(waits.step(ADOPTED_WITHIN), Step::Keep, "the controller waits for another run");
}

/// A CronJob that was made at 08:00:00 and of which no Job was made.
fn new_cron_job() -> World {
    let mut world = World::with("/status", json!({}));
    world.set("/metadata/creationTimestamp", json!(minute(0)));
    world
}

#[test]
fn the_controller_of_a_new_cron_job_makes_the_first_job_and_is_woken_once_if_it_makes_none() {
    let mut world = new_cron_job();
    for after in [-10, 0, 9] {
        assert_eq!(world.plan(after), Plan { step: Step::Nothing, next: Some((DOT + 10) * 1_000) }, "{after}");
    }
    assert_eq!(world.plan(10), Plan { step: Step::Wake(DOT), next: None });
    assert_eq!(world.step(1_000), Step::Wake(DOT), "an operator that was away makes up for it");
    world.set("/metadata/annotations", json!({WOKEN_ANNOTATION: DOT.to_string()}));
    assert_eq!(world.plan(10), Plan::NOTHING);
    let mut suspended = new_cron_job();
    suspended.set("/spec/suspend", json!(true));
    assert_eq!(suspended.plan(10), Plan::NOTHING);
    let mut without_lead = World::told(0, 0);
    without_lead.set("/status", json!({}));
    assert_eq!(without_lead.plan(10), Plan::NOTHING);
}
