//! `config/argocd` as it is shipped, from its first sync to its deletion.

use std::time::{Duration, Instant};

use postern::api::ROTATE_ANNOTATION;
use postern_e2e::{Cluster, DedicatedCluster, Tenant, eventually};
use serde_json::{Value, json};

use super::git::Repository;
use super::releases::{it_runs_the_next_release, its_cron_jobs_are_paused, next_release, two_schedules};
use super::server::ArgoCd;
use super::{delivered, make_secret, shipped};
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

        argo_cd.delete("postern");
        what_the_docs_say_is_left(&cluster).await;
    });
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

/// As with the chart, but the namespaces that are in Git are gone.
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
