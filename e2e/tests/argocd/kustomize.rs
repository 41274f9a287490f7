//! `config/argocd` as it is shipped, from its first sync to its deletion.

use std::time::{Duration, Instant};

use postern::api::ROTATE_ANNOTATION;
use postern_e2e::{Cluster, DedicatedCluster, Receiver, Tenant, eventually};
use serde_json::{Value, json};

use super::git::Repository;
use super::server::ArgoCd;
use super::{deliver, delivered, make_secret, schedule, shipped};
use crate::install::installed::{kubectl_get, receiver};

#[test]
#[ignore = "`make argocd` builds Argo CD and runs this"]
fn the_application_as_shipped_syncs_stays_in_sync_is_upgraded_and_leaves_what_the_docs_say() {
    DedicatedCluster::with_images("argocd").run(|cluster, _| async move {
        let postern = Repository::of_postern();
        postern.release("v0.1.0");
        let argo_cd = ArgoCd::start(&cluster).await;
        argo_cd.knows_postern();
        argo_cd.apply(&shipped("application.yaml", &postern.url()));
        argo_cd.is_synced("postern").await;

        let receiver = receiver(&cluster);
        make_secret(&cluster, "team-a", "ping-hook", &receiver);
        argo_cd.action("postern", "check", "hourly-ping");
        argo_cd.is_healthy("postern").await;

        let webhooks = two_schedules(&cluster, &receiver).await;
        argo_cd.apply(&shipped("tenant.yaml", &webhooks.url()));
        argo_cd.is_healthy("team-b").await;
        let tenant = Tenant::of_user(&cluster, "team-b", "bob").await;
        nothing_drifts(&argo_cd, &tenant).await;
        drift_would_be_seen(&argo_cd, &tenant).await;

        next_release(&postern);
        argo_cd.upgrade("postern", "v0.2.0").await;
        it_runs_the_next_release(&cluster, &tenant).await;

        argo_cd.delete("postern").await;
        what_the_docs_say_is_left(&cluster).await;
    });
}

/// The namespace team-b, and a repository with two schedules for it.
pub(super) async fn two_schedules(cluster: &Cluster, receiver: &Receiver) -> Repository {
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

/// How long nothing may drift: ten minutes, or as many seconds as `POSTERN_DRIFT_SECONDS` says.
fn watch_for_drift() -> Duration {
    Duration::from_secs(std::env::var("POSTERN_DRIFT_SECONDS").map_or(600, |seconds| seconds.parse().unwrap()))
}

/// Deliveries, triggers, checks, rotations and holds leave both Applications in sync, with self-heal on.
async fn nothing_drifts(argo_cd: &ArgoCd, tenant: &Tenant) {
    let before = syncs(argo_cd).await;
    let end = Instant::now() + watch_for_drift();
    let mut round = 0;
    while Instant::now() < end || round < 2 {
        round += 1;
        let value = round.to_string();
        for name in ["busy", "managed"] {
            tenant.trigger(name, &value).await;
            tenant.ask_for_check(name, &value).await;
        }
        tenant.annotate("managed", ROTATE_ANNOTATION, &value).await;
        // The tier allows a delivery a minute, so the regular ones wait for the triggered one.
        tenant.condition("busy", "Scheduled", "False", "Held").await;
        eventually("the deliveries, checks and the rotation", async || {
            let all = kubectl_get(&tenant.cluster, "whs --namespace team-b")["items"].take();
            let [busy, managed] = [&all[0], &all[1]];
            let are_done =
                [busy, managed].iter().all(|it| delivered(it, &value) && it["status"]["checked"]["value"] == *value);
            if are_done && managed["status"]["lastRotation"]["value"] == *value { Ok(()) } else { Err(all) }
        })
        .await;
        assert_eq!(syncs(argo_cd).await, before, "round {round}");
    }
    for application in ["postern", "team-b"] {
        argo_cd.refresh(application);
    }
    assert_eq!(syncs(argo_cd).await, before);
}

/// What both Applications last synced, and when, and how often they were out of sync.
async fn syncs(argo_cd: &ArgoCd) -> Value {
    let mut all = Vec::new();
    for name in ["postern", "team-b"] {
        let status = argo_cd.application(name).await["status"].take();
        all.push(json!([status["sync"]["status"], status["operationState"]["startedAt"], argo_cd.drifts(name).await]));
    }
    json!(all)
}

/// What Git has and a person changes is out of sync, and is set back.
async fn drift_would_be_seen(argo_cd: &ArgoCd, tenant: &Tenant) {
    let before = argo_cd.drifts("team-b").await;
    tenant.change("busy", json!({"spec": {"schedule": "@daily"}})).await;
    eventually("the change to be undone", async || {
        let schedule = tenant.schedules.get("busy").await.unwrap().spec.schedule;
        if schedule == "* * * * *" { Ok(()) } else { Err(schedule) }
    })
    .await;
    argo_cd.is_healthy("team-b").await;
    assert!(argo_cd.drifts("team-b").await > before);
}

/// Another release: a new field of schedules, another argument of the operator, and an object less. In the bases and in the chart.
pub(super) fn next_release(postern: &Repository) {
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
pub(super) async fn it_runs_the_next_release(cluster: &Cluster, tenant: &Tenant) {
    let mut crd = kubectl_get(cluster, "crd webhookschedules.postern.dev");
    assert!(fields(&mut crd).contains_key("later"));
    cluster.must_run("kubectl rollout status deployment/postern-operator --namespace postern-system --timeout 5m");
    let deployment = kubectl_get(cluster, "deployment postern-operator --namespace postern-system");
    let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    assert!(env.as_array().unwrap().contains(&json!({"name": "POSTERN_LOG", "value": "debug"})), "{env}");
    assert_eq!(kubectl_get(cluster, "poddisruptionbudgets --namespace postern-system")["items"], json!([]));
    deliver(tenant, "managed", "after the upgrade").await;
}

/// The hook has paused the CronJobs. Schedules, tiers and CRDs are left, and nothing of the operator.
async fn what_the_docs_say_is_left(cluster: &Cluster) {
    its_cron_jobs_are_paused(cluster);
    for gone in ["namespaces/postern-system", "namespaces/team-a"] {
        eventually(gone, async || match cluster.run_line(&format!("kubectl get {gone}")) {
            Err(said) if said.contains("NotFound") => Ok(()),
            other => Err(other),
        })
        .await;
    }
}

/// What is left of Postern when its hook has run and its objects are deleted, however it was installed.
pub(super) fn its_cron_jobs_are_paused(cluster: &Cluster) {
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
