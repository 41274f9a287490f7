//! What the controller of early Jobs asks of the API server, and how many schedules have their turn.

use std::sync::Mutex as StdMutex;

use futures::FutureExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::operator::build;
use crate::operator::cache::indexed::Indexed;
use crate::operator::names::{self, EARLY_ANNOTATION};
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{self, minute, valid_as};

/// The requests, with the code that each was answered with.
type Asked = Arc<StdMutex<Vec<(String, Value)>>>;

/// Schedules of these namespaces, due every minute, with a lead of 20 s; their last run, at 08:00, is over.
struct World {
    schedules: Vec<WebhookSchedule>,
    cron_jobs: Vec<CronJob>,
    jobs: Vec<Job>,
}

impl World {
    fn new(schedules: &[(&str, &str)]) -> Self {
        let schedules: Vec<_> = schedules.iter().map(|(namespace, name)| schedule(namespace, name)).collect();
        Self { cron_jobs: schedules.iter().map(cron_job).collect(), schedules, jobs: Vec::new() }
    }

    fn caches(&self) -> Caches {
        Caches {
            schedules: Indexed::of(self.schedules.clone()),
            cron_jobs: Indexed::of(self.cron_jobs.clone()),
            jobs: Indexed::of(self.jobs.clone()),
            ..objects::caches(&self.schedules[0])
        }
    }

    /// Has the cache show the Job of a schedule for 08:01, made early.
    fn has_early(&mut self, index: usize) {
        let job = build::early_job(&self.cron_jobs[index], &self.schedules[index].name_any(), minute(1).as_second());
        let mut job = job.unwrap();
        job.metadata.uid = Some(format!("early-{index}"));
        self.jobs.push(job);
    }
}

fn schedule(namespace: &str, name: &str) -> WebhookSchedule {
    let mut schedule = objects::schedule();
    (schedule.metadata.namespace, schedule.metadata.name) = (Some(namespace.into()), Some(name.into()));
    schedule.metadata.uid = Some(format!("{namespace}-{name}"));
    schedule.spec.schedule = "* * * * *".into();
    schedule
}

/// The CronJob that the operator would make of it, as the cluster has it.
fn cron_job(schedule: &WebhookSchedule) -> CronJob {
    let mut valid = valid_as(schedule).unwrap();
    if let crate::delivery::Run::Scheduled(timing) = &mut valid.delivery.run {
        (timing.offset_seconds, timing.lead_seconds) = (0, 20);
    }
    let mut cron_job = build::cron_job(&valid, false, &objects::settings()).unwrap();
    cron_job.metadata.uid = Some(format!("cron-job-of-{}", valid.owner.uid));
    cron_job.metadata.generation = Some(7);
    cron_job.metadata.resource_version = Some("1".into());
    cron_job.status = serde_json::from_value(json!({"lastScheduleTime": minute(0)})).unwrap();
    cron_job
}

fn name(namespace: &str, name: &str) -> ObjectRef<WebhookSchedule> {
    ObjectRef::new(name).within(namespace)
}

/// A controller that sees this, with this many slots, whose API server answers so.
fn controller(world: &World, most: u16, code: u16) -> (EarlyJobReconciler, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let client = fake_api::client(move |request| {
        let path = request.path.rsplit('/').take(2).collect::<Vec<_>>();
        let what = format!("{} {}/{}", request.method, path[1], path[0]);
        seen.lock().unwrap().push((what, request.body.clone()));
        (code, request.body)
    });
    let mut settings = objects::settings();
    settings.delivery.max_early = most;
    let caches = Arc::new(world.caches());
    (EarlyJobReconciler::new(client, caches, WorkQueues::default(), Metrics::new(), &settings), asked)
}

/// Ten seconds before 08:01.
fn before() -> Timestamp {
    minute(1) - SignedDuration::from_secs(10)
}

async fn reconcile(controller: &EarlyJobReconciler, world: &World, index: usize, now: Timestamp) -> Action {
    Box::pin(controller.reconcile_at(&world.schedules[index], now)).await.unwrap()
}

fn requests(asked: &Asked) -> Vec<String> {
    asked.lock().unwrap().iter().map(|(what, _)| what.clone()).collect()
}

