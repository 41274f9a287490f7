//! Two releases of Postern, and what a tenant sees of an upgrade and of a deletion.

use postern_e2e::{Cluster, Receiver, Tenant};
use serde_json::{Value, json};

use super::git::Repository;
use super::{deliver, make_secret, schedule};
use crate::install::installed::kubectl_get;

/// The namespace team-b, and a repository with two schedules for it.
pub async fn two_schedules(cluster: &Cluster, receiver: &Receiver) -> Repository {
    cluster.admit("bob", "team-b").await;
    make_secret(cluster, "team-b", "report-hook", receiver);
    let webhooks = Repository::new();
    let busy = json!({"schedule": "* * * * *"});
    let managed = json!({"signing": {"managed": {"rotateEvery": "720h", "overlap": "48h"}}});
    for (name, change) in [("busy", busy), ("managed", managed)] {
        webhooks.write(&format!("{name}.json"), &schedule(name, "report-hook", change).to_string());
    }
    webhooks.commit("Two schedules");
    webhooks
}

/// Another release: a new field of schedules, another argument of the operator, and an object less. In the bases and in the chart.
pub fn next_release(postern: &Repository) {
    for file in ["config/crd/webhookschedules.yaml", "charts/postern/crds/webhookschedules.yaml"] {
        let mut crd: Value = serde_saphyr::from_str(&postern.read(file)).unwrap();
        fields(&mut crd).insert("later".into(), json!({"type": "string"}));
        postern.write(file, &crd.to_string());
    }
    postern.replace(
        "config/manager/deployment.yaml",
        "{name: POSTERN_LOG, value: info}",
        "{name: POSTERN_LOG, value: debug}",
    );
    postern.replace("charts/postern/values.yaml", "logLevel: info", "logLevel: debug");
    postern.replace("config/manager/kustomization.yaml", "  - poddisruptionbudget.yaml\n", "");
    postern.remove("charts/postern/templates/poddisruptionbudget.yaml");
    postern.release("v0.2.0");
}

/// The fields of a schedule's spec.
fn fields(crd: &mut Value) -> &mut serde_json::Map<String, Value> {
    let spec = crd.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
    spec.as_object_mut().unwrap()
}

/// All that is new is there, what was dropped is gone, and schedules are delivered as before.
pub async fn it_runs_the_next_release(cluster: &Cluster, tenant: &Tenant) {
    let mut crd = kubectl_get(cluster, "crd webhookschedules.postern.dev");
    assert!(fields(&mut crd).contains_key("later"));
    cluster.must_run("kubectl rollout status deployment/postern-operator --namespace postern-system --timeout 5m");
    let deployment = kubectl_get(cluster, "deployment postern-operator --namespace postern-system");
    let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    assert!(env.as_array().unwrap().contains(&json!({"name": "POSTERN_LOG", "value": "debug"})), "{env}");
    assert_eq!(kubectl_get(cluster, "poddisruptionbudgets --namespace postern-system")["items"], json!([]));
    deliver(tenant, "managed", "after the upgrade").await;
}

/// What a deleted Application leaves: paused CronJobs, schedules, tiers and CRDs, and nothing of the operator. Its hook has ended: the
/// last thing that it does is to delete the senders' accounts and network policies.
pub fn its_cron_jobs_are_paused(cluster: &Cluster) {
    let items = |what: &str| kubectl_get(cluster, what)["items"].take();
    let cron_jobs = items("cronjobs --namespace team-b");
    let suspended = cron_jobs.as_array().unwrap().iter().map(|cron_job| cron_job["spec"]["suspend"] == true);
    assert_eq!(suspended.collect::<Vec<_>>(), [true, true]);
    assert_eq!(items("whs --namespace team-b").as_array().unwrap().len(), 2);
    assert_eq!(items("webhooktiers").as_array().unwrap().len(), 2);
    assert_eq!(items("serviceaccounts,networkpolicies -A -l app.kubernetes.io/managed-by=postern"), json!([]));
    let of_the_operator =
        "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings";
    assert_eq!(items(&format!("{of_the_operator} -l app.kubernetes.io/name=postern")), json!([]));
}
