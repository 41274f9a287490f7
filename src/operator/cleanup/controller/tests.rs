//! What is deleted in a namespace, in which order, and what prevents it.

use std::sync::Mutex;

use k8s_openapi::api::batch::v1::Job;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;
use crate::api::WebhookSchedule;
use crate::operator::cache::indexed::Indexed;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{caches, schedule};

/// A cache that holds objects of these names in the namespace.
fn named<K>(names: &[&str]) -> Indexed<K>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + 'static,
{
    let metadata = |name: &str| json!({"namespace": "team-a", "name": name, "uid": name});
    let object = |name: &&str| json!({"metadata": metadata(name), "spec": {"schedule": "", "jobTemplate": {}}});
    Indexed::of(names.iter().map(|name| serde_json::from_value(object(name)).unwrap()).collect())
}

/// The senders' policy, and two policies of a tenant.
fn policies() -> Indexed<NetworkPolicy> {
    let labelled = |name: &str, manager: &str| {
        let labels = json!({"app.kubernetes.io/managed-by": manager});
        let metadata = json!({"namespace": "team-a", "name": name, "uid": name, "labels": labels});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    };
    Indexed::of(vec![
        labelled("postern-sender", "postern"),
        labelled("theirs", "Helm"),
        labelled("theirs-too", "postern"),
    ])
}

/// The same objects and a canary's, which doesn't prevent a cleanup.
fn with_canary<K>(of_schedules: &Indexed<K>) -> Indexed<K>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + 'static,
{
    let metadata = json!({"namespace": "team-a", "name": "canary", "labels": {"postern.dev/canary": "true"}});
    let canary = serde_json::from_value(json!({"metadata": metadata})).unwrap();
    Indexed::of(of_schedules.all().map(Arc::unwrap_or_clone).chain([canary]).collect())
}

/// What a cleanup of the namespace writes when its account and policy exist, and this many objects of each other kind.
async fn swept(
    schedules: Vec<WebhookSchedule>,
    cron_jobs: &[&str],
    jobs: &[&str],
    pods: &[&str],
    unlisted: bool,
) -> Vec<String> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let client = fake_api::client(move |request| {
        let what = request.path.rsplit('/').nth(1).unwrap_or_default().to_owned();
        seen.lock().unwrap().push(format!("{} {what}", request.method));
        (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
    });
    let caches = Caches {
        schedules: Indexed::of(schedules),
        cron_jobs: named(cron_jobs),
        service_accounts: named(&["postern-sender"]),
        network_policies: policies(),
        jobs: with_canary(&named(jobs)),
        pods: with_canary(&named(pods)),
        ..caches(&schedule())
    };
    if unlisted {
        caches.unlisted.add("team-a", "Pod");
    }
    let cleanup = CleanupReconciler { client, caches: Arc::new(caches) };
    let namespace: Value = json!({"metadata": {"name": "team-a"}});
    cleanup.reconcile(Arc::new(serde_json::from_value(namespace).unwrap())).await.unwrap();
    let asked = asked.lock().unwrap();
    asked.clone()
}

#[tokio::test]
async fn the_account_goes_before_the_policy_so_that_no_pod_is_made_without_it() {
    assert_eq!(swept(Vec::new(), &[], &[], &[], false).await, ["DELETE serviceaccounts", "DELETE networkpolicies"]);
}

#[tokio::test]
async fn whatever_is_or_may_come_to_a_pod_keeps_the_policy() {
    let nothing: [String; 0] = [];
    assert_eq!(swept(vec![schedule()], &[], &[], &[], false).await, nothing, "a schedule");
    assert_eq!(swept(Vec::new(), &["x"], &[], &[], false).await, nothing, "a CronJob");
    assert_eq!(swept(Vec::new(), &[], &["x"], &[], false).await, nothing, "a Job");
    assert_eq!(swept(Vec::new(), &[], &[], &["x"], false).await, nothing, "a pod");
    assert_eq!(swept(Vec::new(), &[], &[], &[], true).await, nothing, "what isn't known");
}

#[tokio::test]
async fn a_cleanup_where_schedules_are_reads_the_orphans_alone() {
    let owned = |number: usize| -> CronJob {
        let owner = json!({"apiVersion": "x/v1", "kind": "X", "name": "x", "uid": "x", "controller": true});
        let metadata = json!({"namespace": "team-a", "name": number.to_string(), "ownerReferences": [owner]});
        serde_json::from_value(json!({"metadata": metadata, "spec": {"schedule": "", "jobTemplate": {}}})).unwrap()
    };
    let orphan = serde_json::from_value(json!({
        "metadata": {"namespace": "team-a", "name": "orphan", "labels": {"postern.dev/schedule": "x"}},
        "spec": {"schedule": "", "jobTemplate": {}},
    }));
    let cron_jobs = Indexed::of((0..1_000).map(owned).chain([orphan.unwrap()]).collect());
    let caches = Arc::new(Caches { cron_jobs, jobs: named(&["x"]), pods: named(&["x"]), ..caches(&schedule()) });
    let client = fake_api::client(|_| (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})));
    let cleanup = CleanupReconciler { client, caches: Arc::clone(&caches) };
    let namespace: Value = json!({"metadata": {"name": "team-a"}});
    cleanup.reconcile(Arc::new(serde_json::from_value(namespace).unwrap())).await.unwrap();
    let read = [caches.cron_jobs.handed_out(), caches.jobs.handed_out(), caches.pods.handed_out()];
    assert_eq!(read, [1, 2, 0], "a Job without a controller, none made early, and no pod, since there is a schedule");
}

#[tokio::test]
async fn the_job_that_an_orphan_made_early_is_gone_before_the_orphan_is_deleted() {
    let labels = json!({"postern.dev/schedule": "x"});
    let orphan = json!({
        "metadata": {"namespace": "team-a", "name": "postern-x", "labels": labels}, "spec": {"schedule": "", "jobTemplate": {}},
    });
    // The minute may end meanwhile.
    let minutes = Timestamp::now().as_second() / 60;
    let early = |minutes: i64| -> Job {
        let metadata = json!({
            "namespace": "team-a", "name": format!("postern-x-{minutes}"), "labels": labels,
            "annotations": {"postern.dev/early-of": "1"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "postern-x", "uid": "x", "controller": true}],
        });
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    };
    let cleaned = async |jobs: Vec<Job>| {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let client = fake_api::client(move |request| {
            seen.lock().unwrap().push(request.path.rsplit('/').nth(1).unwrap_or_default().to_owned());
            (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
        });
        let cron_jobs = Indexed::of(vec![serde_json::from_value(orphan.clone()).unwrap()]);
        let caches = Caches { cron_jobs, jobs: Indexed::of(jobs), ..caches(&schedule()) };
        let cleanup = CleanupReconciler { client, caches: Arc::new(caches) };
        let namespace: Value = json!({"metadata": {"name": "team-a"}});
        let action = cleanup.reconcile(Arc::new(serde_json::from_value(namespace).unwrap())).await.unwrap();
        let asked = asked.lock().unwrap().clone();
        (asked, action)
    };
    let waits = cleaned(vec![early(minutes + 1), early(minutes + 2)]).await;
    assert_eq!(waits, (vec!["jobs".to_owned()], Action::requeue(LATE)));
    assert_eq!(cleaned(Vec::new()).await, (vec!["cronjobs".to_owned()], Action::await_change()));
}
