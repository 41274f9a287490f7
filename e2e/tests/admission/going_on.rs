//! The usual work of Kubernetes and its admins still succeeds under the lock.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use postern_e2e::{Cluster, eventually};
use serde_json::{Value, json};

use super::children::{CRON_JOBS, Children, JOBS, PODS};
use super::people::{As, DRAINER, POSTERN, TEAM};

/// Also waits until the pod that [`lose_a_pod`] lost is gone.
pub(super) async fn all(cluster: &Cluster, children: &Children) {
    a_job_that_has_ended_is_cleared_after_its_time(cluster, children).await;
    nodes_can_be_drained(cluster, children).await;
    the_cron_job_fires_and_its_sender_ends(cluster).await;
    is_gone(cluster, &format!("{PODS}/postern-lost")).await;
    a_deleted_cron_job_takes_its_jobs_and_pods_along(cluster).await;
    the_namespace_can_be_deleted(cluster).await;
}

async fn is_gone(cluster: &Cluster, path: &str) {
    eventually(&format!("{path} to be gone"), async || match cluster.get(path).await {
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => Ok(()),
        other => Err(other),
    })
    .await;
}

/// Makes a pod on a node that doesn't exist any more. The garbage collector takes about a minute to delete it.
pub(super) async fn lose_a_pod(cluster: &Cluster, children: &Children) {
    let job_controller = As { user: "system:serviceaccount:kube-system:job-controller", groups: &[] };
    let mut pod = children.pod("postern-lost");
    pod["spec"]["nodeName"] = json!("gone");
    job_controller.create(cluster, PODS, &pod).await.unwrap();
}

async fn a_job_that_has_ended_is_cleared_after_its_time(cluster: &Cluster, children: &Children) {
    let mut job = children.job("postern-report-cleared");
    job["spec"]["ttlSecondsAfterFinished"] = json!(0);
    POSTERN.create(cluster, JOBS, &job).await.unwrap();
    is_gone(cluster, &format!("{JOBS}/postern-report-cleared")).await;
}

async fn nodes_can_be_drained(cluster: &Cluster, children: &Children) {
    let pod = children.running(cluster, "postern-report-drained").await;
    let drain = "node=$(kubectl get nodes -o name) && kubectl drain $node --pod-selector=postern.dev/role=sender --timeout=5m \
        && kubectl uncordon $node";
    cluster.run(&["sh", "-c", drain], "").unwrap();
    is_gone(cluster, &format!("{PODS}/{pod}")).await;
    // An eviction, as an autoscaler does it.
    let pod = children.running(cluster, "postern-report-evicted").await;
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": TEAM}});
    DRAINER.create(cluster, &format!("{PODS}/{pod}/eviction"), &eviction).await.unwrap();
    is_gone(cluster, &format!("{PODS}/{pod}")).await;
}

async fn the_cron_job_fires_and_its_sender_ends(cluster: &Cluster) {
    eventually("a Job of the CronJob controller, with its sender ended", async || {
        let jobs = cluster.get(JOBS).await.unwrap();
        let is_scheduled =
            |job: &&Value| !job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"].is_null();
        let fired = jobs["items"].as_array().unwrap().iter().find(is_scheduled).cloned();
        if fired.as_ref().is_some_and(|job| job["status"]["failed"] == 1) { Ok(()) } else { Err(fired) }
    })
    .await;
}

/// What happens when the CronJob's schedule is deleted.
async fn a_deleted_cron_job_takes_its_jobs_and_pods_along(cluster: &Cluster) {
    let delete = [
        "kubectl",
        "delete",
        "whs/report",
        "--namespace",
        TEAM,
        "--as",
        "alice",
        "--cascade=foreground",
        "--timeout=5m",
    ];
    cluster.run(&delete, "").unwrap();
    is_gone(cluster, &format!("{CRON_JOBS}/postern-report")).await;
    is_gone(cluster, &format!("{JOBS}/postern-report-held")).await;
}

async fn the_namespace_can_be_deleted(cluster: &Cluster) {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    namespaces.delete(TEAM, &DeleteParams::default()).await.unwrap();
    eventually("the namespace to be gone", async || {
        namespaces.get_opt(TEAM).await.unwrap().map_or(Ok(()), |left| Err(left.status))
    })
    .await;
}
