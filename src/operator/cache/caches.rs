//! What is cached, and what of it sets off a reconcile, a sweep or a look at a tier.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Pod, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};

use super::api_server::{self, ApiServerStores};
use super::load_balancers::LoadBalancers;
use super::running::Running;
use super::watches::{Watches, config};
use crate::api::{WebhookSchedule, WebhookTier};
use crate::operator::admission::seen::Protected;
use crate::operator::cleanup::controller::is_orphan;
use crate::operator::kubernetes::fair::{Turn, WorkQueue};
use crate::operator::metrics::Metrics;
use crate::operator::names::{CANARY_LABEL, SCHEDULE_LABEL, SENDER_CHILDREN};
use crate::operator::schedule::observe::{Stores, controller_of};
use crate::operator::tier::membership::{Membership, is_news};
use crate::operator::tier::quota::Quotas;

/// A namespace, of which nothing is needed but this.
pub(crate) type NamespaceMetadata = PartialObjectMeta<Namespace>;

/// What is to be looked at. Only names wait here, and a name that waits twice is taken for one. Schedules wait by turns of their
/// namespaces; of everything else a namespace has one.
#[derive(Clone)]
pub(crate) struct Queues {
    schedules: WorkQueue<WebhookSchedule>,
    namespaces: UnboundedSender<ObjectRef<NamespaceMetadata>>,
    tiers: UnboundedSender<ObjectRef<WebhookTier>>,
    canaries: UnboundedSender<ObjectRef<NamespaceMetadata>>,
    metrics: Metrics,
}

/// The other ends of the queues.
pub(crate) struct ToDo {
    pub(crate) schedules: WorkQueue<WebhookSchedule>,
    pub(crate) namespaces: UnboundedReceiver<ObjectRef<NamespaceMetadata>>,
    pub(crate) tiers: UnboundedReceiver<ObjectRef<WebhookTier>>,
    /// Namespaces in which something about the proof of isolation changed.
    pub(crate) canaries: UnboundedReceiver<ObjectRef<NamespaceMetadata>>,
}

impl Queues {
    pub(crate) fn new(metrics: Metrics) -> (Self, ToDo) {
        let schedules = WorkQueue::new();
        let (namespaces, namespaces_to_do) = unbounded();
        let (tiers, tiers_to_do) = unbounded();
        let (canaries, canaries_to_do) = unbounded();
        let todo = ToDo {
            schedules: schedules.clone(),
            namespaces: namespaces_to_do,
            tiers: tiers_to_do,
            canaries: canaries_to_do,
        };
        (Self { schedules, namespaces, tiers, canaries, metrics }, todo)
    }

    pub(crate) fn reconcile(&self, schedules: impl IntoIterator<Item = ObjectRef<WebhookSchedule>>) {
        for schedule in schedules {
            self.metrics.wanted(&schedule);
            self.schedules.add(&schedule);
        }
    }

    /// Begins to reconcile a schedule whose turn it is. Whose it isn't waits for it.
    pub(crate) fn begin(&self, schedule: &ObjectRef<WebhookSchedule>) -> Option<Turn<WebhookSchedule>> {
        let turn = self.schedules.begin(schedule);
        if turn.is_some() {
            self.metrics.begun(schedule);
        } else {
            self.metrics.wanted(schedule);
        }
        turn
    }

    /// A schedule is gone: its turn is another's.
    pub(crate) fn gone(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.metrics.begun(schedule);
        self.schedules.done(schedule);
    }

    fn sweep(&self, namespace: Option<&str>) {
        if let Some(namespace) = namespace {
            // Who no longer listens is on its way out.
            let _ = self.namespaces.unbounded_send(ObjectRef::new(namespace));
        }
    }

    pub(crate) fn prove(&self, namespace: Option<&str>) {
        if let Some(namespace) = namespace {
            let _ = self.canaries.unbounded_send(ObjectRef::new(namespace));
        }
    }

    fn look(&self, tiers: impl IntoIterator<Item = String>) {
        for tier in tiers {
            let _ = self.tiers.unbounded_send(ObjectRef::new(&tier));
        }
    }
}

