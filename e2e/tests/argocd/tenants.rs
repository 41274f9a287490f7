//! A tenant's Application: waves wait for schedules, actions work, and Git is no way to other people's Secrets.

use postern_e2e::{DedicatedCluster, Tenant, eventually};
use serde_json::{Value, json};

use super::git::Repository;
use super::server::ArgoCd;
use super::{delivered, make_secret, schedule, shipped};
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
        let receiver = receiver(&cluster);

        let webhooks = Repository::new();
        put(&webhooks, "report", "0", json!({}));
        put(&webhooks, "after", "1", json!({}));
        webhooks.commit("Two waves");
        argo_cd.apply(&shipped("tenant.yaml", &webhooks.url()));
        a_wave_waits_until_a_schedule_is_healthy(&argo_cd, &tenant, async || {
            make_secret(&cluster, "team-b", "report-hook", &receiver);
        })
        .await;
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

async fn a_wave_waits_until_a_schedule_is_healthy(argo_cd: &ArgoCd, tenant: &Tenant, mend: impl AsyncFnOnce()) {
    tenant.condition("report", "TargetAllowed", "False", "ReferenceMissing").await;
    argo_cd
        .wait_for("team-b", "waiting for the schedule", |application| {
            let message = application["status"]["operationState"]["message"].as_str().unwrap_or_default();
            message.contains("waiting for healthy state of postern.dev/WebhookSchedule/report")
        })
        .await;
    assert!(tenant.schedules.get_opt("after").await.unwrap().is_none());
    mend().await;
    argo_cd.is_healthy("team-b").await;
    tenant.schedules.get("after").await.unwrap();
}

async fn a_wave_ends_where_a_schedule_is_degraded(argo_cd: &ArgoCd, tenant: &Tenant, webhooks: &Repository) {
    put(webhooks, "report", "0", json!({"timeZone": "Mars/Olympus"}));
    put(webhooks, "after", "1", json!({"timeZone": "Europe/Berlin"}));
    webhooks.commit("A zone that doesn't exist");
    argo_cd.refresh("team-b");
    let failed = argo_cd
        .wait_for("team-b", "Failed and Degraded", |application| {
            let status = &application["status"];
            status["operationState"]["phase"] == "Failed" && status["health"]["status"] == "Degraded"
        })
        .await;
    assert!(failed.to_string().contains("Mars/Olympus"), "{failed}");
    assert_eq!(tenant.schedules.get("after").await.unwrap().spec.time_zone, None);

    put(webhooks, "report", "0", json!({"timeZone": "Europe/Paris"}));
    webhooks.commit("One that does");
    argo_cd.refresh("team-b");
    argo_cd.wait_for("team-b", "the next wave", |application| application["status"]["operationState"]["phase"] == "Succeeded").await;
    argo_cd.is_healthy("team-b").await;
    assert!(tenant.schedules.get("after").await.unwrap().spec.time_zone.is_some());
}

/// And what it does is no drift.
async fn each_action_does_what_it_says(argo_cd: &ArgoCd, tenant: &Tenant) {
    let before = argo_cd.drifts("team-b").await;
    argo_cd.action("team-b", "suspend", "report");
    tenant.condition("report", "Scheduled", "False", "Suspended").await;
    argo_cd.refresh("team-b");
    argo_cd.is_healthy("team-b").await;
    tenant.condition("report", "Scheduled", "False", "Suspended").await;
    argo_cd.action("team-b", "resume", "report");
    tenant.condition("report", "Scheduled", "True", "Scheduled").await;
}
