//! What is left to do before the operator goes: nothing may fire while nobody watches.
//!
//! The operators are ended first, or they would put right what is done here. Schedules stay, and so do their CronJobs, but
//! suspended; an operator that is installed again goes on with them.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::ScaleSpec;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::apply::{Applier, ApplyError};
use super::leader::{Candidate, LeaseLost};
use super::names::{MANAGED_BY_LABEL, MANAGER, SCHEDULE_LABEL};
use super::outcomes::over_at;
use super::settings::Settings;

/// How long deliveries that are being made may go on.
const FINISH_WITHIN: Duration = Duration::from_mins(1);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why the uninstallation could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum UninstallError {
    /// Something could not be read or written.
    #[error("{what}: {source}")]
    Api {
        /// What was to be done.
        what: &'static str,
        /// What the API server said.
        source: kube::Error,
    },
    /// Something could not be deleted.
    #[error(transparent)]
    Delete(#[from] ApplyError),
    /// An operator is there again.
    #[error("{0}: an operator was started again meanwhile; end it, and try once more")]
    OperatorBack(#[from] LeaseLost),
}

/// Ends the operators, suspends every CronJob, ends the senders that run, and removes the children of namespaces. Says on
/// standard output what it does.
///
/// `deployment` is that of the operators, in the namespace of the Lease.
///
/// # Errors
/// When the API server refuses something; what was done by then is right, and can be done again.
pub async fn uninstall(client: Client, settings: &Settings, deployment: &str) -> Result<(), UninstallError> {
    let candidate = Candidate::new(client.clone(), &settings.lease);
    println!("scaling Deployment {deployment} to 0, so that no operator puts right what is done here");
    end_operators(&client, candidate.namespace(), deployment).await?;
    println!("waiting until the last operator has given its Lease back");
    let mut leader = candidate.elected().await;
    tokio::select! {
        lost = leader.keep() => return Err(lost.into()),
        done = clear(&client, &settings.watch_namespaces) => done?,
    }
    candidate.release().await;
    println!(
        "done: nothing fires any more; schedules, tiers, CRDs and suspended CronJobs are left (kubectl get whs,cronjobs -A)"
    );
    Ok(())
}

async fn end_operators(client: &Client, namespace: &str, name: &str) -> Result<(), UninstallError> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let none = json!({"spec": ScaleSpec { replicas: Some(0) }});
    let scaled = deployments.patch_scale(name, &PatchParams::default(), &Patch::Merge(none)).await;
    match scaled {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop).map_err(failed("scale the operators to 0")),
    }
}

async fn clear(client: &Client, namespaces: &[String]) -> Result<(), UninstallError> {
    let ours = Ours { client, namespaces };
    let mut suspended = 0;
    for cron_job in ours.list::<CronJob>().await? {
        suspended += u32::from(suspend(client, &cron_job).await?);
    }
    println!("suspended {suspended} CronJobs");

    let running = ours.finish().await?;
    println!("ended {running} deliveries that were still being made");

    let (policies, accounts) = (ours.list::<NetworkPolicy>().await?, ours.list::<ServiceAccount>().await?);
    println!("removing {} NetworkPolicies and {} ServiceAccounts of senders", policies.len(), accounts.len());
    let applier = Applier { client: client.clone() };
    for policy in &policies {
        applier.delete(policy).await?;
    }
    for account in &accounts {
        applier.delete(account).await?;
    }
    Ok(())
}

/// Suspends a CronJob, and says whether it had to.
async fn suspend(client: &Client, cron_job: &CronJob) -> Result<bool, UninstallError> {
    let api: Api<CronJob> = Api::namespaced(client.clone(), &cron_job.namespace().unwrap_or_default());
    let mut cron_job = cron_job.clone();
    loop {
        if cron_job.spec.suspend == Some(true) {
            return Ok(false);
        }
        cron_job.spec.suspend = Some(true);
        let name = cron_job.name_any();
        match api.replace(&name, &PostParams::default(), &cron_job).await {
            Ok(_) => return Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(false),
            // The controller has written its status since.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                cron_job = api.get(&name).await.map_err(failed("read a CronJob"))?;
            }
            Err(source) => return Err(failed("suspend a CronJob")(source)),
        }
    }
}

/// What the operator made for schedules.
struct Ours<'a> {
    client: &'a Client,
    namespaces: &'a [String],
}

impl Ours<'_> {
    /// All of one kind.
    async fn list<K>(&self) -> Result<Vec<K>, UninstallError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let ours = ListParams::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));
        let apis: Vec<Api<K>> = if self.namespaces.is_empty() {
            vec![Api::all(self.client.clone())]
        } else {
            self.namespaces.iter().map(|namespace| Api::namespaced(self.client.clone(), namespace)).collect()
        };
        let mut all = Vec::new();
        for api in apis {
            all.extend(api.list(&ours).await.map_err(failed("list what the operator made"))?.items);
        }
        Ok(all)
    }

    /// Waits for the deliveries that are being made, ends those that take too long, and says how many those were. No
    /// sender is left when it returns, so the policy that they are under can go.
    async fn finish(&self) -> Result<usize, UninstallError> {
        let end = Instant::now() + FINISH_WITHIN;
        loop {
            let unfinished = self.unfinished().await?;
            if unfinished.is_empty() {
                return Ok(0);
            }
            if Instant::now() >= end {
                let applier = Applier { client: self.client.clone() };
                for job in &unfinished {
                    applier.delete(job).await?;
                }
                while self.list::<Pod>().await?.iter().any(is_running) {
                    sleep(LOOK_EVERY).await;
                }
                return Ok(unfinished.len());
            }
            println!("waiting for {} deliveries that are being made", unfinished.len());
            sleep(LOOK_EVERY * 5).await;
        }
    }

    async fn unfinished(&self) -> Result<Vec<Job>, UninstallError> {
        let mut jobs = self.list::<Job>().await?;
        jobs.retain(|job| job.labels().contains_key(SCHEDULE_LABEL) && over_at(job).is_none());
        Ok(jobs)
    }
}

fn is_running(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

fn failed(what: &'static str) -> impl FnOnce(kube::Error) -> UninstallError {
    move |source| UninstallError::Api { what, source }
}
