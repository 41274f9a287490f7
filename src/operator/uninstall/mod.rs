//! What to do before the operator is removed: nothing may fire while no operator is watching.
//!
//! The operators are stopped first, or they would undo what is done here. Schedules stay, and so do their CronJobs, but
//! suspended; an operator that is installed again continues with them.
//!
//! A namespace in which something is refused doesn't hold up the others: everything possible is done, and the rest is reported
//! at the end (`unreached`).

pub(crate) mod finish;
pub(crate) mod unreached;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::ScaleSpec;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::operator::kubernetes::apply::{Applier, ApplyError};
use crate::operator::kubernetes::job::over_at;
use crate::operator::kubernetes::leader_election::{LeaderElector, LeaseLost};
use crate::operator::names::{MANAGED_BY_LABEL, MANAGER, SCHEDULE_LABEL, namespace_of_usage};
use crate::operator::settings::Settings;
use finish::{Next, next, running_pods};
use unreached::Unreached;

/// The time between two checks of running deliveries: longer than the CronJob controller takes to see a change.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long the pods of ended deliveries may take to terminate.
const GONE_WITHIN: Duration = Duration::from_secs(30);
/// The time between two checks of those pods.
const LOOK_FOR_PODS_EVERY: Duration = Duration::from_secs(1);

/// Why the uninstallation could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum UninstallError {
    /// Something could not be read or written.
    #[error("{what}: {source}")]
    Api {
        /// What the request was for.
        what: &'static str,
        /// What the API server said.
        source: kube::Error,
    },
    /// Something could not be deleted.
    #[error(transparent)]
    Delete(#[from] ApplyError),
    /// An operator is running again.
    #[error("{0}: an operator was started again meanwhile; stop it, and try again")]
    OperatorBack(#[from] LeaseLost),
    /// Something was refused in some namespaces.
    #[error("{0}")]
    Refused(String),
}

impl UninstallError {
    /// Whether the API server answered, so that only this one request failed.
    fn is_an_answer(&self) -> bool {
        use kube::Error::Api;
        matches!(self, Self::Api { source: Api(_), .. } | Self::Delete(ApplyError::Api { source: Api(_), .. }))
    }
}

/// Stops the operators, suspends every CronJob, ends running senders, and deletes the children of namespaces. Prints what it
/// does on standard output.
///
/// `deployment` is the name of the operators' Deployment, in the namespace of the Lease.
///
/// # Errors
/// When the API server can't be reached, or refuses something in a namespace that exists. Everything possible is done then, and
/// the call can be repeated.
pub async fn uninstall(client: Client, settings: &Settings, deployment: &str) -> Result<(), UninstallError> {
    let elector = LeaderElector::new(client.clone(), &settings.lease);
    println!("{}", coverage(&settings.watch_namespaces));
    println!("scaling Deployment {deployment} to 0, so that no operator undoes what follows");
    end_operators(&client, elector.namespace(), deployment).await?;
    println!("waiting until the last operator has released its Lease");
    let mut leader = elector.acquire().await;
    let done = tokio::select! {
        lost = leader.renew() => return Err(lost.into()),
        done = clear(&client, &settings.watch_namespaces) => done,
    };
    let done = match done {
        Ok(()) => delete_records(&client, elector.namespace()).await,
        failed => failed,
    };
    elector.release().await;
    done?;
    println!(
        "done: no CronJob fires any more; schedules, tiers, CRDs and suspended CronJobs remain (kubectl get \
         whs,cronjobs -A)"
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

/// Deletes the records of the namespaces' use of their tiers.
async fn delete_records(client: &Client, namespace: &str) -> Result<(), UninstallError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let ours = ListParams::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));
    let records = api.list_metadata(&ours).await.map_err(failed("list what namespaces used"))?;
    for name in records.iter().map(ResourceExt::name_any).filter(|name| namespace_of_usage(name).is_some()) {
        match api.delete(&name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            other => other.map(drop).map_err(failed("delete what a namespace used"))?,
        }
    }
    Ok(())
}

/// Describes which namespaces are worked in.
fn coverage(namespaces: &[String]) -> String {
    if namespaces.is_empty() {
        return "working in all namespaces".into();
    }
    let names = namespaces.join(", ");
    format!("working only in the namespaces of watchNamespaces: {names}; CronJobs elsewhere stay as they are")
}

