//! What is deleted of a namespace, in which order, and what holds it back.

use std::hash::Hash;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{minute, schedule, store, stores};

/// A cache that holds objects of these names in the namespace.
fn named<K>(names: &[&str]) -> Store<K>
where
    K: Resource<DynamicType: Hash + Eq + Default + Clone> + DeserializeOwned + Clone + 'static,
{
    let metadata = |name: &str| json!({"namespace": "team-a", "name": name, "uid": name});
    let object = |name: &&str| json!({"metadata": metadata(name), "spec": {"schedule": "", "jobTemplate": {}}});
    store(names.iter().map(|name| serde_json::from_value(object(name)).unwrap()).collect())
}

/// The senders' policy, and two of a tenant's.
fn policies() -> Store<NetworkPolicy> {
    let labelled = |name: &str, manager: &str| {
        let labels = json!({"app.kubernetes.io/managed-by": manager});
        let metadata = json!({"namespace": "team-a", "name": name, "uid": name, "labels": labels});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    };
    store(vec![labelled("postern-sender", "postern"), labelled("theirs", "Helm"), labelled("theirs-too", "postern")])
}

/// The same, and a canary's: it holds nothing back.
fn with_canary<K>(of_schedules: &Store<K>) -> Store<K>
where
    K: Resource<DynamicType: Hash + Eq + Default + Clone> + DeserializeOwned + Clone + 'static,
{
    let metadata = json!({"namespace": "team-a", "name": "canary", "labels": {"postern.dev/canary": "true"}});
    let canary = serde_json::from_value(json!({"metadata": metadata})).unwrap();
    store(of_schedules.state().iter().map(|object| (**object).clone()).chain([canary]).collect())
}

/// What a sweep of the namespace writes, when its account and policy are there and so many of each other kind.
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
    let stores = Stores {
        cron_jobs: named(cron_jobs),
        service_accounts: named(&["postern-sender"]),
        network_policies: policies(),
        jobs: with_canary(&named(jobs)),
        pods: with_canary(&named(pods)),
        ..stores(&schedule(), minute(0))
    };
    if unlisted {
        stores.unlisted.add("team-a", "Pod");
    }
    let broom = Broom { client, schedules: store(schedules), stores: Arc::new(stores), failures: Failures::default() };
    let namespace: Value = json!({"metadata": {"name": "team-a"}});
    sweep(Arc::new(serde_json::from_value(namespace).unwrap()), Arc::new(broom)).await.unwrap();
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
