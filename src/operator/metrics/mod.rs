//! What the operator counts, and who may read it.
//!
//! Labels come from closed lists: they never hold a namespace, schedule or tenant, however many there are. Reconciles write to
//! [`Metrics`]; `scrape` serves it to callers that `access` admits, with a certificate that `certificate` keeps.

pub(crate) mod isolation;
pub(crate) mod keys;
pub(crate) mod labels;
pub(crate) mod queue;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use kube::runtime::reflector::ObjectRef;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::api::{CheckResult, DeliveryStatus, WebhookSchedule};
use crate::delivery::CLOCK_TOLERANCE_SECONDS;
use isolation::Isolated;
use keys::Keys;
use queue::Queue;

/// The longest plausible latency, in seconds: twice the longest timeout of an attempt.
const LONGEST_LATENCY: f64 = 120.0;
/// The longest plausible skew: the longest `startingDeadlineSeconds`, and ten seconds for the pod to start.
const LONGEST_SKEW: SignedDuration = SignedDuration::from_secs(86_400 + 10);
/// How far a sender's clock may be behind that of the control plane; a sender refuses to run when the difference is larger.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(CLOCK_TOLERANCE_SECONDS.cast_signed());

type Label = (&'static str, &'static str);

/// Buckets for the seconds until a receiver has answered, up to the sender's longest timeout.
const LATENCIES: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Buckets for the seconds from a delivery's due time until its sender ran: the spread over the minute, and the wait for the
/// pod.
const SKEWS: [f64; 12] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0];
/// Buckets for the seconds that a reconcile takes: almost none when nothing is written, and up to what an overloaded API server
/// takes.
const RECONCILES: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// The operator's metrics. Clones share the same counters.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Counted>);

#[derive(Debug)]
struct Counted {
    registry: Registry,
    deliveries: Family<[Label; 2], Counter>,
    checks: Family<[Label; 2], Counter>,
    canaries: Family<[Label; 2], Counter>,
    early_jobs: Family<[Label; 1], Counter>,
    lead_enabled: Family<[Label; 1], Gauge>,
    attempts: Counter,
    latency: Histogram,
    skew: Histogram,
    reconciles: Family<[Label; 2], Counter>,
    reconcile_duration: Histogram,
    watch_restarts: Family<[(&'static str, Cow<'static, str>); 1], Counter>,
    queue: Arc<Queue>,
    keys: Arc<Keys>,
    isolated: Arc<Isolated>,
    policies: Family<[Label; 1], Gauge>,
    load_balancers: Gauge,
    load_balancers_left_out: Gauge,
    external_ips: Gauge,
    leader: Gauge,
}