#[tokio::test]
async fn the_job_is_the_one_that_the_cron_job_would_make_and_is_made_once() {
    let world = World::new(&[("team-a", "report")]);
    let (controller, asked) = controller(&world, 5, 201);
    let action = reconcile(&controller, &world, 0, before()).await;
    assert_eq!(action, Action::requeue(Duration::from_mins(1)), "to see whether it was adopted");
    assert_eq!(requests(&asked), ["POST team-a/jobs"]);
    let job: Job = serde_json::from_value(asked.lock().unwrap()[0].1.clone()).unwrap();
    assert_eq!(job.name_any(), format!("postern-report-{}", minute(1).as_second() / 60));
    let template = &world.cron_jobs[0].spec.job_template;
    assert_eq!(
        (&job.spec, job.labels()),
        (&template.spec, template.metadata.as_ref().unwrap().labels.as_ref().unwrap())
    );
    let annotations = json!({EARLY_ANNOTATION: "7", "postern.dev/generation": "1"});
    assert_eq!(json!(job.annotations()), annotations);
    let owner = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "name": "postern-report", "uid": "cron-job-of-team-a-report",
        "controller": true,
    });
    assert_eq!(json!(job.owner_references()), json!([owner]), "no blockOwnerDeletion");
    // The cache doesn't show it yet, or it was withdrawn.
    reconcile(&controller, &world, 0, before()).await;
    assert_eq!(requests(&asked).len(), 1);
    assert_eq!(controller.metrics.series("postern_early_jobs"), ["postern_early_jobs_total{result=\"Made\"} 1"]);
}

#[tokio::test]
async fn a_job_that_can_not_be_made_is_left_to_the_cron_job_controller_and_its_turn_to_another() {
    let world = World::new(&[("team-a", "report"), ("team-b", "report")]);
    let (controller, asked) = controller(&world, 1, 403);
    assert!(controller.limiter.try_acquire(&name("team-a", "report")));
    assert!(!controller.limiter.try_acquire(&name("team-b", "report")));
    for _ in 0..2 {
        reconcile(&controller, &world, 0, before()).await;
    }
    assert_eq!(requests(&asked), ["POST team-a/jobs"], "once");
    assert_eq!(controller.queues.early_jobs.next().now_or_never(), Some(name("team-b", "report")));
    assert_eq!(controller.metrics.series("postern_early_jobs"), ["postern_early_jobs_total{result=\"NotMade\"} 1"]);
}

#[tokio::test]
async fn no_more_than_allowed_wait_at_a_time_and_a_slot_goes_on_once_the_job_is_adopted() {
    let mut world = World::new(&[("team-a", "report"), ("team-b", "report")]);
    let (controller, asked) = controller(&world, 1, 201);
    reconcile(&controller, &world, 0, before()).await;
    reconcile(&controller, &world, 1, before()).await;
    assert_eq!(requests(&asked), ["POST team-a/jobs"]);
    // At the minute, both are the CronJob controller's, which has adopted the one.
    world.has_early(0);
    world.cron_jobs[0].status = serde_json::from_value(json!({"lastScheduleTime": minute(1)})).unwrap();
    let controller = EarlyJobReconciler { caches: Arc::new(world.caches()), ..controller };
    reconcile(&controller, &world, 0, minute(1)).await;
    assert_eq!(controller.queues.early_jobs.next().now_or_never(), Some(name("team-b", "report")));
    reconcile(&controller, &world, 1, minute(1)).await;
    assert!(controller.limiter.try_acquire(&name("team-c", "report")), "it has no use for the slot any more");
}

#[tokio::test]
async fn the_next_operator_counts_the_jobs_that_wait_and_those_of_deleted_schedules_hold_no_slot() {
    let mut world = World::new(&[("team-a", "report"), ("team-b", "report")]);
    world.has_early(0);
    let (controller, asked) = controller(&world, 1, 201);
    controller.learn(before().as_second());
    reconcile(&controller, &world, 1, before()).await;
    assert_eq!(requests(&asked), [""; 0]);
    controller.forget(&name("team-a", "report"));
    assert_eq!(controller.queues.early_jobs.next().now_or_never(), Some(name("team-b", "report")));
    reconcile(&controller, &world, 1, before()).await;
    assert_eq!(requests(&asked), ["POST team-b/jobs"]);
}

