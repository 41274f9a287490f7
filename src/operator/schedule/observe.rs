//! What a reconcile needs to know beside the schedule, from caches that watches keep: nothing here asks an API server.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::core::ObjectMeta;
use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};

use crate::api::{WebhookSchedule, WebhookTier};
use crate::operator::admission::seen::Protected;
use crate::operator::cache::api_server::ApiServerStores;
use crate::operator::cache::load_balancers::LoadBalancers;
use crate::operator::cache::own_addresses::OwnAddresses;
use crate::operator::cache::running::Running;
use crate::operator::cache::unlisted::Unlisted;
use crate::operator::isolation::known::Known;
use crate::operator::isolation::verdict::Verdict;
use crate::operator::kubernetes::apply::is_ours;
use crate::operator::names;
use crate::operator::preflight::state::is_check;
use crate::operator::settings::Isolation;
use crate::operator::tier::membership::Membership;
use crate::operator::tier::quota::{Quotas, Share};
use crate::operator::validate::Refusal;

/// The operator's caches. Of what is not Postern's it holds namespaces' labels, tiers, network policies, where the API server is, and
/// where admission policies apply.
pub(crate) struct Stores {
    pub(crate) membership: Membership,
    pub(crate) cron_jobs: Store<CronJob>,
    pub(crate) service_accounts: Store<ServiceAccount>,
    /// All of them, whoever made them.
    pub(crate) network_policies: Store<NetworkPolicy>,
    pub(crate) api_server: ApiServerStores,
    pub(crate) load_balancers: LoadBalancers,
    pub(crate) isolation: Arc<Known>,
    pub(crate) jobs: Store<Job>,
    pub(crate) pods: Store<Pod>,
    pub(crate) protected: Protected,
    pub(crate) running: Running,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) unlisted: Unlisted,
}

/// All that exists for one schedule.
pub(crate) struct Found {
    pub(crate) tier: Result<Arc<WebhookTier>, Refusal>,
    /// What it takes of what its tier allows its namespace.
    pub(crate) share: Share,
    pub(crate) cron_job: Option<Arc<CronJob>>,
    pub(crate) service_account: Option<Arc<ServiceAccount>>,
    pub(crate) network_policy: Option<Arc<NetworkPolicy>>,
    /// What is the cluster's own.
    pub(crate) own_addresses: OwnAddresses,
    /// Whether its senders are kept from the inside.
    pub(crate) isolation: Verdict,
    /// What the CronJob's Jobs have come to: deliveries.
    pub(crate) runs: Vec<Run>,
    /// What the schedule's own Jobs have come to: checks.
    pub(crate) checks: Vec<Run>,
}

/// A Job of the schedule or of its CronJob and its pods, by the chain of owners' UIDs: what only has the labels is not among them.
pub(crate) struct Run {
    pub(crate) job: Arc<Job>,
    /// It was deleted before it was over.
    pub(crate) is_gone: bool,
    pub(crate) pods: Vec<Arc<Pod>>,
}

impl Stores {
    /// Waits until every cache has been filled once.
    ///
    /// # Errors
    /// When a watch has ended.
    pub(crate) async fn ready(&self) -> Result<(), WriterDropped> {
        let Self {
            membership,
            cron_jobs,
            service_accounts,
            network_policies,
            api_server,
            load_balancers,
            jobs,
            pods,
            protected,
            ..
        } = self;
        api_server.ready().await?;
        membership.tiers.wait_until_ready().await?;
        membership.namespaces.wait_until_ready().await?;
        cron_jobs.wait_until_ready().await?;
        service_accounts.wait_until_ready().await?;
        network_policies.wait_until_ready().await?;
        jobs.wait_until_ready().await?;
        protected.ready().await;
        load_balancers.ready().await;
        pods.wait_until_ready().await
    }

