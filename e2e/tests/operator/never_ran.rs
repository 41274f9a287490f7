//! Deliveries that never ran. Each is recorded with a reason once it is too late to run, and its Job is given up.

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::Api;
use kube::api::{ListParams, PostParams};
use postern::api::{DeliveryOutcome, DeliveryStatus};
use postern_e2e::{Tenant, eventually, on_cluster};
use serde_json::{Value, json};

async fn limit(tenant: &Tenant, what: &str) {
    let quota: ResourceQuota =
        serde_json::from_value(json!({"metadata": {"name": "none"}, "spec": {"hard": {what: "0"}}})).unwrap();
    let quotas: Api<ResourceQuota> = Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace);
    quotas.create(&PostParams::default(), &quota).await.unwrap();
    eventually("the quota to be in force", async || {
        let status = quotas.get("none").await.unwrap().status.unwrap_or_default();
        if status.hard.is_some() { Ok(()) } else { Err(status) }
    })
    .await;
}

async fn only_delivery(tenant: &Tenant) -> DeliveryStatus {
    let delivery = tenant.deliveries("report", 1).await.remove(0);
    assert_eq!((delivery.outcome, delivery.attempts), (DeliveryOutcome::NotRun, 0), "{delivery:?}");
    eventually("the Job to be given up", async || {
        let jobs = tenant.jobs().list(&ListParams::default()).await.unwrap().items;
        if jobs.is_empty() { Ok(()) } else { Err(jobs.len()) }
    })
    .await;
    delivery
}

/// A starting deadline that leaves time to see the pod's state.
fn in_time() -> Value {
    json!({"startingDeadlineSeconds": 30})
}

#[test]
fn a_quota_on_pods_is_why_none_could_be_made() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        limit(&tenant, "pods").await;
        tenant.make_schedule_with("report", in_time()).await;
        tenant.trigger("report", "now").await;
        let delivery = only_delivery(&tenant).await;
        assert_eq!(delivery.reason, "PodNotCreated");
        assert!(delivery.detail.unwrap().contains("ResourceQuotas"));
        assert_eq!(tenant.events("PodNotCreated").await.len(), 1);
    });
}

#[test]
fn a_pod_that_no_node_takes_is_unschedulable() {
    on_cluster(|cluster, namespace| async move {
        let sender = json!({"image": "postern.dev/e2e/postern-sender:latest", "nodeSelector": {"no": "such-node"}});
        let tenant = Tenant::with_settings(cluster, namespace, json!({"sender": sender})).await;
        tenant.make_schedule_with("report", in_time()).await;
        tenant.trigger("report", "now").await;
        assert_eq!(only_delivery(&tenant).await.reason, "Unschedulable");
    });
}

#[test]
fn an_image_that_cannot_be_pulled_is_named() {
    on_cluster(|cluster, namespace| async move {
        let sender = json!({"image": "postern.dev/e2e/no-such-image:latest", "imagePullPolicy": "Never"});
        let tenant = Tenant::with_settings(cluster, namespace, json!({"sender": sender})).await;
        tenant.make_schedule_with("report", in_time()).await;
        tenant.trigger("report", "now").await;
        assert_eq!(only_delivery(&tenant).await.reason, "ImagePullBackOff");
    });
}

#[test]
fn a_minute_for_which_no_job_could_be_made_is_missed() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        limit(&tenant, "count/jobs.batch").await;
        tenant.make_schedule_with("report", json!({"schedule": "* * * * *", "startingDeadlineSeconds": 10})).await;
        let delivery = only_delivery(&tenant).await;
        assert_eq!(delivery.reason, "DeadlineMissed");
        assert_eq!(delivery.scheduled_time.unwrap().0.as_second() % 60, 0);
    });
}
