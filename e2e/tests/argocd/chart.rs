//! The chart as a source of Argo CD, which syncs here with the rights of the accounts that projects name.

use std::fs;

use postern_e2e::{DedicatedCluster, Tenant, repository};
use serde_json::Value;

use super::git::Repository;
use super::releases::{it_runs_the_next_release, its_cron_jobs_are_paused, next_release, two_schedules};
use super::server::ArgoCd;
use super::shipped;
use crate::install::installed::receiver;

#[test]
#[ignore = "`make argocd` builds Argo CD and runs this"]
fn the_chart_as_a_source_is_installed_upgraded_and_uninstalled() {
    DedicatedCluster::with_images("argocd-chart").run(|cluster, _| async move {
        let postern = Repository::of_postern();
        postern.release("v0.1.0");
        let argo_cd = ArgoCd::start(&cluster).await;
        argo_cd.impersonates(true);
        let both = shipped("application.yaml", &postern.url());
        let (project, _) = both.split_once("\n---\n").unwrap();
        argo_cd.apply(project);
        argo_cd.apply(&with_the_test_s_values(&shipped("chart.yaml", &postern.url())));
        argo_cd.is_healthy("postern").await;

        let receiver = receiver(&cluster);
        let webhooks = two_schedules(&cluster, &receiver).await;
        argo_cd.apply(&shipped("tenant.yaml", &webhooks.url()));
        argo_cd.is_healthy("team-b").await;
        next_release(&postern);
        argo_cd.upgrade("postern", "v0.2.0").await;
        it_runs_the_next_release(&cluster, &Tenant::of_user(&cluster, "team-b", "bob").await).await;

        argo_cd.delete("postern");
        its_cron_jobs_are_paused(&cluster);
        cluster.must_run("kubectl get namespace postern-system");
    });
}

/// The chart's Application with the images and the network of the test's cluster.
fn with_the_test_s_values(application: &str) -> String {
    let values = fs::read_to_string(repository().join("e2e/demo/values.yaml")).unwrap();
    let mut application: Value = serde_saphyr::from_str(application).unwrap();
    application["spec"]["source"]["helm"]["valuesObject"] = serde_saphyr::from_str(&values).unwrap();
    application.to_string()
}