/// Starts the watches, and returns what they fill.
pub(crate) fn caches(watches: &mut Watches, queues: &Queues, quotas: Arc<Quotas>) -> (Store<WebhookSchedule>, Stores) {
    let (tiers, namespaces) = (Writer::default(), Writer::default());
    let membership = Membership { tiers: tiers.as_reader(), namespaces: namespaces.as_reader() };
    let (of, shared, q) = (membership.clone(), Arc::clone(&quotas), queues.clone());
    let schedules = watches.tenants(move |schedule: &WebhookSchedule, change| {
        let take = if change.is_deleted() { Quotas::remove } else { Quotas::note };
        q.reconcile(take(&shared, schedule, Timestamp::now().as_second()));
        q.reconcile([ObjectRef::from_obj(schedule)]);
        if change.before().is_none() {
            q.look(of.tiers_by_schedule(namespace_of(schedule).unwrap_or_default()));
        }
        if change.is_deleted() {
            q.sweep(namespace_of(schedule));
        }
    });
    let (known, of, q) = (schedules.clone(), membership.clone(), queues.clone());
    watches.cluster(tiers, move |tier: &WebhookTier, change| {
        q.reconcile(refs(&of.concerned(tier, &change, &known)));
        q.look(of.tiers_by_tier(tier, &change));
    });
    let (known, of, q) = (schedules.clone(), membership.clone(), queues.clone());
    watches.cluster(namespaces, move |namespace: &NamespaceMetadata, change| {
        if !is_news(namespace, &change) {
            return;
        }
        let name = namespace.name_any();
        q.reconcile(in_namespace(&known, Some(&name)));
        // What was in it may have been seen before it was.
        q.sweep(Some(&name));
        q.look(of.tiers_by_namespace(namespace, &change));
    });
    let q = queues.clone();
    let cron_jobs = watches.ours(move |cron_job: &CronJob, is_deleted| {
        if is_deleted || is_orphan(cron_job) {
            q.sweep(namespace_of(cron_job));
        }
        // An orphan is in the way until it is deleted.
        if is_deleted || !is_orphan(cron_job) {
            q.reconcile(owner_of(cron_job).into_iter().chain(schedule_of(cron_job)));
        }
    });
    let q = queues.clone();
    let jobs = watches.ours(move |job: &Job, is_deleted| {
        q.reconcile(schedule_of(job));
        if is_canary(job) {
            q.prove(namespace_of(job));
        }
        if is_deleted || is_orphan(job) {
            q.sweep(namespace_of(job));
        }
    });
    let q = queues.clone();
    let pods = watches.ours(move |pod: &Pod, is_deleted| {
        q.reconcile(schedule_of(pod));
        if is_canary(pod) {
            q.prove(namespace_of(pod));
        }
        if is_deleted {
            q.sweep(namespace_of(pod));
        }
    });
    let (known, q) = (schedules.clone(), queues.clone());
    let service_accounts = watches.ours(move |account: &ServiceAccount, _| {
        q.reconcile(in_namespace(&known, account.metadata.namespace.as_deref()));
        q.sweep(namespace_of(account));
    });
    let (known, q) = (schedules.clone(), queues.clone());
    let network_policies = watches.tenants(move |policy: &NetworkPolicy, _| {
        if policy.name_any() == SENDER_CHILDREN {
            q.reconcile(in_namespace(&known, namespace_of(policy)));
            q.sweep(namespace_of(policy));
        }
        q.prove(namespace_of(policy));
    });
    let api_server = api_server(watches, queues, &schedules);
    let (known, q) = (schedules.clone(), queues.clone());
    let load_balancers =
        LoadBalancers::watch(watches, queues.metrics.clone(), move || q.reconcile(refs(&known.state())));
    let (known, q) = (schedules.clone(), queues.clone());
    let protected = Protected::watch(watches, move |protection| {
        q.metrics.protected(protection.in_force());
        q.reconcile(refs(&known.state()));
    });
    let stores = Stores {
        membership,
        cron_jobs,
        service_accounts,
        network_policies,
        api_server,
        load_balancers,
        isolation: Arc::default(),
        jobs,
        pods,
        protected,
        running: Running::default(),
        quotas,
        unlisted: watches.unlisted.clone(),
    };
    (schedules, stores)
}

/// Starts the watches of where the API server is. What it is about concerns every schedule.
fn api_server(watches: &mut Watches, queues: &Queues, schedules: &Store<WebhookSchedule>) -> ApiServerStores {
    let (known, q) = (schedules.clone(), queues.clone());
    let tell = move || {
        let all = known.state();
        q.reconcile(refs(&all));
        let namespaces: BTreeSet<_> = all.iter().filter_map(|schedule| schedule.namespace()).collect();
        for namespace in &namespaces {
            q.prove(Some(namespace));
        }
    };
    let told = tell.clone();
    let service =
        watches.selected((api_server::NAMESPACE, &config().fields(api_server::SERVICE)), move |new, change| {
            if change.before().is_none_or(|old: &Service| old.spec != new.spec) {
                told();
            }
        });
    let slices = watches.selected((api_server::NAMESPACE, &config().labels(api_server::SLICES)), move |new, change| {
        if change.before().is_none_or(|old: &EndpointSlice| old.endpoints != new.endpoints || old.ports != new.ports) {
            tell();
        }
    });
    ApiServerStores { service, slices }
}

fn is_canary(object: &impl ResourceExt) -> bool {
    object.labels().contains_key(CANARY_LABEL)
}

fn namespace_of(object: &impl ResourceExt) -> Option<&str> {
    object.meta().namespace.as_deref()
}

/// The schedule that owns a CronJob, if only by what the CronJob says.
fn owner_of(cron_job: &CronJob) -> Option<ObjectRef<WebhookSchedule>> {
    let owner = controller_of(cron_job).filter(|owner| owner.kind == WebhookSchedule::kind(&()))?;
    Some(ObjectRef::new(&owner.name).within(&cron_job.namespace()?))
}

/// The schedule that a child's label names. It is only asked to look: what belongs to it, it tells by UIDs.
fn schedule_of(child: &impl ResourceExt) -> Option<ObjectRef<WebhookSchedule>> {
    let name = child.labels().get(SCHEDULE_LABEL)?;
    Some(ObjectRef::new(name).within(&child.namespace()?))
}

/// The schedules of a namespace.
fn in_namespace(schedules: &Store<WebhookSchedule>, namespace: Option<&str>) -> Vec<ObjectRef<WebhookSchedule>> {
    refs(&schedules.state_filter(|schedule| schedule.metadata.namespace.as_deref() == namespace))
}

fn refs(schedules: &[Arc<WebhookSchedule>]) -> Vec<ObjectRef<WebhookSchedule>> {
    schedules.iter().map(|schedule| ObjectRef::from_obj(&**schedule)).collect()
}
