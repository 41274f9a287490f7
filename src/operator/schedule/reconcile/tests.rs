//! What is asked before a delivery is told as one that never began.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{cron_job, found, minute, schedule, valid_with};

/// Whether it is sure that minute 1 was missed, when the API server has a CronJob of this version and Jobs of these names,
/// which a CronJob with this UID controls; and what it was asked.
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
    let is_sure = confirm(&schedule, &assessment, &found, &Applier { client }).await.is_ok();
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
