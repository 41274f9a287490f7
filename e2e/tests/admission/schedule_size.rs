//! A schedule's metadata is bounded, and can always be reduced.

use postern_e2e::{Cluster, eventually};
use serde_json::{Map, Value, json};

use super::children::{SCHEDULES, set};
use super::people::{ALICE, refused_by};
use crate::api::submit::Draft;

const POLICY: &str = "postern-schedule-size";

pub(super) async fn all(cluster: &Cluster) {
    too_many_are_refused(cluster).await;
    too_large_is_refused(cluster).await;
    what_is_there_already_may_become_less(cluster).await;
}

fn pairs(count: usize, value: &str) -> Map<String, Value> {
    (0..count).map(|n| (format!("a{n}"), json!(value))).collect()
}

fn draft(annotations: Map<String, Value>, labels: usize) -> Value {
    let Draft(draft) = Draft::schedule()
        .with("metadata.name", json!("sized"))
        .with("metadata.annotations", annotations.into())
        .with("metadata.labels", pairs(labels, "x").into())
        .with("metadata.finalizers", json!(["example.com/one"]));
    draft
}

async fn too_many_are_refused(cluster: &Cluster) {
    let many =
        |n: usize| format!("metadata: {n} annotations, labels and finalizers are too many: at most 64. Remove some");
    for (annotations, count) in [(63, 65), (10_000, 10_002)] {
        let answer = ALICE.create(cluster, SCHEDULES, &draft(pairs(annotations, ""), 1)).await;
        assert_eq!(refused_by(POLICY, answer), many(count));
    }
    // The annotation that `kubectl apply` writes doesn't count, neither in number nor in size.
    let mut applied = pairs(62, "");
    applied.insert("kubectl.kubernetes.io/last-applied-configuration".into(), json!("x".repeat(100_000)));
    ALICE.create(cluster, SCHEDULES, &draft(applied, 1)).await.unwrap();
    let one_more = json!({"metadata": {"annotations": {"one": "more"}}});
    assert_eq!(refused_by(POLICY, ALICE.merge(cluster, &one(), &one_more).await), many(65));
    go(cluster).await;
}

async fn too_large_is_refused(cluster: &Cluster) {
    // The size also includes 15 bytes of the finalizer and one of the name.
    let with = |size: usize| draft([("a".into(), json!("é".repeat(size / 2)))].into_iter().collect(), 0);
    let answer = ALICE.create(cluster, SCHEDULES, &with(16_370)).await;
    let large = "metadata: annotations, labels and finalizers of 16386 bytes are too large: at most 16384. Shorten or remove some";
    assert_eq!(refused_by(POLICY, answer), large);
    ALICE.create(cluster, SCHEDULES, &with(16_368)).await.unwrap();
    go(cluster).await;
}

/// The policy is removed for a moment, as if it were installed later.
async fn what_is_there_already_may_become_less(cluster: &Cluster) {
    let binding = format!("validatingadmissionpolicybinding/{POLICY}");
    let kept = cluster.run(&["kubectl", "get", &binding, "-o", "json"], "").unwrap();
    cluster.run(&["kubectl", "delete", &binding], "").unwrap();
    let object = draft(pairs(20_000, ""), 40);
    eventually("the policy to be gone", async || ALICE.create(cluster, SCHEDULES, &object).await).await;
    let mut binding: Value = serde_json::from_str(&kept).unwrap();
    set(&mut binding, "/metadata", json!({"name": POLICY}));
    cluster.run(&["kubectl", "create", "-f-"], &binding.to_string()).unwrap();
    let more = json!({"metadata": {"annotations": {"one": "more"}}});
    eventually("the policy to be there", async || match ALICE.merge(cluster, &one(), &more).await {
        Ok(_) => {
            let less = json!({"metadata": {"annotations": {"one": null}}});
            Err(ALICE.merge(cluster, &one(), &less).await)
        }
        Err(_) => Ok(()),
    })
    .await;
    for change in [
        json!({"spec": {"suspend": true}}),
        json!({"metadata": {"finalizers": []}}),
        json!({"metadata": {"annotations": {"a7": null}}}),
        json!({"metadata": {"annotations": null}}),
    ] {
        ALICE.merge(cluster, &one(), &change).await.unwrap();
    }
    go(cluster).await;
}

fn one() -> String {
    format!("{SCHEDULES}/sized")
}

async fn go(cluster: &Cluster) {
    let _ = ALICE.merge(cluster, &one(), &json!({"metadata": {"finalizers": []}})).await;
    ALICE.delete(cluster, &one(), &json!({})).await.unwrap();
}