impl Metrics {
    /// Metrics with all counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("postern");
        let latency = Histogram::new(LATENCIES);
        let skew = Histogram::new(SKEWS);
        let reconcile_duration = Histogram::new(RECONCILES);
        let (deliveries, reconciles, watch_restarts) = (Family::default(), Family::default(), Family::default());
        let (checks, canaries, early_jobs) = (Family::default(), Family::default(), Family::default());
        let lead_enabled = Family::<[Label; 1], Gauge>::default();
        let (attempts, leader) = (Counter::<u64, AtomicU64>::default(), Gauge::default());
        let policies = Family::<[Label; 1], Gauge>::default();
        let (load_balancers, load_balancers_left_out, external_ips) =
            (Gauge::default(), Gauge::default(), Gauge::default());
        let (queue, keys, isolated) = (Arc::<Queue>::default(), Arc::<Keys>::default(), Arc::<Isolated>::default());
        // The text format appends `_total` to a counter's name, and `_info` to an info's.
        registry.register("deliveries", "Deliveries that ended", deliveries.clone());
        registry.register("checks", "Checks that ended, or that could not be made", checks.clone());
        registry.register("canaries", "Canaries that ended, or that didn't end in time", canaries.clone());
        let early = "Jobs made early, or that could not be, and those that were withdrawn or not adopted";
        registry.register("early_jobs", early, early_jobs.clone());
        let lead = "1 when Jobs are made early where a tier has a lead, otherwise 0, and why";
        registry.register("lead_enabled", lead, lead_enabled.clone());
        registry.register("delivery_attempts", "Requests that deliveries tried to make", attempts.clone());
        registry.register("delivery_latency_seconds", "How long the last attempt of a delivery took", latency.clone());
        registry.register("delivery_skew_seconds", "How long after its time a delivery's sender ran", skew.clone());
        registry.register("reconciles", "Reconciles that ended", reconciles.clone());
        registry.register("reconcile_duration_seconds", "How long a reconcile took", reconcile_duration.clone());
        registry.register("watch_restarts", "Watches that failed and were restarted", watch_restarts.clone());
        registry.register_collector(Box::new(Arc::clone(&queue)));
        registry.register_collector(Box::new(Arc::clone(&keys)));
        registry.register_collector(Box::new(Arc::clone(&isolated)));
        let in_force = "1 when an admission policy of Postern is in force, otherwise 0";
        registry.register("admission_policy_enforced", in_force, policies.clone());
        let refused = "Addresses of the cluster's load balancers, to which nothing is delivered";
        registry.register("load_balancer_addresses", refused, load_balancers.clone());
        let left_out = "Addresses of load balancers that are not refused, since there are too many";
        registry.register("load_balancers_omitted", left_out, load_balancers_left_out.clone());
        let external = "Services with externalIPs, by which a tenant can draw deliveries into a pod";
        registry.register("external_ip_services", external, external_ips.clone());
        registry.register("leader", "1 when this process leads, otherwise 0", leader.clone());
        registry.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self(Arc::new(Counted {
            registry,
            deliveries,
            checks,
            canaries,
            early_jobs,
            lead_enabled,
            attempts,
            latency,
            skew,
            reconciles,
            reconcile_duration,
            watch_restarts,
            queue,
            keys,
            isolated,
            policies,
            load_balancers,
            load_balancers_left_out,
            external_ips,
            leader,
        }))
    }

    /// Counts a delivery that ended. Call it once for each.
    pub fn delivered(&self, delivery: &DeliveryStatus) {
        let labels = [("outcome", labels::outcome(delivery.outcome)), ("reason", labels::reason(&delivery.reason))];
        self.0.deliveries.get_or_create(&labels).inc();
        self.0.attempts.inc_by(delivery.attempts.into());
        if let Some(latency) = latency(delivery) {
            self.0.latency.observe(latency);
        }
        if let Some(skew) = skew(delivery) {
            self.0.skew.observe(skew);
        }
    }

    /// Counts a check that ended or could not be made. Call it once for each.
    pub fn checked(&self, result: CheckResult, reason: &str) {
        let labels = [("result", labels::result(result)), ("reason", labels::reason(reason))];
        self.0.checks.get_or_create(&labels).inc();
    }

    /// Counts a canary that ended with this status and reason of `EgressIsolated`. Both must be constants. Call it once for
    /// each.
    pub fn canary_ended(&self, status: &'static str, reason: &'static str) {
        self.0.canaries.get_or_create(&[("result", status), ("reason", reason)]).inc();
    }

    /// Counts what became of a Job that was to be made early. The result must be a constant.
    pub(crate) fn early_job(&self, result: &'static str) {
        self.0.early_jobs.get_or_create(&[("result", result)]).inc();
    }

    /// Sets whether Jobs are made early, and why. The reason must be a constant.
    pub(crate) fn lead_enabled(&self, is_enabled: bool, reason: &'static str) {
        self.0.lead_enabled.clear();
        self.0.lead_enabled.get_or_create(&[("reason", reason)]).set(is_enabled.into());
    }

    /// Counts a reconcile that ended, successfully or with an error of this kind: a constant, not a text that contains data.
    pub fn reconciled(&self, error: Option<&'static str>, took: Duration) {
        let result = if error.is_some() { "error" } else { "ok" };
        self.0.reconciles.get_or_create(&[("result", result), ("error", error.unwrap_or_default())]).inc();
        self.0.reconcile_duration.observe(took.as_secs_f64());
    }

    /// Counts a failure of a watch of this kind; the watch is restarted.
    pub fn watch_restarted(&self, kind: impl Into<Cow<'static, str>>) {
        self.0.watch_restarts.get_or_create(&[("kind", kind.into())]).inc();
    }

    /// Sets the function that counts how many schedules wait to be reconciled.
    pub(crate) fn queue_depth(&self, count: impl Fn() -> usize + Send + Sync + 'static) {
        self.0.queue.count_by(count);
    }

    /// Sets when the newest key that Postern made for this schedule began to sign, in Unix seconds; `None` when there is no
    /// such key.
    pub fn key_signs(&self, schedule: &ObjectRef<WebhookSchedule>, since: Option<i64>) {
        self.0.keys.sign(schedule, since);
    }

    /// Sets the function that counts the namespaces in which `EgressIsolated` has a status.
    pub(crate) fn isolated_namespaces(&self, count: impl Fn(&str) -> usize + Send + Sync + 'static) {
        self.0.isolated.count_by(count);
    }

    /// Sets whether each admission policy is in force; pass none when that isn't known.
    pub fn protected(&self, policies: impl Iterator<Item = (&'static str, bool)>) {
        self.0.policies.clear();
        for (policy, in_force) in policies {
            self.0.policies.get_or_create(&[("policy", policy)]).set(in_force.into());
        }
    }

    /// Sets how many addresses of load balancers are refused, and how many are not because the list is full.
    pub fn load_balancers(&self, refused: usize, left_out: usize) {
        self.0.load_balancers.set(count(refused));
        self.0.load_balancers_left_out.set(count(left_out));
    }

    /// Sets how many Services have `externalIPs`.
    pub fn services_with_external_ips(&self, services: usize) {
        self.0.external_ips.set(count(services));
    }

    /// Sets whether this process leads.
    pub fn leads(&self, leads: bool) {
        self.0.leader.set(leads.into());
    }

    /// All metrics in the `OpenMetrics` text format.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

#[cfg(test)]
impl Metrics {
    /// The series with this name, sorted, as they are served.
    pub(crate) fn series(&self, name: &str) -> Vec<String> {
        let text = self.text().unwrap_or_default();
        let mut series: Vec<_> = text.lines().filter(|line| line.starts_with(name)).map(Into::into).collect();
        series.sort();
        series
    }
}

/// How long the last attempt took, in seconds. It is read from a pod's status, so one false report must not outweigh all others
/// in a sum that is never reset.
fn latency(delivery: &DeliveryStatus) -> Option<f64> {
    let seconds = f64::from(delivery.latency_ms?) / 1_000.0;
    (seconds <= LONGEST_LATENCY).then_some(seconds)
}

/// How late a delivery's sender ran, in seconds; bounded like the latency.
fn skew(delivery: &DeliveryStatus) -> Option<f64> {
    let (due, started) = (delivery.scheduled_time.as_ref()?, delivery.started_at.as_ref()?);
    let skew = started.0.duration_since(due.0);
    // Clocks of nodes differ a little; nothing starts before it is due.
    (-CLOCKS_DIFFER..=LONGEST_SKEW).contains(&skew).then(|| skew.as_secs_f64().max(0.0))
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
