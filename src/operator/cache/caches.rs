//! The caches of all controllers: what watches show, without anything derived from it.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use kube::core::PartialObjectMeta;

use super::api_server::ApiServerStores;
use super::indexed::Indexed;
use super::load_balancers::LoadBalancers;
use super::own_addresses::OwnAddresses;
use super::unlisted::Unlisted;
use crate::api::{WebhookSchedule, WebhookTier};
use crate::operator::kubernetes::apply::is_ours;
use crate::operator::kubernetes::job::is_early;
use crate::operator::kubernetes::owner::is_controlled_by;
use crate::operator::names::{self, SENDER_CHILDREN};

/// A namespace, reduced to its metadata.
pub(crate) type NamespaceMetadata = PartialObjectMeta<Namespace>;

/// What watches keep. Of objects that aren't Postern's, these are the namespaces' labels, tiers, network policies, and the
/// addresses of the API server and of load balancers.
pub(crate) struct Caches {
    pub(crate) schedules: Indexed<WebhookSchedule>,
    pub(crate) tiers: Indexed<WebhookTier>,
    pub(crate) namespaces: Indexed<NamespaceMetadata>,
    pub(crate) cron_jobs: Indexed<CronJob>,
    pub(crate) service_accounts: Indexed<ServiceAccount>,
    /// All network policies, whoever made them.
    pub(crate) network_policies: Indexed<NetworkPolicy>,
    pub(crate) jobs: Indexed<Job>,
    pub(crate) pods: Indexed<Pod>,
    pub(crate) api_server: ApiServerStores,
    pub(crate) load_balancers: LoadBalancers,
    pub(crate) unlisted: Unlisted,
}

impl Caches {
    /// Waits until every cache has been filled once.
    pub(crate) async fn ready(&self) {
        // Without `..`, so that a new cache can't be forgotten here.
        let Self {
            schedules,
            tiers,
            namespaces,
            cron_jobs,
            service_accounts,
            network_policies,
            jobs,
            pods,
            api_server,
            load_balancers,
            unlisted: _,
        } = self;
        api_server.ready().await;
        load_balancers.ready().await;
        tiers.wait_until_filled().await;
        namespaces.wait_until_filled().await;
        schedules.wait_until_filled().await;
        cron_jobs.wait_until_filled().await;
        service_accounts.wait_until_filled().await;
        network_policies.wait_until_filled().await;
        jobs.wait_until_filled().await;
        pods.wait_until_filled().await;
    }

    /// Whether a namespace is being deleted, so nothing can be created in it any more.
    pub(crate) fn is_ending(&self, namespace: &str) -> bool {
        let namespace = self.namespaces.get("", namespace);
        namespace.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some())
    }

    /// The cluster's own addresses.
    pub(crate) fn own_addresses(&self) -> OwnAddresses {
        OwnAddresses { api_server: self.api_server.now(), load_balancers: self.load_balancers.now() }
    }

    /// The CronJob of a schedule. Ignores an object that only has its name.
    pub(crate) fn own_cron_job(&self, schedule: &WebhookSchedule) -> Option<Arc<CronJob>> {
        let name = names::cron_job(&schedule.name_any());
        let cron_job = self.cron_jobs.get(&schedule.namespace().unwrap_or_default(), &name);
        cron_job.filter(|cron_job| is_controlled_by(&**cron_job, schedule.uid().as_deref()))
    }

    /// The Job that was made early for the coming minute, by a CronJob of this name: perhaps one that was deleted since.
    pub(crate) fn early_job(&self, namespace: &str, cron_job: &str, now: i64) -> Option<Arc<Job>> {
        let coming = now - now.rem_euclid(60) + 60;
        self.jobs.get(namespace, &names::job(cron_job, coming)).filter(|job| is_early(job))
    }

    /// The senders' policy of a namespace.
    pub(crate) fn senders_policy(&self, namespace: &str) -> Option<Arc<NetworkPolicy>> {
        let policy = self.network_policies.get(namespace, SENDER_CHILDREN);
        policy.filter(|policy| is_ours(&**policy) && policy.metadata.deletion_timestamp.is_none())
    }

    /// The other policies of a namespace.
    pub(crate) fn other_policies(&self, namespace: &str) -> Vec<Arc<NetworkPolicy>> {
        let policies = self.network_policies.in_namespace(namespace);
        policies.filter(|policy| policy.metadata.name.as_deref() != Some(SENDER_CHILDREN)).collect()
    }
}
