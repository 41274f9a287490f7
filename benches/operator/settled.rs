//! What Postern takes once all schedules are there: memory, restarts, rest, and a tier's change.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use postern_e2e::{OPERATOR, Request};
use rustix::process::Signal;
use serde_json::json;

use crate::contender::Running;
use crate::converge::between;
use crate::installed::Installed;
use crate::process::{self, Memory};
use crate::schedules::{Layout, schedule};

/// How long the operator is watched while nothing happens.
const REST: Duration = Duration::from_mins(10);

pub(crate) struct Settled {
    /// After the schedules were made while it ran.
    pub(crate) memory: Memory,
    /// A start after it was told to end, and one after it was killed.
    pub(crate) restarts: [Restart; 2],
    pub(crate) rest: Option<Rest>,
    pub(crate) tier: Option<TierChange>,
}

pub(crate) struct Restart {
    /// From its start until it leads.
    pub(crate) leads: Duration,
    /// Once it has nothing to do.
    pub(crate) memory: Memory,
    /// What it wrote, except for the Lease.
    pub(crate) writes: usize,
}

pub(crate) struct Rest {
    pub(crate) cpu: Duration,
    /// All its requests except for watches and the Lease.
    pub(crate) requests: usize,
}

pub(crate) struct TierChange {
    /// How many CronJobs it concerns.
    pub(crate) concerned: usize,
    /// From the change until the last of these CronJobs was written.
    pub(crate) in_effect: Duration,
    /// From the POST of a schedule, a second after the change, until its status was written.
    pub(crate) meanwhile: Duration,
}

/// Measures with the operator that made them all, and ends it.
pub(crate) async fn measure(on: &Installed, layout: Layout, running: Running) -> Settled {
    process::rest(running.pid()).await;
    let memory = process::memory(running.pid());
    let (gracefully, running) = restart(on, running, Signal::TERM).await;
    let (killed, running) = restart(on, running, Signal::KILL).await;
    let (rest, tier) = if layout.namespaces == 1 {
        (Some(rest(on, &running).await), None)
    } else {
        (None, Some(change_tier(on, &running).await))
    };
    running.end(Signal::TERM).await;
    Settled { memory, restarts: [gracefully, killed], rest, tier }
}

async fn restart(on: &Installed, running: Running, signal: Signal) -> (Restart, Running) {
    running.end(signal).await;
    let (began, since) = (Instant::now(), on.cluster.audit_log_length());
    let running = Running::postern(on).await;
    let leads = began.elapsed();
    process::rest(running.pid()).await;
    let writes = writes(on, since).count();
    (Restart { leads, memory: process::memory(running.pid()), writes }, running)
}

async fn rest(on: &Installed, running: &Running) -> Rest {
    let (before, since) = (process::cpu(running.pid()), on.cluster.audit_log_length());
    tokio::time::sleep(REST).await;
    let requests = on.cluster.requests_of(OPERATOR, since);
    let counted = requests.iter().filter(|request| !request.is_lease() && request.verb != "watch");
    Rest { cpu: process::cpu(running.pid()).saturating_sub(before), requests: counted.count() }
}

/// Changes the tier of every second namespace, and makes a schedule in the first, which is in another tier.
async fn change_tier(on: &Installed, running: &Running) -> TierChange {
    let (namespace, _) = Layout::first();
    let (since, changed) = (on.cluster.audit_log_length(), Timestamp::now());
    on.cluster.change_tier("changing", json!({"allowedCIDRs": ["198.51.100.0/25"]})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let made = Timestamp::now();
    on.api(&namespace).create(&PostParams::default(), &schedule("meanwhile", "@yearly")).await.unwrap();
    process::rest(running.pid()).await;
    let all: Vec<Request> = writes(on, since).collect();
    let written = all.iter().filter(|request| request.resource == "cronjobs" && request.verb == "update");
    let at = |request: &Request| request.answered.parse::<Timestamp>().unwrap();
    let of_new =
        all.iter().find(|request| request.resource == "webhookschedules/status" && request.name == "meanwhile");
    TierChange {
        concerned: written.clone().count(),
        in_effect: between(changed, written.map(at).max().unwrap_or(changed)),
        meanwhile: between(made, of_new.map(at).unwrap()),
    }
}

/// What the operator has written since, except for the Lease.
fn writes(on: &Installed, since: u64) -> impl Iterator<Item = Request> {
    let requests = on.cluster.requests_of(OPERATOR, since);
    requests.into_iter().filter(|request| request.writes() && !request.is_lease())
}
