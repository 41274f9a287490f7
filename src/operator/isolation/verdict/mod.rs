//! Whether a namespace's senders are isolated from the cluster's inside, and when a canary has to test it. Pure.
//!
//! A canary is a Job that is owned by the namespace's NetworkPolicy: a pod with the sender's image, labels and account that
//! holds no secret and tries to connect to addresses that must be closed. Its findings stay in its pod until the next canary
//! has ended, so an operator that starts knows what the previous one learned.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use kube::ResourceExt;
use serde_json::json;

use super::policy_reach::EgressPolicy;
use super::probes;
use crate::delivery::{Findings, Place, Probes};
use crate::operator::cache::api_server::ApiServer;
use crate::operator::deliveries::outcome::message;
use crate::operator::deliveries::run::Run;
use crate::operator::kubernetes::digest::number_of;
use crate::operator::kubernetes::job::{is_over, made_at, over_at};
use crate::operator::kubernetes::text::named;
use crate::operator::names;
use crate::operator::settings::{Isolation, OperatorAddresses, Settings};

/// How long a proof holds, in seconds, and how much longer it may hold in a namespace, so that not all canaries run at once.
const HOLDS: i64 = 3_600;
const SPREAD: u64 = 600;
/// How soon another canary is tried after one proved nothing, or that something is open, in seconds.
const TRIED_AGAIN: i64 = 60;
/// How long a canary may take to begin and end before it is reported as not ending, in seconds.
const ENDS_WITHIN: i64 = 150;
/// How much later than the Job's end the pod's message may arrive, since another watch shows it, in seconds.
const SAID_WITHIN: i64 = 10;

/// Whether senders are isolated from the cluster's inside: a condition's status, reason and message. It changes only when the
/// facts change, and its length is bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolationStatus {
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// The reason, in CamelCase.
    pub reason: &'static str,
    /// What was reached, or what to do.
    pub message: String,
}

impl IsolationStatus {
    pub(super) fn new(status: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into() }
    }

    /// Whether deliveries may go out where a proof is required.
    pub(crate) fn is_proof(&self) -> bool {
        self.status == "True"
    }

    /// The verdict for a namespace about which nothing is known yet.
    pub(crate) fn unknown(mode: Isolation) -> Self {
        match mode {
            Isolation::Unchecked => Self::new(
                "Unknown",
                "NotChecked",
                "the admin has set egress.isolation to Unchecked, so no canary pod checks this",
            ),
            Isolation::Warn | Isolation::Require => {
                let message =
                    "a canary pod, which is like a sender's, is about to try addresses that must be closed to it";
                Self::new("Unknown", "Checking", message)
            }
        }
    }
}

/// What a proof is about: when any of it changes, another proof is due.
pub(crate) struct ProofInput {
    /// What a canary tries.
    pub(crate) probes: Probes,
    /// The hash of all of it.
    hash: String,
    /// Policies of others that open something that must be closed, by name.
    widened_by: Vec<String>,
}

impl ProofInput {
    /// `policy` is the senders' own policy, `others` are the namespace's other policies.
    pub(crate) fn of(
        policy: &NetworkPolicySpec,
        others: &[Arc<NetworkPolicy>],
        api_server: &ApiServer,
        settings: &Settings,
    ) -> Self {
        let own = EgressPolicy::of(policy);
        let widening = others.iter().filter(|other| own.is_widened_by(other));
        let mut wider: Vec<_> = widening.map(|other| (other.name_any(), json!(other.spec).to_string())).collect();
        wider.sort();
        // The hash leaves out the operator's own addresses: they have no influence on the policies.
        let elsewhere = probes::probes(&own, api_server, settings, &OperatorAddresses::default());
        let about = json!([policy, wider, elsewhere, settings.sender.image]);
        Self {
            probes: probes::probes(&own, api_server, settings, &settings.here),
            hash: format!("{:016x}", number_of(&format!("postern.dev/canary\n{about}"))),
            widened_by: wider.into_iter().map(|(name, _)| name).collect(),
        }
    }

    fn is_of(&self, job: &Job) -> bool {
        job.annotations().get(names::CANARY_ANNOTATION) == Some(&self.hash)
    }
}

/// What to do about a namespace's canary.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The verdict holds until a time.
    Holds,
    /// A canary has to be made.
    Due(Canary),
    /// A canary is under way.
    UnderWay,
}

/// A canary that has to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// The name of its Job.
    pub job: String,
    /// The hash of what it tests.
    pub hash: String,
}

/// The state of a namespace's proof.
pub(crate) struct CanaryState {
    pub(crate) verdict: IsolationStatus,
    pub(crate) stage: Phase,
    /// When to requeue, if nothing happens before.
    pub(crate) until: Option<i64>,
    /// Jobs that are no longer needed.
    pub(crate) obsolete: Vec<Arc<Job>>,
    /// The name of the Job of the last canary that ended, or didn't end in time, and the verdict from this canary alone.
    pub(crate) ended: Option<(String, IsolationStatus)>,
}

