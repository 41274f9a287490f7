//! How a check that can't be made, or isn't wanted any more, affects other checks and the status.

use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::api::CHECK_ANNOTATION;
use crate::egress::Rules;
use crate::operator::build::namespace_children;
use crate::operator::cache::indexed::Indexed;
use crate::operator::schedule::reconcile::reconcile_at;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{self, Controllers, minute, settings, tier};

/// A cluster with one schedule, and the requests to its API server.
struct World {
    schedule: WebhookSchedule,
    cron_job: Option<CronJob>,
    jobs: Vec<Job>,
    /// The status code for a POST of a Job.
    answer: u16,
    asked: Vec<String>,
}

/// The controllers of schedules and of preflight, and their cluster.
struct Operator {
    world: Arc<Mutex<World>>,
    controllers: Controllers,
    max_deliveries_per_hour: u32,
}

impl Operator {
    fn new(answer: u16, settings: &Settings) -> Self {
        let mut schedule = objects::schedule();
        (schedule.metadata.generation, schedule.metadata.resource_version) = (Some(1), Some("1".into()));
        let caches = objects::caches(&schedule);
        let world = World { schedule, cron_job: None, jobs: Vec::new(), answer, asked: Vec::new() };
        let world = Arc::new(Mutex::new(world));
        let seen = Arc::clone(&world);
        let client =
            fake_api::client(move |request| seen.lock().unwrap().answer(&request.method, &request.path, request.body));
        let controllers = Controllers::new(client, caches, settings, minute(0));
        Self { world, controllers, max_deliveries_per_hour: 60 }
    }

    fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().unwrap())
    }

    /// Has the watches show the current state.
    fn see(&mut self, now: Timestamp) -> WebhookSchedule {
        let mut tier = tier();
        (tier.spec.default, tier.spec.max_deliveries_per_hour) = (true, self.max_deliveries_per_hour);
        let world = self.world.lock().unwrap();
        let unlisted = self.controllers.preflight.caches.unlisted.clone();
        let caches = Arc::new(Caches {
            cron_jobs: Indexed::of(world.cron_job.iter().cloned().collect()),
            jobs: Indexed::of(world.jobs.clone()),
            tiers: Indexed::of(vec![tier]),
            network_policies: Indexed::of(vec![
                namespace_children("team-a", &Rules::default(), &settings()).network_policy,
            ]),
            unlisted,
            ..objects::caches(&world.schedule)
        });
        let membership = objects::membership(&caches);
        let Controllers { schedules, preflight, .. } = &mut self.controllers;
        schedules.quotas.note(&world.schedule, now.as_second());
        (schedules.caches, schedules.membership) = (Arc::clone(&caches), membership.clone());
        (preflight.caches, preflight.membership) = (caches, membership);
        world.schedule.clone()
    }

    /// The controllers take turns, until each has seen what the other did.
    async fn work(&mut self, now: Timestamp) -> Action {
        let mut action = Action::await_change();
        for _ in 0..2 {
            let schedule = self.see(now);
            Box::pin(reconcile_at(&schedule, &self.controllers.schedules, now)).await.unwrap();
            let schedule = self.see(now);
            action = Box::pin(self.controllers.preflight.reconcile_at(&schedule, now)).await.unwrap();
        }
        action
    }

    fn limiter(&self) -> &FairLimiter<WebhookSchedule> {
        &self.controllers.preflight.limiter
    }

    /// How many checks were made.
    fn made(&self) -> usize {
        self.world(|world| world.asked.iter().filter(|what| *what == "POST team-a/jobs").count())
    }

    /// The status, the reason and the message of `TargetAllowed`.
    fn target_allowed(&self) -> (String, String, String) {
        let conditions = self.world(|world| world.schedule.status.clone()).unwrap().conditions;
        let allowed = conditions.into_iter().find(|condition| condition.type_ == "TargetAllowed").unwrap();
        (allowed.status, allowed.reason, allowed.message)
    }
}

impl World {
    fn answer(&mut self, method: &str, path: &str, mut body: Value) -> (u16, Value) {
        let mut parts: Vec<&str> = path.rsplit('/').take(2).collect();
        parts.reverse();
        let what = format!("{method} {}", parts.join("/"));
        match what.as_str() {
            "POST team-a/jobs" => {
                self.asked.push(what);
                return (self.answer, body);
            }
            "POST team-a/cronjobs" => {
                body["metadata"]["uid"] = "the-cron-job".into();
                self.cron_job = serde_json::from_value(body.clone()).unwrap();
            }
            "PUT nightly-report/status" => {
                let next = self.schedule.resource_version().unwrap().parse::<u64>().unwrap() + 1;
                body["metadata"]["resourceVersion"] = next.to_string().into();
                self.schedule = serde_json::from_value(body.clone()).unwrap();
            }
            _ => {}
        }
        self.asked.push(what);
        (200, body)
    }
}

fn another() -> ObjectRef<WebhookSchedule> {
    ObjectRef::new("another").within("team-b")
}

/// A check of the schedule that is under way.
fn under_way() -> Job {
    serde_json::from_value(json!({
        "metadata": {
            "name": "postern-nightly-report-c1", "namespace": "team-a", "creationTimestamp": minute(0),
            "labels": {"postern.dev/schedule": "nightly-report"},
            "annotations": {CHECK_ANNOTATION: ""},
            "ownerReferences": [{
                "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "name": "nightly-report",
                "uid": objects::schedule().metadata.uid, "controller": true,
            }],
        },
        "status": {"active": 1, "ready": 1},
    }))
    .unwrap()
}