    /// Whether a namespace is being deleted: nothing can be made in it any more.
    pub(crate) fn is_ending(&self, namespace: &str) -> bool {
        let namespace = self.membership.namespaces.get(&ObjectRef::new(namespace));
        namespace.is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some())
    }

    /// Collects what exists for a schedule; `None` while it is just becoming known.
    pub(crate) fn dereference(&self, schedule: &WebhookSchedule, isolation: Isolation, now: i64) -> Option<Found> {
        let name = schedule.name_any();
        let namespace = schedule.namespace().unwrap_or_default();
        let cron_job = self.cron_jobs.get(&ObjectRef::new(&names::cron_job(&name)).within(&namespace));
        let tier = self.membership.tier(&namespace);
        let (runs, checks) = self.runs(schedule, cron_job.as_deref(), &namespace);
        let share = match &tier {
            Ok(tier) => self.quotas.share(schedule, (&tier.spec).into(), now)?,
            Err(_) => Share::default(),
        };
        Some(Found {
            share,
            tier,
            runs,
            checks,
            cron_job,
            service_account: self.service_accounts.get(&ObjectRef::new(names::SENDER_CHILDREN).within(&namespace)),
            network_policy: self.network_policies.get(&ObjectRef::new(names::SENDER_CHILDREN).within(&namespace)),
            own_addresses: OwnAddresses {
                api_server: self.api_server.now(),
                load_balancers: self.load_balancers.now(),
            },
            isolation: self.isolation.verdict(&namespace, isolation),
        })
    }

    /// The senders' policy of a namespace.
    pub(crate) fn senders_policy(&self, namespace: &str) -> Option<Arc<NetworkPolicy>> {
        let policy = self.network_policies.get(&ObjectRef::new(names::SENDER_CHILDREN).within(namespace));
        policy.filter(|policy| is_ours(&**policy) && policy.metadata.deletion_timestamp.is_none())
    }

    /// The other policies of the namespace of one.
    pub(crate) fn policies_beside(&self, own: &NetworkPolicy) -> Vec<Arc<NetworkPolicy>> {
        let beside = |other: &NetworkPolicy| {
            other.metadata.namespace == own.metadata.namespace && other.metadata.name != own.metadata.name
        };
        self.network_policies.state_filter(beside)
    }

    /// What the canaries of a policy have come to.
    pub(crate) fn canaries(&self, policy: &NetworkPolicy) -> Vec<Run> {
        let (namespace, uid) = (policy.namespace(), policy.uid());
        let is_canary = |object: &ObjectMeta| {
            let labels = object.labels.as_ref();
            object.namespace == namespace && labels.is_some_and(|labels| labels.contains_key(names::CANARY_LABEL))
        };
        let jobs = self.jobs.state_filter(|job| is_canary(&job.metadata) && is_controlled_by(job, uid.as_deref()));
        let pods = self.pods.state_filter(|pod| is_canary(&pod.metadata));
        jobs.into_iter().map(|job| with_pods(job, &pods, false)).collect()
    }

    /// What the Jobs of a schedule's CronJob, and its own, have come to.
    fn runs(&self, schedule: &WebhookSchedule, cron_job: Option<&CronJob>, namespace: &str) -> (Vec<Run>, Vec<Run>) {
        let uid = schedule.uid();
        let cron_job = cron_job.filter(|cron_job| is_controlled_by(*cron_job, uid.as_deref()));
        let cron_job = cron_job.and_then(ResourceExt::uid);
        let name = schedule.name_any();
        // The objects of all schedules are looked through: most are told apart by these alone.
        let labelled = |object: &ObjectMeta| {
            let labels = object.labels.as_ref();
            object.namespace.as_deref() == Some(namespace)
                && labels.and_then(|labels| labels.get(names::SCHEDULE_LABEL)) == Some(&name)
        };
        let all = self.jobs.state_filter(|job| labelled(&job.metadata));
        let of = |owner: Option<&str>| all.iter().filter(|job| is_controlled_by(&***job, owner)).cloned().collect();
        let (jobs, mut checks): (Vec<_>, Vec<_>) = (of(cron_job.as_deref()), of(uid.as_deref()));
        checks.retain(|job| is_check(job));
        let pods = self.pods.state_filter(|pod| labelled(&pod.metadata));
        // Without its CronJob, nothing is known of what it ran.
        let gone = cron_job.as_deref().map(|uid| self.running.gone(&ObjectRef::from_obj(schedule), Some(uid), &jobs));
        let gone = gone.unwrap_or_default();
        let run = |(job, is_gone)| with_pods(job, &pods, is_gone);
        let runs = jobs.into_iter().map(|job| (job, false)).chain(gone.into_iter().map(|job| (job, true)));
        (runs.map(run).collect(), checks.into_iter().map(|job| run((job, false))).collect())
    }
}

fn with_pods(job: Arc<Job>, pods: &[Arc<Pod>], is_gone: bool) -> Run {
    let uid = job.uid();
    let own = pods.iter().filter(|pod| is_controlled_by(&***pod, uid.as_deref()));
    Run { pods: own.cloned().collect(), job, is_gone }
}

/// An object's controller; the API server admits no second one.
pub(crate) fn controller_of(object: &impl ResourceExt) -> Option<&OwnerReference> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true))
}

/// Whether an object's controller is the object with this UID.
pub(crate) fn is_controlled_by(object: &impl ResourceExt, uid: Option<&str>) -> bool {
    uid.is_some() && controller_of(object).map(|owner| owner.uid.as_str()) == uid
}
