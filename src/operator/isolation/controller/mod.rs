//! The controller of isolation: makes canaries when they are due, notes their results, and wakes the schedules.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};
use parking_lot::Mutex;

use super::verdict::{CanaryState, IsolationStatus, Phase, ProofInput, canary_state, not_run};
use super::verdicts::{IsolationVerdicts, VerdictChange};
use crate::api::{WebhookSchedule, WebhookScheduleStatus};
use crate::operator::build::canary_job;
use crate::operator::cache::caches::{Caches, NamespaceMetadata};
use crate::operator::cache::unlisted::UNLISTED;
use crate::operator::cache::work_queues::WorkQueues;
use crate::operator::deliveries::run::Run;
use crate::operator::kubernetes::apply::{Applier, ApplyError};
use crate::operator::kubernetes::controller::{Action, Reconcile, requeue_at};
use crate::operator::kubernetes::limiter::bucket::{Allowance, Buckets, Turn};
use crate::operator::kubernetes::limiter::fair::FairLimiter;
use crate::operator::metrics::Metrics;
use crate::operator::names::{CANARY_LABEL, SENDER_CHILDREN};
use crate::operator::settings::Settings;

/// How many canaries run at the same time, however many namespaces want one.
const AT_A_TIME: u16 = 10;

/// How many canaries a namespace may make per hour, and how many at once: what a canary tests changes with what tenants write,
/// and with each first schedule that they make.
const AN_HOUR: u32 = 12;
/// The key of a namespace's canary in the token buckets.
const CANARY: &str = "canary";

/// What every reconcile of isolation shares.
pub(crate) struct IsolationReconciler {
    client: Client,
    settings: Settings,
    caches: Arc<Caches>,
    verdicts: Arc<IsolationVerdicts>,
    limiter: FairLimiter<NetworkPolicy>,
    buckets: Buckets,
    queues: WorkQueues,
    metrics: Metrics,
    /// What was counted last, by namespace: the canary's Job, and the reason of its result.
    counted: Mutex<HashMap<String, (String, &'static str)>>,
}

/// Why a reconcile of isolation has to be retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProveError {
    /// A canary can't be made or deleted.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A canary's probes can't be serialized to JSON.
    #[error("the probes can't be written as JSON: {0}")]
    Build(#[from] serde_json::Error),
}

impl IsolationReconciler {
    pub(crate) fn new(
        client: Client,
        settings: Settings,
        caches: Arc<Caches>,
        verdicts: Arc<IsolationVerdicts>,
        queues: WorkQueues,
        metrics: Metrics,
    ) -> Self {
        let (limiter, buckets, counted) = (FairLimiter::new(AT_A_TIME), Buckets::default(), Mutex::default());
        Self { client, settings, caches, verdicts, limiter, buckets, queues, metrics, counted }
    }

    /// Loads the results of canaries that previous operators made, before any schedule is reconciled.
    pub(crate) fn learn(&self) {
        let now = Timestamp::now().as_second();
        for namespace in self.caches.namespaces.refs() {
            let name = namespace.name;
            if let Some((policy, input)) = self.input(&name) {
                let look = self.canary_state(&name, &policy, &input, now);
                self.verdicts.note(&name, look.verdict, now);
                if let Some((job, verdict)) = look.ended {
                    self.counted.lock().insert(name, (job, verdict.reason));
                }
            }
        }
    }

    /// Counts a canary's result, unless it was counted already.
    fn count(&self, namespace: &str, job: String, verdict: &IsolationStatus) {
        let now = (job, verdict.reason);
        let before = self.counted.lock().insert(namespace.into(), now.clone());
        if before != Some(now) {
            self.metrics.canary_ended(verdict.status, verdict.reason);
        }
    }

    /// The senders' policy of a namespace, if it has one, and what has to be proved about it.
    fn input(&self, namespace: &str) -> Option<(Arc<NetworkPolicy>, ProofInput)> {
        let policy = self.caches.senders_policy(namespace)?;
        let others = self.caches.other_policies(namespace);
        let input = ProofInput::of(policy.spec.as_ref()?, &others, &self.caches.api_server.now(), &self.settings);
        Some((policy, input))
    }

    fn canary_state(&self, namespace: &str, policy: &NetworkPolicy, input: &ProofInput, now: i64) -> CanaryState {
        let uid = policy.uid().unwrap_or_default();
        let mut canaries = Run::all_of(&self.caches, namespace, &uid);
        canaries.retain(|run| run.job.labels().contains_key(CANARY_LABEL));
        canary_state(namespace, &uid, input, canaries, self.settings.isolation, now)
    }

    /// Forgets a namespace without senders.
    fn forget_namespace(&self, namespace: &str) {
        self.verdicts.forget(namespace);
        self.counted.lock().remove(namespace);
        self.buckets.release(namespace, CANARY);
        self.rest(&canary_of(namespace));
    }

