//! Starts the watches, and defines which reconciles a change of each kind triggers.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

use crate::api::{WebhookSchedule, WebhookTier};
use crate::operator::admission::watch::AdmissionWatch;
use crate::operator::cache::api_server::{self, ApiServerStores};
use crate::operator::cache::caches::{Caches, NamespaceMetadata};
use crate::operator::cache::deleted_jobs::DeletedJobs;
use crate::operator::cache::indexed::Indexed;
use crate::operator::cache::load_balancers::LoadBalancers;
use crate::operator::cache::watches::{Watches, config};
use crate::operator::cache::work_queues::WorkQueues;
use crate::operator::cleanup::controller::is_orphan;
use crate::operator::kubernetes::job::{is_early, is_over};
use crate::operator::kubernetes::owner::controller_of;
use crate::operator::metrics::Metrics;
use crate::operator::names::{CANARY_LABEL, SCHEDULE_LABEL, SENDER_CHILDREN};
use crate::operator::preflight::jobs::is_check;
use crate::operator::tier::membership::{Membership, is_news};
use crate::operator::tier::quota::Quotas;

/// The caches that the watches keep up to date.
pub(super) struct Watched {
    pub(super) caches: Caches,
    pub(super) protected: Arc<AdmissionWatch>,
    pub(super) deleted_jobs: Arc<DeletedJobs>,
}

/// Starts every watch. Changes are put into the queues.
pub(super) fn start(watches: &mut Watches, queues: &WorkQueues, quotas: &Arc<Quotas>, metrics: &Metrics) -> Watched {
    let (tiers, namespaces) = (Indexed::default(), Indexed::default());
    let membership = Membership { tiers: tiers.clone(), namespaces: namespaces.clone() };
    let schedules = schedules(watches, queues, quotas, &membership);
    tiers_and_namespaces(watches, queues, &membership, &schedules);
    let deleted_jobs = Arc::<DeletedJobs>::default();
    let (cron_jobs, jobs, pods) = deliveries(watches, queues, &deleted_jobs);
    let (service_accounts, network_policies) = namespace_children(watches, queues, &schedules);
    let api_server = api_server(watches, queues, &schedules);
    let (all, q) = (schedules.clone(), queues.clone());
    let load_balancers = LoadBalancers::watch(watches, metrics.clone(), move || add_all(&q, &all));
    let (all, q, counted) = (schedules.clone(), queues.clone(), metrics.clone());
    let protected = AdmissionWatch::watch(watches, move |protection| {
        counted.protected(protection.in_force());
        add_all(&q, &all);
    });
    let caches = Caches {
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
        unlisted: watches.unlisted.clone(),
    };
    Watched { caches, protected: Arc::new(protected), deleted_jobs }
}

fn schedules(
    watches: &mut Watches,
    queues: &WorkQueues,
    quotas: &Arc<Quotas>,
    membership: &Membership,
) -> Indexed<WebhookSchedule> {
    let (q, quotas, membership) = (queues.clone(), Arc::clone(quotas), membership.clone());
    watches.tenants(move |schedule: &WebhookSchedule, change| {
        let take = if change.is_deleted() { Quotas::remove } else { Quotas::note };
        for other in take(&quotas, schedule, Timestamp::now().as_second()) {
            q.schedules.add(&other);
        }
        q.add_schedule(&ObjectRef::from_obj(schedule));
        if change.before().is_none() {
            add_tiers(&q, membership.tiers_by_schedule(namespace_of(schedule)));
        }
        if change.is_deleted() {
            q.cleanup.add(&ObjectRef::new(namespace_of(schedule)));
        }
    })
}

fn tiers_and_namespaces(
    watches: &mut Watches,
    queues: &WorkQueues,
    membership: &Membership,
    schedules: &Indexed<WebhookSchedule>,
) {
    let (all, of, q) = (schedules.clone(), membership.clone(), queues.clone());
    watches.cluster(membership.tiers.clone(), move |tier: &WebhookTier, change| {
        for schedule in of.concerned(tier, &change, &all) {
            q.schedules.add(&schedule);
        }
        add_tiers(&q, of.tiers_by_tier(tier, &change));
    });
    let (all, of, q) = (schedules.clone(), membership.clone(), queues.clone());
    watches.cluster(membership.namespaces.clone(), move |namespace: &NamespaceMetadata, change| {
        if !is_news(namespace, &change) {
            return;
        }
        let name = namespace.name_any();
        for schedule in all.refs_in_namespace(&name) {
            q.add_schedule(&schedule);
        }
        // The watches may have shown objects of this namespace before the namespace itself.
        q.cleanup.add(&ObjectRef::new(&name));
        add_tiers(&q, of.tiers_by_namespace(namespace, &change));
    });
}

