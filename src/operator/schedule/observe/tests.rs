//! What a reconcile reads.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::operator::cache::caches::Caches;
use crate::operator::cache::indexed::Indexed;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{self, Controllers, minute, settings};

fn read<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

/// The metadata of a schedule's child that is controlled by the object with this UID.
fn cron_job_state(schedule: &str, name: &str, owner: &str) -> Value {
    json!({
        "namespace": "team-a", "name": name, "uid": name, "creationTimestamp": minute(0),
        "labels": {"postern.dev/schedule": schedule},
        "ownerReferences": [{"apiVersion": "x", "kind": "x", "name": "x", "uid": owner, "controller": true}],
    })
}

/// Caches with this many schedules in one namespace, each with a CronJob, three Jobs and their pods. The first schedule is the
/// one of the tests.
fn caches(count: usize) -> Caches {
    let first = objects::schedule();
    let mut schedules = vec![first.clone()];
    let (mut cron_jobs, mut jobs, mut pods) = (Vec::<CronJob>::new(), Vec::<Job>::new(), Vec::<Pod>::new());
    for number in 0..count {
        if number > 0 {
            let mut other = first.clone();
            other.metadata.name = Some(format!("other-{number}"));
            other.metadata.uid = Some(format!("uid-{number}"));
            schedules.push(other);
        }
        let schedule = &schedules[number];
        let (name, cron_job) = (schedule.name_any(), names::cron_job(&schedule.name_any()));
        let spec = json!({"schedule": "* * * * *", "jobTemplate": {}});
        cron_jobs
            .push(read(json!({"metadata": cron_job_state(&name, &cron_job, &schedule.uid().unwrap()), "spec": spec})));
        for due in 0..3 {
            let job = names::job(&cron_job, minute(due).as_second());
            jobs.push(read(json!({"metadata": cron_job_state(&name, &job, &cron_job), "status": objects::over()})));
            pods.push(read(json!({"metadata": cron_job_state(&name, &format!("{job}-pod"), &job)})));
        }
    }
    Caches {
        schedules: Indexed::of(schedules),
        cron_jobs: Indexed::of(cron_jobs),
        jobs: Indexed::of(jobs),
        pods: Indexed::of(pods),
        ..objects::caches(&first)
    }
}

/// The observed state of the first of this many schedules, and how many objects were read for it.
fn observed(count: usize) -> (ObservedState, usize) {
    let now: Timestamp = minute(3);
    let client = fake_api::client(|request| (200, request.body));
    let Controllers { schedules, .. } = Controllers::new(client, caches(1), &settings(), now);
    let schedules = ScheduleReconciler { caches: Arc::new(caches(count)), ..schedules };
    schedules.recompute_quota(&objects::schedule(), now.as_second());
    let found = observe(&objects::schedule(), &schedules, now.as_second()).unwrap();
    let Caches { schedules, cron_jobs, service_accounts, network_policies, jobs, pods, .. } = &*schedules.caches;
    let looks = schedules.handed_out()
        + cron_jobs.handed_out()
        + service_accounts.handed_out()
        + network_policies.handed_out()
        + jobs.handed_out()
        + pods.handed_out();
    (found, looks)
}

#[tokio::test]
async fn a_reconcile_looks_at_what_is_the_schedules_own_however_many_others_there_are() {
    let (alone, few) = observed(1);
    assert_eq!((alone.runs.len(), alone.runs.iter().map(|run| run.pods.len()).sum::<usize>()), (3, 3));
    // A CronJob, three Jobs, three pods, the account and the policy.
    assert_eq!(few, 9);
    let (among_others, many) = observed(1_000);
    assert_eq!((among_others.runs.len(), many), (3, few));
}