#[tokio::test]
async fn a_job_that_cannot_be_made_is_told_and_tried_again_and_keeps_no_delivery_and_no_other_check_waiting() {
    for code in [403, 422, 500] {
        let mut operator = Operator::new(code, &settings());
        let action = operator.work(minute(0)).await;
        assert_eq!(action, Action::requeue(Duration::from_secs(5)), "{code}");
        let counted = r#"postern_checks_total{result="Unknown",reason="JobNotCreated"} 1"#;
        assert_eq!(operator.controllers.schedules.metrics.series("postern_checks_total"), [counted]);
        let (status, reason, _) = operator.target_allowed();
        assert_eq!((&*status, &*reason), ("Unknown", "JobNotCreated"));
        assert_eq!(operator.made(), 1, "once, until it is its time again");
        assert!(operator.limiter().try_acquire(&another()));
    }
}

#[tokio::test]
async fn a_check_is_made_once_the_cron_job_is_in_place_and_has_its_turn_until_it_is_over() {
    let mut operator = Operator::new(201, &settings());
    let schedule = operator.see(minute(0));
    operator.controllers.preflight.reconcile_at(&schedule, minute(0)).await.unwrap();
    assert_eq!(operator.made(), 0, "nothing is accepted yet");
    operator.work(minute(0)).await;
    let asked = operator.world(|world| world.asked.clone());
    let position = |what: &str| asked.iter().position(|asked| asked == what);
    assert!(position("POST team-a/cronjobs") < position("POST team-a/jobs"), "{asked:?}");
    assert_eq!(operator.made(), 1);
    assert!(!operator.limiter().try_acquire(&another()));
}

#[tokio::test]
async fn a_namespace_that_could_not_be_listed_keeps_no_turn() {
    let mut operator = Operator::new(201, &settings());
    operator.limiter().adopt(&ObjectRef::from_obj(&objects::schedule()));
    assert!(!operator.limiter().try_acquire(&another()));
    operator.controllers.preflight.caches.unlisted.add("team-a", "Job");
    operator.work(minute(0)).await;
    assert!(operator.limiter().try_acquire(&another()));
    assert!(operator.world(|world| world.asked.is_empty()));
}

#[tokio::test]
async fn what_is_under_way_when_checks_are_switched_off_is_ended() {
    let mut off = settings();
    off.preflight.enabled = false;
    let mut operator = Operator::new(201, &off);
    operator.world(|world| world.jobs.push(under_way()));
    operator.limiter().adopt(&ObjectRef::from_obj(&objects::schedule()));
    operator.work(minute(0)).await;
    let asked = operator.world(|world| world.asked.clone());
    assert!(asked.iter().any(|what| what == "DELETE jobs/postern-nightly-report-c1"), "{asked:?}");
    assert!(operator.limiter().try_acquire(&another()));
}

#[tokio::test]
async fn a_spec_that_is_not_judged_yet_ends_no_check() {
    let mut operator = Operator::new(201, &settings());
    operator.world(|world| world.jobs.push(under_way()));
    let schedule = operator.see(minute(0));
    operator.controllers.preflight.reconcile_at(&schedule, minute(0)).await.unwrap();
    assert!(operator.world(|world| world.asked.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn however_often_a_check_is_asked_for_or_a_schedule_made_again_a_namespace_makes_as_many_as_its_tier_allows() {
    let mut operator = Operator::new(201, &settings());
    operator.max_deliveries_per_hour = 4;
    for number in 0..50 {
        operator.world(|world| {
            let metadata = &mut world.schedule.metadata;
            if number % 2 == 0 {
                // As if the schedule had been deleted and recreated, with the last check forgotten.
                (metadata.uid, metadata.annotations) = (Some(format!("uid-{number}")), None);
                (world.cron_job, world.schedule.status) = (None, None);
            } else {
                metadata.annotations = Some([(CHECK_ANNOTATION.to_owned(), number.to_string())].into());
            }
        });
        let known = ObjectRef::from_obj(&objects::schedule());
        operator.controllers.schedules.consistency.clear("team-a", "nightly-report");
        operator.work(minute(0) + SignedDuration::from_secs(number)).await;
        // Its Job ended at once.
        operator.limiter().release(&known);
        // The use of a namespace is recorded at most once a second.
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    assert_eq!(operator.made(), 4);
    let (status, reason, message) = operator.target_allowed();
    assert_eq!((&*status, &*reason), ("Unknown", "CheckWaits"), "{message}");
    // The next check may be made a quarter of an hour after the first.
    assert!(message.contains("2027-01-15T08:15:00Z"), "{message}");
    operator.work(minute(15)).await;
    assert_eq!(operator.made(), 5);
}

#[tokio::test]
async fn the_checks_of_an_operator_before_this_one_have_their_turn() {
    let operator = Operator::new(201, &settings());
    let jobs = Indexed::of(vec![under_way()]);
    let caches = Caches { jobs, ..objects::caches(&objects::schedule()) };
    let preflight = PreflightReconciler { caches: Arc::new(caches), ..operator.controllers.preflight };
    preflight.learn();
    assert!(!preflight.limiter.try_acquire(&another()));
}
