//! The children of a schedule as an operator really makes them, with its own rights, under all policies.

use postern_e2e::{Cluster, LEADS, OperatorProcess, eventually, usual_settings};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::make;
use super::people::{ALICE, CAROL, TEAM};
use crate::api::submit::Draft;

/// The image that replaces the sender here: with the argument `wait` it runs until it is told to stop, and without it, it ends at
/// once.
pub(super) const IMAGE: &str = "postern.dev/e2e/toolbox:latest";

pub(super) const SCHEDULES: &str = "/apis/postern.dev/v1alpha1/namespaces/team/webhookschedules";
pub(super) const CRON_JOBS: &str = "/apis/batch/v1/namespaces/team/cronjobs";
pub(super) const JOBS: &str = "/apis/batch/v1/namespaces/team/jobs";
pub(super) const PODS: &str = "/api/v1/namespaces/team/pods";
pub(super) const ACCOUNTS: &str = "/api/v1/namespaces/team/serviceaccounts";
pub(super) const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces/team/networkpolicies";

/// What the operator made.
pub(super) struct Children {
    /// The CronJob of the schedule `report`, which is due every minute.
    pub cron_job: Value,
    pub service_account: Value,
    pub network_policy: Value,
}

/// Makes an operator create the children of two schedules, one of which is triggered, and restore them after changes.
pub(super) async fn operator_that_made_them(cluster: &Cluster) -> OperatorProcess {
    let kubeconfig = cluster.operator_kubeconfig().await;
    let mut settings = usual_settings();
    settings["sender"]["image"] = json!(IMAGE);
    let operator = OperatorProcess::start_as(&kubeconfig, "postern-system", "postern-operator-0", &settings);
    operator.is(LEADS).await;
    make(
        cluster,
        &[json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookTier", "metadata": {"name": "minutely"},
            "spec": {"default": true, "minInterval": "1m", "maxSchedules": 9, "maxDeliveriesPerHour": 600},
        })],
    );
    for (name, schedule) in [("report", "* * * * *"), ("now", "@yearly")] {
        let metadata =
            json!({"name": name, "annotations": {"postern.dev/trigger": if name == "now" { "1" } else { "" }}});
        let Draft(schedule) = Draft::schedule().with("metadata", metadata).with("spec.schedule", json!(schedule));
        ALICE.create(cluster, SCHEDULES, &schedule).await.unwrap();
    }
    eventually("the triggered delivery in the status", async || {
        let status = cluster.get(&format!("{SCHEDULES}/now")).await.unwrap()["status"].take();
        let recent = status["recentDeliveries"].as_array().cloned().unwrap_or_default();
        if recent.iter().any(|delivery| delivery["id"] == status["lastTrigger"]["id"]) { Ok(()) } else { Err(status) }
    })
    .await;
    eventually("the other schedule's CronJob", async || cluster.get(&format!("{CRON_JOBS}/postern-report")).await)
        .await;
    a_label_that_was_taken_away_is_put_back(cluster).await;
    operator
}

/// Ends the operator, and returns what it has made.
pub(super) async fn made_by(operator: OperatorProcess, cluster: &Cluster) -> Children {
    let (ended, log) = operator.end_with_log(Signal::TERM).await;
    assert!(ended.success() && !log.contains("denied request"), "{ended}: {log}");
    Children {
        cron_job: cluster.get(&format!("{CRON_JOBS}/postern-report")).await.unwrap(),
        service_account: cluster.get(&format!("{ACCOUNTS}/postern-sender")).await.unwrap(),
        network_policy: cluster.get(&format!("{POLICIES}/postern-sender")).await.unwrap(),
    }
}

async fn a_label_that_was_taken_away_is_put_back(cluster: &Cluster) {
    let unlabel = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}});
    for child in [
        format!("{CRON_JOBS}/postern-report"),
        format!("{ACCOUNTS}/postern-sender"),
        format!("{POLICIES}/postern-sender"),
    ] {
        CAROL.patch(cluster, &child, &unlabel).await.unwrap();
        eventually(&format!("the label of {child}"), async || {
            let metadata = cluster.get(&child).await.unwrap()["metadata"].take();
            if metadata["labels"]["app.kubernetes.io/managed-by"] == "postern" { Ok(()) } else { Err(metadata) }
        })
        .await;
    }
}

/// An object as somebody would create it again, under another name.
pub(super) fn anew(object: &Value, name: &str) -> Value {
    let mut new = object.clone();
    new.as_object_mut().unwrap().remove("status");
    let metadata = &object["metadata"];
    new["metadata"] = json!({
        "name": name, "namespace": TEAM, "labels": metadata["labels"], "ownerReferences": metadata["ownerReferences"],
    });
    new
}

impl Children {
    /// A Job of the CronJob, with this name.
    pub fn job(&self, name: &str) -> Value {
        let template = &self.cron_job["spec"]["jobTemplate"];
        let metadata = &self.cron_job["metadata"];
        let owner = json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "name": metadata["name"], "uid": metadata["uid"], "controller": true,
        });
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "spec": template["spec"],
            "metadata": {"name": name, "labels": template["metadata"]["labels"], "ownerReferences": [owner]},
        })
    }

    /// The pod of such a Job.
    pub fn pod(&self, name: &str) -> Value {
        let template = self.cron_job["spec"]["jobTemplate"]["spec"]["template"].clone();
        json!({
            "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
            "metadata": {"name": name, "labels": template["metadata"]["labels"]},
        })
    }

    /// Lets an admin start a Job whose sender keeps running, and returns the name of its pod once that runs.
    pub async fn running(&self, cluster: &Cluster, name: &str) -> String {
        let mut job = self.job(name);
        job["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["wait"]);
        CAROL.create(cluster, JOBS, &job).await.unwrap();
        running_pod_of(cluster, name).await
    }
}

/// The name of the pod of a running Job.
async fn running_pod_of(cluster: &Cluster, job: &str) -> String {
    eventually("a pod of the Job to run", async || {
        let path = format!("{PODS}?labelSelector=batch.kubernetes.io/job-name%3D{job}");
        let pods = cluster.get(&path).await.unwrap();
        let all = pods["items"].as_array().unwrap();
        let runs = all
            .iter()
            .find(|pod| pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null());
        runs.map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).ok_or_else(|| pods.to_string())
    })
    .await
}

/// Sets the value at a pointer, whose parent exists.
pub(super) fn set(object: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {pointer}"));
    let field = field.replace("~1", "/");
    match parent {
        Value::Array(items) => items.push(value),
        _ => parent[field] = value,
    }
}