    /// When the namespace's token bucket allows the next canary, in Unix seconds. Reserves the token.
    fn turn(&self, namespace: &str, now: i64) -> i64 {
        match self.buckets.reserve(namespace, CANARY, false, Allowance::of_tier(AN_HOUR), now * 1_000) {
            Turn::Now => now,
            Turn::At(at) => at / 1_000 + 1,
        }
    }

    /// Releases the slot of a namespace that needs no canary for now, and wakes the next namespace that waits for one.
    fn rest(&self, canary: &ObjectRef<NetworkPolicy>) {
        if let Some(next) = self.limiter.release(canary) {
            self.queues.isolation.add(&ObjectRef::new(next.namespace.as_deref().unwrap_or_default()));
        }
    }

    /// Makes a canary that is due, when a slot is free, and releases the slot when it isn't needed.
    async fn act(
        &self,
        stage: Phase,
        canary: &ObjectRef<NetworkPolicy>,
        policy: &NetworkPolicy,
        input: &ProofInput,
        now: i64,
    ) -> Result<(), ProveError> {
        match stage {
            Phase::Due(due) if self.limiter.try_acquire(canary) => {
                let to = Applier::new(self.client.clone());
                let job = canary_job((due.job, due.hash), &input.probes, policy, &self.settings)?;
                if let Err(error) = to.start(&job).await {
                    self.rest(canary);
                    return Err(error.into());
                }
                let namespace = canary.namespace.as_deref().unwrap_or_default();
                self.verdicts.canary_made(namespace, now);
                self.buckets.take(namespace, CANARY);
            }
            // Another namespace that releases its slot wakes this one.
            Phase::Due(_) => {}
            Phase::UnderWay => self.limiter.adopt(canary),
            Phase::Holds => self.rest(canary),
        }
        Ok(())
    }

    /// Wakes the accepted schedules of a namespace, so that they report the current verdict. Schedules that aren't accepted
    /// don't report it, and there may be any number of them.
    fn tell(&self, namespace: &str) {
        for schedule in self.caches.schedules.in_namespace(namespace).filter(|schedule| is_accepted(schedule)) {
            self.queues.schedules.add(&ObjectRef::from_obj(&*schedule));
        }
    }
}

/// Whether the status says that a schedule is accepted. The old status is enough: when it changes, another reconcile follows
/// anyway.
fn is_accepted(schedule: &WebhookSchedule) -> bool {
    schedule.status.as_ref().is_some_and(WebhookScheduleStatus::is_accepted)
}

/// The key of a canary in the limiter: the policy that it tests.
fn canary_of(namespace: &str) -> ObjectRef<NetworkPolicy> {
    ObjectRef::new(SENDER_CHILDREN).within(namespace)
}

impl Reconcile for IsolationReconciler {
    type Kind = NamespaceMetadata;
    type Error = ProveError;
    const NAME: &'static str = "isolation";

    /// Keeps finding out whether the senders of a namespace are isolated from the cluster's inside.
    async fn reconcile(&self, namespace: Arc<NamespaceMetadata>) -> Result<Action, ProveError> {
        let name = namespace.name_any();
        if self.caches.unlisted.has(&name) {
            return Ok(Action::requeue(UNLISTED));
        }
        let canary = canary_of(&name);
        let (false, Some((policy, input))) = (self.caches.is_ending(&name), self.input(&name)) else {
            self.forget_namespace(&name);
            return Ok(Action::await_change());
        };
        let now = Timestamp::now().as_second();
        let CanaryState { mut verdict, mut stage, until, obsolete, ended } =
            self.canary_state(&name, &policy, &input, now);
        if let Some((job, verdict)) = ended {
            self.count(&name, job, &verdict);
        }
        let is_due = matches!(stage, Phase::Due(_));
        let next_canary = if is_due { self.verdicts.next_canary(&name).max(self.turn(&name, now)) } else { i64::MIN };
        let waits = is_due && now < next_canary;
        if waits {
            stage = Phase::Holds;
        }
        let acted = self.act(stage, &canary, &policy, &input, now).await;
        if acted.is_err() && verdict.status != "False" {
            verdict = not_run();
        }
        let VerdictChange { is_news, until: reported_at } = self.verdicts.note(&name, verdict, now);
        if is_news {
            self.tell(&name);
        }
        acted?;
        let to = Applier::new(self.client.clone());
        for job in obsolete {
            to.delete(&*job).await?;
        }
        let until = until.into_iter().chain(reported_at).chain(waits.then_some(next_canary)).min();
        Ok(requeue_at(until, now))
    }

    fn forget(&self, namespace: &ObjectRef<NamespaceMetadata>) {
        self.forget_namespace(&namespace.name);
    }
}

#[cfg(test)]
mod tests;
