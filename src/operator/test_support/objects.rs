//! The schedule, tier and settings that the tests of the pure steps start from, as users write them.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use serde_json::{Value, json};

use crate::api::{WebhookSchedule, WebhookTier};
use crate::delivery::{self, Outcome, OutcomeClass, Reason};
use crate::operator::admission::status::AdmissionStatus;
use crate::operator::admission::watch::AdmissionWatch;
use crate::operator::cache::api_server::ApiServerStores;
use crate::operator::cache::caches::Caches;
use crate::operator::cache::indexed::Indexed;
use crate::operator::cache::load_balancers::LoadBalancers;
use crate::operator::cache::own_addresses::OwnAddresses;
use crate::operator::cache::unlisted::Unlisted;
use crate::operator::cache::work_queues::WorkQueues;
use crate::operator::deliveries::history::DeliveryHistory;
use crate::operator::deliveries::run::Run;
use crate::operator::isolation::verdict::IsolationStatus;
use crate::operator::kubernetes::apply::Applier;
use crate::operator::kubernetes::consistency::ConsistencyStore;
use crate::operator::kubernetes::limiter::bucket::Buckets;
use crate::operator::kubernetes::limiter::fair::FairLimiter;
use crate::operator::metrics::Metrics;
use crate::operator::preflight::controller::PreflightReconciler;
use crate::operator::preflight::obstacles::CheckObstacles;
use crate::operator::schedule::assess::assess;
use crate::operator::schedule::context::ScheduleReconciler;
use crate::operator::schedule::observe::ObservedState;
use crate::operator::settings::{Isolation, Settings};
use crate::operator::signing_keys::backoff::RotationBackoff;
use crate::operator::signing_keys::controller::SigningKeyReconciler;
use crate::operator::signing_keys::revocations::FollowedRevocations;
use crate::operator::tier::membership::Membership;
use crate::operator::tier::quota::ledger::Ledger;
use crate::operator::tier::quota::{QuotaUsage, Quotas};
use crate::operator::validate::{Refusal, ValidatedSchedule, validate};

fn read<T: serde::de::DeserializeOwned>(yaml: &str) -> T {
    serde_saphyr::from_str(yaml).unwrap()
}

pub(crate) fn settings() -> Settings {
    read(include_str!("data/settings.yaml"))
}

pub(crate) fn tier() -> WebhookTier {
    read(include_str!("data/tier.yaml"))
}

pub(crate) fn schedule() -> WebhookSchedule {
    read(include_str!("data/schedule.yaml"))
}

/// What watches show of a new schedule: itself and its tier.
pub(crate) fn caches(schedule: &WebhookSchedule) -> Caches {
    let mut tier = tier();
    tier.spec.default = true;
    Caches {
        schedules: Indexed::of(vec![schedule.clone()]),
        tiers: Indexed::of(vec![tier]),
        namespaces: Indexed::of(Vec::new()),
        cron_jobs: Indexed::of(Vec::new()),
        service_accounts: Indexed::of(Vec::new()),
        network_policies: Indexed::of(Vec::new()),
        jobs: Indexed::of(Vec::new()),
        pods: Indexed::of(Vec::new()),
        api_server: ApiServerStores { service: Indexed::of(Vec::new()), slices: Indexed::of(Vec::new()) },
        load_balancers: LoadBalancers::none(),
        unlisted: Unlisted::default(),
    }
}

/// The controllers of an operator that has just started, whose watches show this; it makes one check at a time.
pub(crate) struct Controllers {
    pub(crate) schedules: ScheduleReconciler,
    pub(crate) signing_keys: SigningKeyReconciler,
    pub(crate) preflight: PreflightReconciler,
}

impl Controllers {
    pub(crate) fn new(client: Client, caches: Caches, settings: &Settings, now: Timestamp) -> Self {
        let (caches, quotas) = (Arc::new(caches), Arc::new(Quotas::default()));
        for schedule in caches.schedules.all() {
            quotas.note(&schedule, now.as_second());
        }
        let membership = membership(&caches);
        let recorder = Recorder::new(client.clone(), Reporter { controller: "postern".into(), instance: None });
        let (metrics, queues, consistency) =
            (Metrics::new(), WorkQueues::default(), Arc::<ConsistencyStore>::default());
        let revocations = Arc::<FollowedRevocations>::default();
        let (obstacles, key_backoff) = (Arc::<CheckObstacles>::default(), Arc::<RotationBackoff>::default());
        Self {
            signing_keys: SigningKeyReconciler {
                client: client.clone(),
                caches: Arc::clone(&caches),
                consistency: Arc::clone(&consistency),
                backoff: Arc::clone(&key_backoff),
                revocations: Arc::clone(&revocations),
                queues: queues.clone(),
                recorder: recorder.clone(),
                metrics: metrics.clone(),
            },
            preflight: PreflightReconciler {
                client: client.clone(),
                settings: settings.clone(),
                caches: Arc::clone(&caches),
                membership: membership.clone(),
                quotas: Arc::clone(&quotas),
                obstacles: Arc::clone(&obstacles),
                queues: queues.clone(),
                consistency: Arc::clone(&consistency),
                limiter: FairLimiter::new(1),
                buckets: Buckets::default(),
            },
            schedules: ScheduleReconciler {
                settings: settings.clone(),
                recorder,
                metrics,
                caches,
                membership,
                deleted_jobs: Arc::default(),
                consistency,
                ledger: Arc::new(Ledger::new(client.clone(), "postern-system", Arc::clone(&quotas))),
                quotas,
                verdicts: Arc::default(),
                protected: Arc::new(AdmissionWatch::unknown()),
                obstacles,
                key_backoff,
                revocations,
                queues: queues.clone(),
                applier: Applier::new(client.clone()),
                client,
            },
        }
    }
}