/// The CronJobs, their Jobs, and the Jobs' pods.
fn deliveries(
    watches: &mut Watches,
    queues: &WorkQueues,
    deleted_jobs: &Arc<DeletedJobs>,
) -> (Indexed<CronJob>, Indexed<Job>, Indexed<Pod>) {
    let (q, deleted) = (queues.clone(), Arc::clone(deleted_jobs));
    let cron_jobs = watches.ours(move |cron_job: &CronJob, change| {
        let is_deleted = change.is_deleted();
        // A watch that was interrupted may show another of that name, and no deletion.
        let gone = if is_deleted { Some(cron_job) } else { change.before() };
        if let Some(gone) = gone.filter(|gone| is_deleted || gone.uid() != cron_job.uid()) {
            deleted.forget(&gone.uid().unwrap_or_default());
        }
        if is_deleted || is_orphan(cron_job) {
            q.cleanup.add(&ObjectRef::new(namespace_of(cron_job)));
        }
        // An orphan blocks the schedule of that name until it is deleted.
        if is_deleted || !is_orphan(cron_job) {
            for schedule in owner_of(cron_job).into_iter().chain(schedule_of(cron_job)) {
                q.add_schedule(&schedule);
            }
        }
    });
    let (q, deleted, known) = (queues.clone(), Arc::clone(deleted_jobs), cron_jobs.clone());
    let jobs = watches.ours(move |job: &Job, change| {
        let is_deleted = change.is_deleted();
        if is_deleted {
            deleted.note(job, &known, Timestamp::now().as_second());
        }
        if let Some(schedule) = schedule_of(job) {
            q.schedules.add(&schedule);
            // The Job says when a pod of it is lost.
            if is_deleted || is_over(job) || is_early(job) {
                q.early_jobs.add(&schedule);
            }
            if is_check(job) {
                q.preflight.add(&schedule);
            }
            // A Secret may be mounted no longer.
            if is_deleted || is_over(job) {
                q.signing_keys.add(&schedule);
            }
        }
        if is_canary(job) {
            q.isolation.add(&ObjectRef::new(namespace_of(job)));
        }
        if is_deleted || is_orphan(job) {
            q.cleanup.add(&ObjectRef::new(namespace_of(job)));
        }
    });
    let q = queues.clone();
    let pods = watches.ours(move |pod: &Pod, change| {
        if let Some(schedule) = schedule_of(pod) {
            q.schedules.add(&schedule);
        }
        if is_canary(pod) {
            q.isolation.add(&ObjectRef::new(namespace_of(pod)));
        }
        if change.is_deleted() {
            q.cleanup.add(&ObjectRef::new(namespace_of(pod)));
        }
    });
    (cron_jobs, jobs, pods)
}

/// The senders' accounts, and all network policies.
fn namespace_children(
    watches: &mut Watches,
    queues: &WorkQueues,
    schedules: &Indexed<WebhookSchedule>,
) -> (Indexed<ServiceAccount>, Indexed<NetworkPolicy>) {
    let (all, q) = (schedules.clone(), queues.clone());
    let service_accounts = watches.ours(move |account: &ServiceAccount, _| {
        add_namespace(&q, &all, namespace_of(account));
    });
    let (all, q) = (schedules.clone(), queues.clone());
    let network_policies = watches.tenants(move |policy: &NetworkPolicy, _| {
        if policy.name_any() == SENDER_CHILDREN {
            add_namespace(&q, &all, namespace_of(policy));
        }
        q.isolation.add(&ObjectRef::new(namespace_of(policy)));
    });
    (service_accounts, network_policies)
}

/// Watches where the API server is. A change concerns every schedule.
fn api_server(watches: &mut Watches, queues: &WorkQueues, schedules: &Indexed<WebhookSchedule>) -> ApiServerStores {
    let (all, q) = (schedules.clone(), queues.clone());
    let on_move = move || {
        add_all(&q, &all);
        for namespace in all.namespaces() {
            q.isolation.add(&ObjectRef::new(&namespace));
        }
    };
    let on_slices = on_move.clone();
    let service =
        watches.selected((api_server::NAMESPACE, &config().fields(api_server::SERVICE)), move |new, change| {
            if change.before().is_none_or(|old: &Service| old.spec != new.spec) {
                on_move();
            }
        });
    let slices = watches.selected((api_server::NAMESPACE, &config().labels(api_server::SLICES)), move |new, change| {
        if change.before().is_none_or(|old: &EndpointSlice| old.endpoints != new.endpoints || old.ports != new.ports) {
            on_slices();
        }
    });
    ApiServerStores { service, slices }
}

fn add_all(queues: &WorkQueues, schedules: &Indexed<WebhookSchedule>) {
    for schedule in schedules.refs() {
        queues.schedules.add(&schedule);
    }
}

/// Queues the schedules of a namespace, and the cleanup of objects that belong to none.
fn add_namespace(queues: &WorkQueues, schedules: &Indexed<WebhookSchedule>, namespace: &str) {
    for schedule in schedules.refs_in_namespace(namespace) {
        queues.schedules.add(&schedule);
        queues.preflight.add(&schedule);
    }
    queues.cleanup.add(&ObjectRef::new(namespace));
}

fn add_tiers(queues: &WorkQueues, tiers: impl IntoIterator<Item = String>) {
    for tier in tiers {
        queues.tiers.add(&ObjectRef::new(&tier));
    }
}

fn is_canary(object: &impl ResourceExt) -> bool {
    object.labels().contains_key(CANARY_LABEL)
}

fn namespace_of(object: &impl ResourceExt) -> &str {
    object.meta().namespace.as_deref().unwrap_or_default()
}

/// The schedule that owns a CronJob according to the CronJob's own metadata.
fn owner_of(cron_job: &CronJob) -> Option<ObjectRef<WebhookSchedule>> {
    let owner = controller_of(cron_job).filter(|owner| owner.kind == WebhookSchedule::kind(&()))?;
    Some(ObjectRef::new(&owner.name).within(&cron_job.namespace()?))
}

/// The schedule that a child's label names. The label only wakes it: ownership is decided by UIDs.
fn schedule_of(child: &impl ResourceExt) -> Option<ObjectRef<WebhookSchedule>> {
    let name = child.labels().get(SCHEDULE_LABEL)?;
    Some(ObjectRef::new(name).within(&child.namespace()?))
}
