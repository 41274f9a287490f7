//! Brings the cluster's objects to the built state, and writes only what differs.
//!
//! An object is created by POST and never adopted: whoever creates an object of that name first keeps it, and the schedule's
//! status says so. An object that differs is replaced as a whole (PUT), so that fields that somebody added are removed too.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::defaults::ServerDefaults;
use crate::api::WebhookSchedule;
use crate::operator::kubernetes::owner::{controller_of, is_controlled_by};
use crate::operator::names::{self, MANAGED_BY_LABEL, MANAGER};

/// Why a child is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The name belongs to somebody else's object.
    #[error(
        "{kind} {name} exists and doesn't belong to Postern: delete or rename it, and this schedule goes on by itself"
    )]
    NameTaken {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
    },
    /// The object is being deleted, and a finalizer may block that.
    #[error("{kind} {name} is being deleted, and is made again after that: look at its finalizers if that takes long")]
    Ending {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
    },
    /// The object was changed since it was read.
    #[error("{kind} {name} was changed meanwhile; the operator reads it again")]
    Outdated {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
    },
    /// The API server refused or didn't answer.
    #[error("{kind} {name}: {source}")]
    Api {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
}

/// Writes to the API server as the operator.
#[derive(Clone)]
pub(crate) struct Applier {
    client: Client,
    /// Fields that the API server filled in or changed in what was applied.
    pub(crate) defaults: ServerDefaults,
}

impl Applier {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, defaults: ServerDefaults::default() }
    }

    /// Creates or replaces the CronJob so that it is as built, and returns it as it is in the cluster.
    pub(crate) async fn cron_job(&self, built: CronJob, found: Option<Arc<CronJob>>) -> Result<CronJob, ApplyError> {
        let owner = controller_of(&built).map(|owner| owner.uid.clone());
        let ours = |other: &CronJob| is_controlled_by(other, owner.as_deref());
        Box::pin(self.ensure(built, found, ours, (|a, b| a.spec == b.spec, |cron_job| json!(cron_job.spec)), |_, _| ()))
            .await
    }

    /// Creates or replaces the children of a namespace so that they are as built.
    pub(crate) async fn namespace_children(
        &self,
        (service_account, found_account): (ServiceAccount, Option<Arc<ServiceAccount>>),
        (network_policy, found_policy): (NetworkPolicy, Option<Arc<NetworkPolicy>>),
    ) -> Result<(), ApplyError> {
        let same = |a: &ServiceAccount, b: &ServiceAccount| {
            a.automount_service_account_token == b.automount_service_account_token
        };
        let content = |account: &ServiceAccount| json!(account.automount_service_account_token);
        // Some platforms write these into every account, and would write them again.
        let keep = |found: &ServiceAccount, built: &mut ServiceAccount| {
            built.secrets.clone_from(&found.secrets);
            built.image_pull_secrets.clone_from(&found.image_pull_secrets);
        };
        self.ensure(service_account, found_account, is_ours, (same, content), keep).await?;
        self.ensure(
            network_policy,
            found_policy,
            is_ours,
            (|a, b| a.spec == b.spec, |policy| json!(policy.spec)),
            |_, _| (),
        )
        .await
        .map(drop)
    }

    /// Creates a Job, unless it exists already.
    pub(crate) async fn start(&self, job: &Job) -> Result<(), ApplyError> {
        let owner = controller_of(job).map(|owner| owner.uid.as_str());
        let (api, target) = (self.api(job), Target::of(job));
        match api.create(&by_postern(), job).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == CONFLICT => {
                let there = api.get(&target.name).await.map_err(|source| target.failed(source))?;
                if is_controlled_by(&there, owner) { Ok(()) } else { Err(target.taken()) }
            }
            Err(source) => Err(target.failed(source)),
        }
    }

    /// Whether an object is still as it was read from a cache.
    pub(crate) async fn is_current<K>(&self, object: &K) -> Result<bool, ApplyError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let target = Target::of(object);
        let now = self.api(object).get_opt(&target.name).await.map_err(|source| target.failed(source))?;
        Ok(now.is_some_and(|now| (now.uid(), now.resource_version()) == (object.uid(), object.resource_version())))
    }

    /// The names of the Jobs that a schedule's CronJob has now, read from the API server and not from a cache.
    pub(crate) async fn jobs_of(
        &self,
        schedule: &WebhookSchedule,
        cron_job: &CronJob,
    ) -> Result<BTreeSet<String>, ApplyError> {
        let api: Api<Job> = Api::namespaced(self.client.clone(), &schedule.namespace().unwrap_or_default());
        let name = schedule.name_any();
        let theirs = ListParams::default().labels(&names::selector(&name));
        let failed = |source| ApplyError::Api { kind: "Jobs of WebhookSchedule".into(), name, source };
        let jobs = api.list_metadata(&theirs).await.map_err(failed)?;
        let uid = cron_job.uid();
        // Anyone may put that label on a Job.
        let own = jobs.iter().filter(|job| is_controlled_by(*job, uid.as_deref()));
        Ok(own.map(ResourceExt::name_any).collect())
    }

    /// Deletes exactly this object, if it still exists.
    pub(crate) async fn delete<K>(&self, object: &K) -> Result<(), ApplyError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.delete_if(object, Preconditions { uid: object.uid(), resource_version: None }).await
    }

    /// Deletes exactly this object, if it still exists and hasn't changed since it was read.
    pub(crate) async fn delete_unchanged<K>(&self, object: &K) -> Result<(), ApplyError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let resource_version = object.resource_version();
        self.delete_if(object, Preconditions { uid: object.uid(), resource_version }).await
    }

    async fn delete_if<K>(&self, object: &K, this: Preconditions) -> Result<(), ApplyError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let target = Target::of(object);
        match self.api(object).delete(&target.name, &DeleteParams::background().preconditions(this)).await {
            Ok(_) => Ok(()),
            // The object was deleted, replaced by another of that name, or changed.
            Err(kube::Error::Api(status)) if matches!(status.code, NOT_FOUND | CONFLICT) => Ok(()),
            Err(source) => Err(target.failed(source)),
        }
    }

    async fn ensure<K>(
        &self,
        mut built: K,
        found: Option<Arc<K>>,
        ours: impl Fn(&K) -> bool,
        (same, content): (impl Fn(&K, &K) -> bool, impl Fn(&K) -> Value),
        keep: impl Fn(&K, &mut K),
    ) -> Result<K, ApplyError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
    {
        let (api, target) = (self.api(&built), Target::of(&built));
        let found = match found {
            Some(found) => found,
            None => match api.create(&by_postern(), &built).await {
                Ok(made) => {
                    if !same(&made, &built) {
                        self.defaults.note(&built, &content(&built), &content(&made));
                    }
                    return Ok(made);
                }
                // The object was relabelled, or made by somebody else: the cache holds only objects with Postern's label.
                Err(kube::Error::Api(status)) if status.code == CONFLICT => {
                    Arc::new(api.get(&target.name).await.map_err(|source| target.failed(source))?)
                }
                Err(source) => return Err(target.failed(source)),
            },
        };
        if !ours(&found) {
            return Err(target.taken());
        }
        if found.meta().deletion_timestamp.is_some() {
            return Err(target.ending());
        }
        if (same(&found, &built) || self.defaults.explain(&built, || (content(&built), content(&found))))
            && found.labels() == built.labels()
            && found.owner_references() == built.owner_references()
        {
            return Ok(Arc::unwrap_or_clone(found));
        }
        // Keep the annotations of others: they have no effect.
        *built.annotations_mut() = found.annotations().clone();
        keep(&found, &mut built);
        // Replace exactly this object, and only if nobody changed it since.
        built.meta_mut().uid = found.uid();
        built.meta_mut().resource_version = found.resource_version();
        match api.replace(&target.name, &by_postern(), &built).await {
            Ok(replaced) => {
                if !same(&replaced, &built) {
                    self.defaults.note(&built, &content(&built), &content(&replaced));
                }
                Ok(replaced)
            }
            Err(kube::Error::Api(status)) if status.code == CONFLICT => Err(target.outdated()),
            Err(source) => Err(target.failed(source)),
        }
    }

    fn api<K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self, object: &K) -> Api<K> {
        Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default())
    }
}

