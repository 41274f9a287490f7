//! What is asked of the API server before a delivery is reported as never begun.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::operator::cache::caches::Caches;
use crate::operator::cache::indexed::Indexed;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{
    Controllers, caches, cron_job, found, minute, schedule, settings, valid_with,
};

/// Whether a reconcile is sure that minute 1 was missed, when the API server has a CronJob of this version, and Jobs of these
/// names that are controlled by a CronJob with this UID; and the requests that it made.
async fn confirmed(version: &str, jobs: &[&str], owner: &str) -> (bool, Vec<String>) {
    let mut cached = cron_job(json!({}));
    cached.metadata.name = Some("postern-nightly-report".into());
    cached.metadata.namespace = Some("team-a".into());
    cached.metadata.uid = Some("the-cron-job".into());
    cached.metadata.resource_version = Some("7".into());
    let mut now = serde_json::to_value(&cached).unwrap();
    now["metadata"]["resourceVersion"] = version.into();
    let owner = json!({"apiVersion": "batch/v1", "kind": "CronJob", "name": "x", "uid": owner, "controller": true});
    let list: Vec<Value> =
        jobs.iter().map(|name| json!({"metadata": {"name": name, "ownerReferences": [owner]}})).collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let client = fake_api::client(move |request| {
        seen.lock().unwrap().push(request.path.rsplit('/').next().unwrap_or_default().to_owned());
        let list =
            json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": list});
        (200, if request.path.ends_with("/jobs") { list } else { now.clone() })
    });

    let mut schedule = schedule();
    schedule.metadata.generation = Some(1);
    schedule.status = serde_json::from_value(json!({"observedGeneration": 1, "accountedUntil": minute(0)})).unwrap();
    let found = ObservedState { cron_job: Some(Arc::new(cached)), ..found(Vec::new()) };
    let valid = valid_with(json!({"schedule": "* * * * *", "startingDeadlineSeconds": 45})).unwrap();
    let assessment = assess(&schedule, &found, Some(&valid), minute(2));
    assert_eq!(assessment.history.missed, [minute(1).as_second()]);
    let is_sure = confirm(&schedule, &assessment, &found, &Applier::new(client)).await.is_ok();
    let asked = asked.lock().unwrap();
    (is_sure, asked.clone())
}

#[tokio::test]
async fn a_missed_time_is_told_once_neither_its_job_nor_a_newer_cron_job_is_there() {
    let (is_sure, asked) = confirmed("7", &["postern-nightly-report-30000000"], "the-cron-job").await;
    assert!(is_sure);
    assert_eq!(asked, ["jobs", "postern-nightly-report"], "two requests, however much was missed");
    assert!(!confirmed("8", &[], "").await.0, "the watch of CronJobs is late");
    let of_that_time = ["postern-nightly-report-30000001"];
    assert!(!confirmed("7", &of_that_time, "the-cron-job").await.0, "the watch of Jobs is late");
    assert!(confirmed("7", &of_that_time, "another").await.0, "somebody else's Job by the name and label of one");
}

/// An API server that fills in two fields of each CronJob that nobody set, one of which Postern doesn't know; its CronJob, and
/// the writes.
#[derive(Default)]
struct Newer {
    cron_job: Option<Value>,
    writes: Vec<String>,
}

impl Newer {
    fn answer(&mut self, method: &str, path: &str, mut body: Value) -> (u16, Value) {
        if path.contains("/cronjobs") && method != "GET" {
            self.writes.push(method.to_owned());
            body["spec"]["aNewField"] = json!("its default");
            body["spec"]["jobTemplate"]["spec"]["template"]["spec"]["hostUsers"] = json!(true);
            body["metadata"]["uid"] = json!("the-cron-job");
            body["metadata"]["resourceVersion"] = json!(self.writes.len().to_string());
            self.cron_job = Some(body.clone());
        }
        (200, body)
    }
}

#[tokio::test]
async fn what_a_newer_api_server_fills_in_causes_no_write_at_rest_and_what_somebody_changes_is_put_right() {
    let newer = Arc::new(Mutex::new(Newer::default()));
    let seen = Arc::clone(&newer);
    let client =
        fake_api::client(move |request| seen.lock().unwrap().answer(&request.method, &request.path, request.body));
    let schedule = schedule();
    let Controllers { mut schedules, .. } =
        Controllers::new(client, caches(&schedule), &settings(), Timestamp::UNIX_EPOCH);
    let mut reconcile = async |minutes: i64| {
        let cron_job = newer.lock().unwrap().cron_job.clone();
        let cron_jobs = cron_job.into_iter().map(|cron_job| serde_json::from_value(cron_job).unwrap()).collect();
        schedules.caches = Arc::new(Caches { cron_jobs: Indexed::of(cron_jobs), ..caches(&schedule) });
        Box::pin(reconcile_at(&schedule, &schedules, minute(minutes))).await.unwrap();
        newer.lock().unwrap().writes.clone()
    };
    for minutes in 0..4 {
        assert_eq!(reconcile(minutes).await, ["POST"], "{minutes}");
    }
    newer.lock().unwrap().cron_job.as_mut().unwrap()["spec"]["concurrencyPolicy"] = json!("Allow");
    for minutes in 4..8 {
        assert_eq!(reconcile(minutes).await, ["POST", "PUT"], "{minutes}");
    }
}

#[tokio::test]
async fn a_cron_job_is_made_anew_once_the_job_that_the_former_one_made_early_is_gone() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let client = fake_api::client(move |request| {
        let what = request.path.rsplit('/').next().unwrap_or_default().to_owned();
        seen.lock().unwrap().push(format!("{} {what}", request.method));
        (200, request.body)
    });
    let schedule = schedule();
    let Controllers { mut schedules, .. } = Controllers::new(client, caches(&schedule), &settings(), minute(0));
    let name = names::job("postern-nightly-report", minute(1).as_second());
    let former = json!({"apiVersion": "batch/v1", "kind": "CronJob", "name": "x", "uid": "former", "controller": true});
    let annotations = json!({"postern.dev/early-of": "3"});
    let metadata = json!({
        "namespace": "team-a", "name": name, "uid": "u", "annotations": annotations, "ownerReferences": [former],
    });
    let job = serde_json::from_value(json!({"metadata": metadata})).unwrap();
    schedules.caches = Arc::new(Caches { jobs: Indexed::of(vec![job]), ..caches(&schedule) });
    let action = Box::pin(reconcile_at(&schedule, &schedules, minute(0))).await.unwrap();
    assert_eq!((&**asked.lock().unwrap(), action), (&[format!("DELETE {name}")][..], Action::requeue(LATE)));

    asked.lock().unwrap().clear();
    schedules.caches = Arc::new(caches(&schedule));
    Box::pin(reconcile_at(&schedule, &schedules, minute(0))).await.unwrap();
    assert!(asked.lock().unwrap().contains(&"POST cronjobs".to_owned()), "{asked:?}");
}