async fn clear(client: &Client, namespaces: &[String]) -> Result<(), UninstallError> {
    let applier = Applier::new(client.clone());
    let mut ours = Ours { client, namespaces, unreached: Unreached::default() };
    let mut suspended = 0;
    for cron_job in ours.list::<CronJob>().await? {
        let had_to = suspend(client, &cron_job).await;
        suspended += u32::from(ours.unreached.note(cron_job.namespace().as_deref(), had_to)? == Some(true));
    }
    println!("suspended {suspended} CronJobs");

    let left = ours.finish(&applier).await?;
    for pod in &left {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        println!("Pod {name} of namespace {namespace} has not ended: check whether its node is up");
    }

    for account in ours.list::<ServiceAccount>().await? {
        let deleted = applier.delete(&account).await.map_err(Into::into);
        ours.unreached.note(account.namespace().as_deref(), deleted)?;
    }
    let in_use: BTreeSet<String> = left.iter().filter_map(ResourceExt::namespace).collect();
    for policy in ours.list::<NetworkPolicy>().await? {
        let namespace = policy.namespace().unwrap_or_default();
        if in_use.contains(&namespace) || ours.unreached.includes(&namespace) {
            println!(
                "NetworkPolicy {name} of namespace {namespace} stays, since senders may run there; when none runs \
                 any more: kubectl -n {namespace} delete networkpolicy {name}",
                name = policy.name_any()
            );
            continue;
        }
        let deleted = applier.delete(&policy).await.map_err(Into::into);
        ours.unreached.note(Some(&namespace), deleted)?;
    }
    println!("removed the ServiceAccounts of senders, and the NetworkPolicies of namespaces where no sender runs");
    ours.tell().await
}

/// Suspends a CronJob, and returns whether that was necessary.
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
            // The CronJob controller has written the CronJob's status since.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                cron_job = api.get(&name).await.map_err(failed("read a CronJob"))?;
            }
            Err(source) => return Err(failed("suspend a CronJob")(source)),
        }
    }
}

/// The objects that the operator made for schedules.
struct Ours<'a> {
    client: &'a Client,
    /// Empty: all namespaces.
    namespaces: &'a [String],
    unreached: Unreached,
}

impl Ours<'_> {
    /// All objects of one kind, wherever they may be listed.
    async fn list<K>(&mut self) -> Result<Vec<K>, UninstallError>
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
            let listed = api.list(&ours).await.map_err(failed("list what the operator made"));
            all.extend(self.unreached.note(api.namespace(), listed)?.into_iter().flatten());
        }
        Ok(all)
    }

    /// Waits for running deliveries, and ends those that take too long. Returns the pods of the latter that are still there:
    /// their policy must outlive them.
    async fn finish(&mut self, applier: &Applier) -> Result<Vec<Pod>, UninstallError> {
        let (first, mut before) = (Instant::now(), None);
        let unfinished = loop {
            let unfinished = self.unfinished().await?;
            match next(unfinished.len(), before, first.elapsed()) {
                Next::Done => return Ok(Vec::new()),
                Next::End => break unfinished,
                Next::Look => println!("{} deliveries are running; looking again", unfinished.len()),
            }
            before = Some(unfinished.len());
            sleep(LOOK_EVERY).await;
        };
        println!("stopping {} deliveries that are still running", unfinished.len());
        let mut ended = BTreeSet::new();
        for job in &unfinished {
            let deleted = applier.delete(job).await.map_err(Into::into);
            if self.unreached.note(job.namespace().as_deref(), deleted)?.is_some() {
                ended.extend(job.uid());
            }
        }
        let first = Instant::now();
        loop {
            let left = running_pods(self.list().await?, &ended);
            if left.is_empty() || first.elapsed() >= GONE_WITHIN {
                return Ok(left);
            }
            sleep(LOOK_FOR_PODS_EVERY).await;
        }
    }

    async fn unfinished(&mut self) -> Result<Vec<Job>, UninstallError> {
        let mut jobs = self.list::<Job>().await?;
        jobs.retain(|job| job.labels().contains_key(SCHEDULE_LABEL) && over_at(job).is_none());
        Ok(jobs)
    }

    /// Reports the namespaces that could not be reached: prints those that are deleted, and fails for those that exist.
    async fn tell(self) -> Result<(), UninstallError> {
        if self.unreached.is_empty() {
            return Ok(());
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let listed = namespaces.list_metadata(&ListParams::default()).await.ok();
        let existing = listed.map(|listed| {
            let there = listed.items.iter().filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
            there.map(ResourceExt::name_any).collect()
        });
        let verdict = self.unreached.judge(existing.as_ref());
        for namespace in &verdict.gone {
            println!("namespace {namespace} is deleted or being deleted, with all that Postern made there");
        }
        verdict.refused.map_or(Ok(()), |refused| Err(UninstallError::Refused(refused)))
    }
}

fn failed(what: &'static str) -> impl FnOnce(kube::Error) -> UninstallError {
    move |source| UninstallError::Api { what, source }
}

#[cfg(test)]
mod tests;