const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;

/// Parameters of every write: the operator's field manager.
pub(crate) fn by_postern() -> PostParams {
    PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() }
}

/// The object that an error is about.
struct Target {
    kind: String,
    name: String,
}

impl Target {
    fn of<K: Resource<DynamicType = ()>>(object: &K) -> Self {
        Self { kind: K::kind(&()).into_owned(), name: object.name_any() }
    }

    fn failed(&self, source: kube::Error) -> ApplyError {
        ApplyError::Api { kind: self.kind.clone(), name: self.name.clone(), source }
    }

    fn taken(&self) -> ApplyError {
        ApplyError::NameTaken { kind: self.kind.clone(), name: self.name.clone() }
    }

    fn ending(&self) -> ApplyError {
        ApplyError::Ending { kind: self.kind.clone(), name: self.name.clone() }
    }

    fn outdated(&self) -> ApplyError {
        ApplyError::Outdated { kind: self.kind.clone(), name: self.name.clone() }
    }
}

/// Whether Postern made an object that no schedule owns. The label shows it; where somebody removed the label, the field
/// managers that the API server recorded show it.
pub(crate) fn is_ours(object: &impl ResourceExt) -> bool {
    let labelled = object.labels().get(MANAGED_BY_LABEL).is_some_and(|manager| manager == MANAGER);
    labelled || object.managed_fields().iter().any(|entry| entry.manager.as_deref() == Some(MANAGER))
}