/// The state of a namespace's canaries, those that belong to the policy with this UID.
pub(crate) fn canary_state(
    namespace: &str,
    policy_uid: &str,
    input: &ProofInput,
    mut runs: Vec<Run>,
    mode: Isolation,
    now: i64,
) -> CanaryState {
    runs.sort_by_key(|run| std::cmp::Reverse((made_at(&run.job), run.job.name_any())));
    let latest = runs.first().map(|run| run.job.uid().unwrap_or_default()).unwrap_or_default();
    let (of_it, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| input.is_of(&run.job));
    let (ended, under_way): (Vec<_>, Vec<_>) = of_it.into_iter().partition(|run| has_ended(run, now));
    let (verdict, stage) = (IsolationStatus::unknown(mode), Phase::Holds);
    let mut look = CanaryState { verdict, stage, until: None, obsolete: vec![], ended: None };
    if mode == Isolation::Unchecked {
        look.obsolete = jobs(others.iter().chain(&ended).chain(&under_way));
        return widened_or(look, input);
    }
    look.obsolete = jobs(others.iter().chain(ended.iter().skip(1)));

    let last = ended.first().map(|run| (over_at(&run.job).unwrap_or(now), judge(input, findings(run).as_ref())));
    if let Some((_, verdict)) = &last {
        look.verdict = verdict.clone();
        look.ended = ended.first().map(|run| (run.job.name_any(), verdict.clone()));
    }
    let name = || {
        let of = format!("postern.dev/canary\n{policy_uid}\n{}\n{latest}", input.hash);
        Canary { job: names::canary_job(number_of(&of)), hash: input.hash.clone() }
    };
    let holds = |verdict: &IsolationStatus| {
        let spread = number_of(&format!("postern.dev/canary\n{namespace}")) % SPREAD;
        if verdict.is_proof() { HOLDS + i64::try_from(spread).unwrap_or_default() } else { TRIED_AGAIN }
    };
    match (under_way.first(), &last) {
        (Some(run), _) => {
            let until = made_at(&run.job).unwrap_or(now) + ENDS_WITHIN;
            if now < until {
                look.stage = Phase::UnderWay;
                look.until = Some(until.min(over_at(&run.job).map_or(until, |over| over + SAID_WITHIN)));
            } else {
                look.verdict = not_run();
                look.ended = Some((run.job.name_any(), not_run()));
            }
        }
        (None, Some((over, verdict))) if now < over + holds(verdict) => look.until = Some(over + holds(verdict)),
        (None, _) => look.stage = Phase::Due(name()),
    }
    widened_or(look, input)
}

/// A problem that can be seen without a canary takes precedence.
fn widened_or(look: CanaryState, input: &ProofInput) -> CanaryState {
    if input.widened_by.is_empty() { look } else { CanaryState { verdict: widened(&input.widened_by), ..look } }
}

fn jobs<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<Arc<Job>> {
    runs.map(|run| run.job.clone()).collect()
}

/// Whether a canary is over, and its pod's message has arrived or is overdue.
fn has_ended(run: &Run, now: i64) -> bool {
    is_over(&run.job) && (findings(run).is_some() || over_at(&run.job).is_none_or(|over| now >= over + SAID_WITHIN))
}

fn findings(run: &Run) -> Option<Findings> {
    run.pods.iter().filter_map(|pod| message(pod)).find_map(|message| Findings::parse(message.as_bytes()).ok())
}

fn judge(input: &ProofInput, found: Option<&Findings>) -> IsolationStatus {
    let Some(found) = found else { return not_run() };
    if found.reached_count > 0 {
        let named: Vec<_> =
            found.reached.iter().map(|probe| format!("{} ({})", probe.address, probe.place.describe())).collect();
        let more = usize::try_from(found.reached_count).unwrap_or(usize::MAX).saturating_sub(named.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!(
            "a canary pod reached addresses that the NetworkPolicy postern-sender closes: {}{more}. Ask your admin \
             whether a NetworkPolicy engine runs on every node",
            named.join(", ")
        );
        return IsolationStatus::new("False", "InternalReachable", message);
    }
    if !found.open {
        let message = "a canary pod reached nothing at all, not even a name server, so nothing is proved: ask your \
            admin to compare nameServers and nameServerPods with the cluster's DNS";
        return IsolationStatus::new("Unknown", "NameServersUnreachable", message);
    }
    if !input.probes.closed.iter().any(|probe| probe.place == Place::ApiServer) {
        let message = "a canary pod has nothing to try: the tier lets senders reach the API server, and no other \
            closed address is known to listen";
        return IsolationStatus::new("Unknown", "NothingToProveItBy", message);
    }
    let late = match found.enforced_after_ms {
        Some(_) => ". For a moment after its start it could reach some: the NetworkPolicy engine is late with new pods",
        None => "",
    };
    let message = format!(
        "a canary pod reached a name server and none of {} addresses inside the cluster, including the API \
         server's{late}",
        input.probes.closed.len()
    );
    IsolationStatus::new("True", if late.is_empty() { "Proved" } else { "ProvedLate" }, message)
}

/// The verdict for a canary that could not run, or whose message never arrived.
pub(crate) fn not_run() -> IsolationStatus {
    let message = "the canary pod could not run, or could not say what it found: see kubectl get jobs -l \
                   postern.dev/canary=true, and the namespace's ResourceQuotas";
    IsolationStatus::new("Unknown", "CanaryNotRun", message)
}

fn widened(by: &[String]) -> IsolationStatus {
    let message = format!(
        "NetworkPolicy {} lets senders reach addresses that postern-sender closes, since NetworkPolicies add up: \
         exclude senders in its podSelector (postern.dev/role NotIn [sender]), or open no internal addresses in it",
        named(by)
    );
    IsolationStatus::new("False", "ForeignPolicy", message)
}

#[cfg(test)]
mod tests;
