//! Makes the cluster hold what was built, and writes only what differs.
//!
//! An object is made by POST and is never taken over: who comes first by that name keeps it, and the schedule says so. What
//! differs is replaced whole (PUT), so that a field that somebody added goes too.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::PostParams;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::build::NamespaceChildren;
use super::names::{MANAGED_BY_LABEL, MANAGER};

/// Why a child is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Somebody else's object has the name.
    #[error("{kind} {name} exists and is not Postern's: delete or rename it, and this schedule goes on by itself")]
    NameTaken {
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
pub(super) struct Applier {
    pub(super) client: Client,
}

impl Applier {
    /// Makes the CronJob exist as it was built.
    pub(super) async fn cron_job(&self, built: CronJob, found: Option<Arc<CronJob>>) -> Result<(), ApplyError> {
        let owner = built.owner_references().first().map(|owner| owner.uid.clone());
        let ours = |other: &CronJob| super::dereference::is_controlled_by(other, owner.as_deref());
        Box::pin(self.ensure(built, found, ours, |a, b| a.spec == b.spec)).await
    }

    /// Makes the children of a namespace exist as they were built.
    pub(super) async fn namespace_children(
        &self,
        built: NamespaceChildren,
        found: (Option<Arc<ServiceAccount>>, Option<Arc<NetworkPolicy>>),
    ) -> Result<(), ApplyError> {
        let NamespaceChildren { service_account, network_policy } = built;
        self.ensure(service_account, found.0, is_labelled, |a, b| {
            (&a.automount_service_account_token, &a.secrets, &a.image_pull_secrets)
                == (&b.automount_service_account_token, &b.secrets, &b.image_pull_secrets)
        })
        .await?;
        self.ensure(network_policy, found.1, is_labelled, |a, b| a.spec == b.spec).await
    }

    async fn ensure<K>(
        &self,
        mut built: K,
        found: Option<Arc<K>>,
        ours: impl Fn(&K) -> bool,
        same: impl Fn(&K, &K) -> bool,
    ) -> Result<(), ApplyError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
    {
        let (kind, name) = (K::kind(&()).into_owned(), built.name_any());
        let failed = |source| ApplyError::Api { kind: kind.clone(), name: name.clone(), source };
        let api: Api<K> = Api::namespaced(self.client.clone(), &built.namespace().unwrap_or_default());
        let parameters = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        let found = match found {
            Some(found) => found,
            None => match api.create(&parameters, &built).await {
                Ok(_) => return Ok(()),
                // Relabelled, or made by another: the cache holds only what has Postern's label.
                Err(kube::Error::Api(status)) if status.code == 409 => Arc::new(api.get(&name).await.map_err(failed)?),
                Err(error) => return Err(failed(error)),
            },
        };
        if !ours(&found) {
            return Err(ApplyError::NameTaken { kind, name });
        }
        if same(&found, &built)
            && found.labels() == built.labels()
            && found.owner_references() == built.owner_references()
        {
            return Ok(());
        }
        // Only this very object, and only if nobody changed it since.
        built.meta_mut().uid = found.uid();
        built.meta_mut().resource_version = found.resource_version();
        api.replace(&name, &parameters, &built).await.map(drop).map_err(failed)
    }
}

fn is_labelled(object: &impl ResourceExt) -> bool {
    object.labels().get(MANAGED_BY_LABEL).is_some_and(|manager| manager == MANAGER)
}
