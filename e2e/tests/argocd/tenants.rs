//! A tenant's Application: waves wait for schedules, actions work, and Git is no way to other people's Secrets.

use postern::api::DeliveryOutcome;
use postern_e2e::{Cluster, DedicatedCluster, Tenant, eventually};
use serde_json::{Value, json};

use super::git::Repository;
use super::server::ArgoCd;
use super::{make_secret, schedule, shipped};
use crate::install::installed::receiver;

#[test]
#[ignore = "`make argocd` builds Argo CD and runs this"]
fn a_tenant_s_waves_wait_for_health_actions_work_and_git_is_no_way_to_other_secrets() {
    DedicatedCluster::with_images("argocd-tenant").run(|cluster, _| async move {
        cluster.install_postern("");
        let argo_cd = ArgoCd::start(&cluster).await;
        argo_cd.knows_postern();
        argo_cd.impersonates(true);
        cluster.admit("bob", "team-b").await;
        let tenant = Tenant::of_user(&cluster, "team-b", "bob").await;
        make_secret(&cluster, "team-b", "report-hook", &receiver(&cluster));

        let webhooks = Repository::new();
        put(&webhooks, "report", "0", json!({}));
        put(&webhooks, "managed", "0", json!({"signing": {"managed": {"rotateEvery": "720h", "overlap": "48h"}}}));
        put(&webhooks, "after", "1", json!({}));
        webhooks.commit("Two waves");
        run_operators(&cluster, 0);
        argo_cd.apply(&shipped("tenant.yaml", &webhooks.url()));
        a_wave_waits_until_a_schedule_is_healthy(&argo_cd, &tenant).await;
        a_wave_ends_where_a_schedule_is_degraded(&argo_cd, &tenant, &webhooks).await;
        each_action_does_what_it_says(&argo_cd, &tenant).await;
        git_is_no_way_to_other_secrets(&argo_cd, &tenant, &webhooks).await;
    });
}

/// Puts a schedule of a wave into the repository.
fn put(webhooks: &Repository, name: &str, wave: &str, change: Value) {
    let mut object = schedule(name, "report-hook", change);
    object["metadata"]["annotations"] = json!({"argocd.argoproj.io/sync-wave": wave});
    webhooks.write(&format!("{name}.json"), &object.to_string());
}

/// Nothing is known of the health of a schedule that no operator has seen.
async fn a_wave_waits_until_a_schedule_is_healthy(argo_cd: &ArgoCd, tenant: &Tenant) {
    argo_cd
        .wait_for("team-b", "waiting for the schedule", |application| {
            let message = application["status"]["operationState"]["message"].as_str().unwrap_or_default();
            message.starts_with("waiting for healthy state of postern.dev/WebhookSchedule/")
        })
        .await;
    tenant.schedules.get("report").await.unwrap();
    assert!(tenant.schedules.get_opt("after").await.unwrap().is_none());
    run_operators(&tenant.cluster, 2);
    argo_cd.is_healthy("team-b").await;
    tenant.schedules.get("after").await.unwrap();
}

/// What became of each object in the latest sync, one that is being repeated included.
fn tasks(application: &Value) -> String {
    application["status"]["operationState"]["syncResult"]["resources"].to_string()
}

fn run_operators(cluster: &Cluster, count: u8) {
    cluster
        .must_run(&format!("kubectl scale deployment postern-operator --namespace postern-system --replicas {count}"));
}

async fn a_wave_ends_where_a_schedule_is_degraded(argo_cd: &ArgoCd, tenant: &Tenant, webhooks: &Repository) {
    put(webhooks, "report", "0", json!({"timeZone": "Mars/Olympus"}));
    put(webhooks, "after", "1", json!({"timeZone": "Europe/Berlin"}));
    webhooks.commit("A zone that doesn't exist");
    argo_cd.refresh("team-b");
    argo_cd
        .wait_for("team-b", "Degraded, and a failed sync", |application| {
            let (health, tasks) = (&application["status"]["health"]["status"], tasks(application));
            health == "Degraded" && tasks.contains("Failed") && tasks.contains("Mars/Olympus")
        })
        .await;
    assert_eq!(tenant.schedules.get("after").await.unwrap().spec.time_zone, "UTC");

    put(webhooks, "report", "0", json!({"timeZone": "Europe/Paris"}));
    webhooks.commit("One that does");
    argo_cd.refresh("team-b");
    argo_cd.is_healthy("team-b").await;
    assert_eq!(tenant.schedules.get("after").await.unwrap().spec.time_zone, "Europe/Berlin");
}

/// Self-heal undoes nothing of it.
async fn each_action_does_what_it_says(argo_cd: &ArgoCd, tenant: &Tenant) {
    let before = argo_cd.drifts("team-b").await;
    argo_cd.action("team-b", "suspend", "report");
    tenant.condition("report", "Scheduled", "False", "Suspended").await;
    argo_cd.refresh("team-b");
    argo_cd.is_healthy("team-b").await;
    tenant.condition("report", "Scheduled", "False", "Suspended").await;
    argo_cd.action("team-b", "resume", "report");
    tenant.condition("report", "Scheduled", "True", "Scheduled").await;

    argo_cd.action("team-b", "trigger", "report");
    argo_cd.action("team-b", "check", "report");
    argo_cd.action("team-b", "rotate-keys", "managed");
    eventually("the delivery, the check and the rotation", async || {
        let [report, managed] = [tenant.status("report").await, tenant.status("managed").await];
        let is_delivered = report.last_delivery.as_ref().is_some_and(|last| last.outcome == DeliveryOutcome::Delivered);
        let is_checked = report.checked.as_ref().is_some_and(|checked| checked.value.is_some());
        if is_delivered && is_checked && managed.last_rotation.is_some() { Ok(()) } else { Err((report, managed)) }
    })
    .await;
    argo_cd.refresh("team-b");
    argo_cd.is_healthy("team-b").await;
    assert_eq!(argo_cd.drifts("team-b").await, before);
}

/// A schedule in Git may use only what the account of the tenant's project may read. With Argo CD's own rights, it may use all.
async fn git_is_no_way_to_other_secrets(argo_cd: &ArgoCd, tenant: &Tenant, webhooks: &Repository) {
    let others = json!({"target": {"urlFrom": {"secretKeyRef": {"name": "others", "key": "url"}}}});
    put(webhooks, "thief", "0", others);
    webhooks.commit("A schedule that sends somebody else's Secret");
    argo_cd.refresh("team-b");
    let refusal = "uses Secret others, which you may not read";
    argo_cd.wait_for("team-b", refusal, |application| tasks(application).contains(refusal)).await;
    assert!(tenant.schedules.get_opt("thief").await.unwrap().is_none());

    argo_cd.impersonates(false);
    eventually("what impersonation prevents", async || {
        let synced = argo_cd.cli("app sync team-b --async");
        tenant.schedules.get("thief").await.map_err(|problem| (problem, synced))
    })
    .await;
}