#[tokio::test]
async fn a_job_is_withdrawn_by_its_uid_and_in_the_background_and_no_second_one_is_made() {
    let mut world = World::new(&[("team-a", "report")]);
    world.has_early(0);
    world.cron_jobs[0].metadata.generation = Some(8);
    let (controller, asked) = controller(&world, 1, 200);
    controller.tried.lock().insert(name("team-a", "report"), minute(1).as_second());
    reconcile(&controller, &world, 0, before()).await;
    let (what, options) = asked.lock().unwrap()[0].clone();
    let job = names::job("postern-report", minute(1).as_second());
    assert_eq!(what, format!("DELETE jobs/{job}"));
    assert_eq!(
        (&options["preconditions"]["uid"], &options["propagationPolicy"]),
        (&json!("early-0"), &json!("Background"))
    );
    assert!(controller.limiter.try_acquire(&name("team-b", "report")), "its slot is free");
    world.jobs.clear();
    let controller = EarlyJobReconciler { caches: Arc::new(world.caches()), ..controller };
    reconcile(&controller, &world, 0, before()).await;
    assert_eq!(requests(&asked).len(), 1);
    assert_eq!(controller.metrics.series("postern_early_jobs"), ["postern_early_jobs_total{result=\"Withdrawn\"} 1"]);
}

#[tokio::test]
async fn a_job_of_a_tier_that_has_no_lead_any_more_is_withdrawn() {
    let mut world = World::new(&[("team-a", "report")]);
    world.has_early(0);
    let mut valid = valid_as(&world.schedules[0]).unwrap();
    if let crate::delivery::Run::Scheduled(timing) = &mut valid.delivery.run {
        timing.lead_seconds = 0;
    }
    world.cron_jobs[0].spec = build::cron_job(&valid, false, &objects::settings()).unwrap().spec;
    world.cron_jobs[0].metadata.generation = Some(8);
    let (controller, asked) = controller(&world, 1, 200);
    reconcile(&controller, &world, 0, before()).await;
    assert!(requests(&asked)[0].starts_with("DELETE jobs/"), "{asked:?}");
}

#[tokio::test]
async fn where_a_job_is_not_adopted_the_namespace_has_none_for_an_hour_and_others_have() {
    let mut world = World::new(&[("team-a", "report"), ("team-a", "other"), ("team-b", "report")]);
    world.has_early(0);
    let (controller, asked) = controller(&world, 5, 201);
    let late = minute(1) + SignedDuration::from_secs(50);
    reconcile(&controller, &world, 0, late).await;
    for index in [1, 2] {
        world.cron_jobs[index].status = serde_json::from_value(json!({"lastScheduleTime": minute(1)})).unwrap();
    }
    let controller = EarlyJobReconciler { caches: Arc::new(world.caches()), ..controller };
    reconcile(&controller, &world, 1, late).await;
    reconcile(&controller, &world, 2, late).await;
    assert_eq!(requests(&asked), ["POST team-b/jobs"]);
    let told = controller.metrics.series("postern_early_jobs_total{result=\"NotAdopted\"}");
    assert_eq!(told, ["postern_early_jobs_total{result=\"NotAdopted\"} 1"]);
}

#[tokio::test]
async fn a_new_cron_job_that_the_controller_passes_over_is_changed_once() {
    let mut world = World::new(&[("team-a", "report")]);
    world.cron_jobs[0].status = None;
    world.cron_jobs[0].metadata.creation_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(minute(0)));
    let (controller, asked) = controller(&world, 5, 200);
    reconcile(&controller, &world, 0, minute(1) + SignedDuration::from_secs(10)).await;
    let (what, body) = asked.lock().unwrap().remove(0);
    assert_eq!(what, "PUT cronjobs/postern-report");
    assert_eq!(body["metadata"]["annotations"], json!({"postern.dev/woken-for": minute(1).as_second().to_string()}));
    assert_eq!(body["metadata"]["resourceVersion"], "1", "this version and no other");
    assert_eq!(body["spec"], json!(world.cron_jobs[0].spec));
}

#[tokio::test]
async fn a_namespace_that_ends_has_none() {
    let world = World::new(&[("team-a", "report")]);
    let (controller, asked) = controller(&world, 5, 201);
    let ending = json!({"metadata": {"name": "team-a", "deletionTimestamp": minute(0)}});
    let caches = Caches { namespaces: Indexed::of(vec![serde_json::from_value(ending).unwrap()]), ..world.caches() };
    let controller = EarlyJobReconciler { caches: Arc::new(caches), ..controller };
    reconcile(&controller, &world, 0, before()).await;
    assert_eq!(requests(&asked), [""; 0]);
}