/// The tiers and namespaces in these caches.
pub(crate) fn membership(caches: &Caches) -> Membership {
    Membership { tiers: caches.tiers.clone(), namespaces: caches.namespaces.clone() }
}

/// When the first sender at [`minute`] 0 says that it started.
const STARTED: u64 = 1_800_000_001;

/// The schedule with part of its spec replaced (RFC 7386, so `null` removes a field), validated.
#[expect(clippy::needless_pass_by_value, reason = "tests write the change where they call it")]
pub(crate) fn valid_with(change: Value) -> Result<ValidatedSchedule, Refusal> {
    let mut schedule: Value = read(include_str!("data/schedule.yaml"));
    merge(&mut schedule, json!({"spec": change}));
    valid_as(&serde_json::from_value(schedule).unwrap())
}

/// What is validated of a schedule that is alone in its namespace.
///
/// # Errors
/// Why it is refused.
pub(crate) fn valid_as(schedule: &WebhookSchedule) -> Result<ValidatedSchedule, Refusal> {
    validate(schedule, &tier(), &share_of(schedule), &OwnAddresses::default(), &settings(), minute(0).as_second())
}

/// The quota usage of a schedule that is alone in its namespace.
pub(crate) fn share_of(schedule: &WebhookSchedule) -> QuotaUsage {
    let (quotas, now) = (Quotas::default(), minute(0).as_second());
    quotas.note(schedule, now);
    quotas.recomputed(schedule, (&tier().spec).into(), now).unwrap()
}

fn merge(target: &mut Value, change: Value) {
    match (target, change) {
        (Value::Object(target), Value::Object(change)) => {
            for (name, value) in change {
                if value.is_null() {
                    target.remove(&name);
                } else {
                    merge(target.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (target, change) => *target = change,
    }
}

/// 2027-01-15T08:00:00Z plus this many minutes.
pub(crate) fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
}

/// All that exists for a schedule with these runs.
pub(crate) fn found(runs: Vec<Run>) -> ObservedState {
    let cron_job = Some(Arc::new(cron_job(json!({}))));
    let share = QuotaUsage { room_at: Some(0), ..QuotaUsage::default() };
    ObservedState {
        tier: Ok(Arc::new(tier())),
        share,
        cron_job,
        left_over: None,
        service_account: None,
        network_policy: None,
        own_addresses: OwnAddresses::default(),
        isolation: IsolationStatus::unknown(Isolation::Warn),
        protection: AdmissionStatus::Unreadable,
        key_error: None,
        runs,
        checks: Vec::new(),
    }
}

/// The delivery history of a schedule with this observed state.
pub(crate) fn history(
    schedule: &WebhookSchedule,
    found: &ObservedState,
    valid: Option<&ValidatedSchedule>,
    now: Timestamp,
) -> DeliveryHistory {
    assess(schedule, found, valid, now).history
}

/// The schedule's CronJob, made an hour before the first minute, with this status.
#[expect(clippy::needless_pass_by_value, reason = "tests write the status where they call it")]
pub(crate) fn cron_job(status: Value) -> CronJob {
    let spec = json!({"schedule": "* * * * *", "jobTemplate": {}});
    serde_json::from_value(json!({"metadata": {"creationTimestamp": minute(-60)}, "spec": spec, "status": status}))
        .unwrap()
}

/// A Job of the schedule that was due at this minute, with this status, and pods with these statuses.
#[expect(clippy::needless_pass_by_value, reason = "tests write the status where they call it")]
pub(crate) fn run(due: i64, job: Value, pods: Vec<Value>) -> Run {
    let name = format!("postern-nightly-report-{}", 30_000_000 + due);
    let metadata =
        json!({"name": name, "creationTimestamp": minute(due), "annotations": {"postern.dev/generation": "1"}});
    let job = json!({"metadata": metadata, "status": job});
    let pod = |(number, status): (usize, Value)| {
        let created = minute(due) + k8s_openapi::jiff::SignedDuration::from_secs(i64::try_from(number).unwrap());
        Arc::new(serde_json::from_value(json!({"metadata": {"creationTimestamp": created}, "status": status})).unwrap())
    };
    Run {
        job: Arc::new(serde_json::from_value(job).unwrap()),
        is_deleted: false,
        pods: pods.into_iter().enumerate().map(pod).collect(),
    }
}

/// The status of a Job that is over.
pub(crate) fn over() -> Value {
    json!({"conditions": [{"type": "Failed", "status": "True"}]})
}

/// The status of a pod whose sender reported this when it ended.
pub(crate) fn said(outcome: OutcomeClass, reason: Reason) -> Value {
    let mut message = Outcome::begun(delivery::Timestamp::from_unix(STARTED).unwrap());
    message.conclude(outcome, reason, "what to do".into());
    message.attempt_count = u32::from(outcome != OutcomeClass::Refused);
    terminated(json!({"exitCode": outcome.exit_code(), "message": message.to_json()}))
}

/// The status of a pod whose container ended with this state.
#[expect(clippy::needless_pass_by_value, reason = "tests write the state where they call it")]
pub(crate) fn terminated(state: Value) -> Value {
    json!({"phase": "Failed", "containerStatuses": [{
        "name": "sender", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": state},
    }]})
}

/// A run that was due at this minute and ended with this outcome.
pub(crate) fn ended(due: i64, outcome: OutcomeClass, reason: Reason) -> Run {
    run(due, over(), vec![said(outcome, reason)])
}
