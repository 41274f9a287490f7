//! One delivery, from the files of the pod to its outcome.
//!
//! [`run`] is the whole of it: read the files, refuse or prepare, make attempts until one decides, report what happened. A sender
//! that was started early does as much of it as it can before the delivery is due (`early`). A check takes the same steps, up to
//! where an attempt would connect. [`explore`] is for canaries. `egress` decides where a request may go, and `signing` how it is
//! signed; nothing here knows about Kubernetes.
//!
//! The URL, the keys, the headers' values and the body are secrets: they are read into `files::Secret`, which can't be printed,
//! and messages are built only from values that aren't secret.

mod args;
mod attempt;
mod attempts;
mod backoff;
mod connect;
mod early;
mod exchange;
mod failure;
mod files;
mod isolation;
mod log;
mod occasion;
mod pem;
mod placeholders;
mod prepare;
mod refusal;
mod report;
mod request;
mod response;
mod retry_after;
mod tls;
mod tls_failure;

use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};
use tracing::field::display;

use crate::delivery::{ATTEMPTS, Backoff, Delivery, Findings, Outcome, OutcomeClass, Retries, Timestamp};
use attempt::Opened;
use files::Root;
use isolation::ENFORCED_WITHIN;
use occasion::Occasion;
use prepare::Prepared;
use refusal::Refusal;

pub use args::{Args, Command, Purpose, Task, UsageError};
pub use log::install as log_to_stderr;
pub use report::report;

/// A check ends within this time, even while a name isn't resolved: somebody waits for it.
const CHECKED_WITHIN: Duration = Duration::from_secs(20);
/// The waits between a check's look-ups.
const LOOKED_UP_AGAIN: Backoff = Backoff { min_seconds: 1, max_seconds: 5 };

/// Makes one delivery from the folder `root`, or only judges it, and returns what happened. SIGTERM and SIGINT end it at once.
///
/// # Errors
/// When the system doesn't let a signal handler be installed.
pub async fn run(root: &Path, purpose: Purpose) -> std::io::Result<Outcome> {
    let mut stop = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    let root = Root::new(root);
    let mut outcome = Outcome::begun(Timestamp::of(SystemTime::now()));
    tokio::select! {
        biased;
        () = told_to_stop(&mut stop) => {
            stop_delivering(&outcome);
        }
        () = deliver(&root, purpose, &mut outcome) => {}
    }
    Ok(outcome)
}

/// Tries to reach what the folder's `probes.json` names, and returns what it reached.
///
/// # Errors
/// When the file can't be read.
pub async fn explore(root: &Path) -> std::io::Result<Findings> {
    let probes = Root::new(root).probes()?;
    let findings = isolation::explore(&probes, ENFORCED_WITHIN).await;
    tracing::info!(open = findings.open, reached = findings.reached_count, "tried all addresses that must be closed");
    Ok(findings)
}

/// Makes an outcome that isn't concluded say that the delivery was interrupted. A concluded outcome stays as it is.
fn stop_delivering(outcome: &Outcome) {
    let (id, reason) = (outcome.id.as_ref().map(display), outcome.reason);
    tracing::warn!(delivery = id, %reason, "received the signal to stop");
}

async fn deliver(root: &Root, purpose: Purpose, outcome: &mut Outcome) {
    let result = match purpose {
        Purpose::Deliver => try_to_deliver(root, outcome).await,
        Purpose::Check => check(root, outcome).await,
    };
    if let Err(Refusal { reason, detail }) = result {
        tracing::error!(delivery = outcome.id.as_ref().map(display), %reason, detail, "refused");
        outcome.conclude(OutcomeClass::Refused, reason, detail);
    }
}

async fn try_to_deliver(root: &Root, outcome: &mut Outcome) -> Result<(), Refusal> {
    let delivery = root.delivery()?;

    let occasion = Occasion::of(&delivery, root, outcome.started_at)?;
    outcome.id = Some(occasion.id.clone());
    outcome.scheduled_time = Some(occasion.scheduled_time);
    let due = occasion.due;

    let is_early = occasion.is_early(SystemTime::now());
    let ready = if is_early { get_ready(&delivery, &occasion, root, outcome).await } else { None };

    let deadline = Instant::now() + Duration::from_secs(delivery.retries.total_deadline_seconds.into());
    let (prepared, opened) = match ready {
        Some(ready) => ready,
        None => (prepare_isolated(delivery, occasion, root, deadline, outcome).await?, None),
    };
    // The offset within the minute may end after the deadline, and the clock may have been set back.
    let _ = timeout_at(deadline, early::until(due)).await;
    attempts::run(&prepared, Purpose::Deliver, opened, deadline, outcome).await;
    tell_what_is_left_out(&prepared, outcome);
    Ok(())
}

/// Uses the time until the delivery is due, and returns what is ready by then. `None` when anything is wrong: then all is read
/// and judged again, since it may have been put right.
async fn get_ready(
    delivery: &Delivery,
    occasion: &Occasion,
    root: &Root,
    outcome: &mut Outcome,
) -> Option<(Prepared, Option<Opened>)> {
    let due = occasion.due;
    let left = due.duration_since(SystemTime::now()).unwrap_or_default();
    let ready = match prepare_isolated(delivery.clone(), occasion.clone(), root, Instant::now() + left, outcome).await {
        Ok(prepared) => {
            let opened = early::connection(&prepared, due).await;
            Some((prepared, opened))
        }
        Err(Refusal { reason, detail }) => {
            tracing::info!(delivery = %occasion.id, %reason, detail, "not ready; tried again when the delivery is due");
            None
        }
    };
    early::until(due).await;
    outcome.started_at = Timestamp::of(SystemTime::now());
    ready
}

/// Prepares, and waits until nothing can be reached any more that must be closed, by the deadline at the latest.
async fn prepare_isolated(
    delivery: Delivery,
    occasion: Occasion,
    root: &Root,
    deadline: Instant,
    outcome: &mut Outcome,
) -> Result<Prepared, Refusal> {
    let known_closed = delivery.known_closed.clone();
    let prepared = prepare(delivery, occasion, root, outcome)?;
    let left = deadline.saturating_duration_since(Instant::now());
    isolation::enforced(&known_closed, ENFORCED_WITHIN.min(left)).await?;
    Ok(prepared)
}

/// A check is not a delivery: it has no id and no scheduled time, and may run at any time.
async fn check(root: &Root, outcome: &mut Outcome) -> Result<(), Refusal> {
    let deadline = Instant::now() + CHECKED_WITHIN;
    let delivery = root.delivery()?;
    let occasion = Occasion::of_check(&delivery, outcome.started_at);
    let mut prepared = prepare(delivery, occasion, root, outcome)?;
    // The schedule's own number of attempts is meant for its receiver: with a single attempt, one lost answer would refuse the
    // check.
    prepared.retries = Retries { attempts: *ATTEMPTS.end(), backoff: LOOKED_UP_AGAIN, ..prepared.retries };
    attempts::run(&prepared, Purpose::Check, None, deadline, outcome).await;
    tell_what_is_left_out(&prepared, outcome);
    Ok(())
}

fn prepare(delivery: Delivery, occasion: Occasion, root: &Root, outcome: &mut Outcome) -> Result<Prepared, Refusal> {
    let prepared = Prepared::new(delivery, occasion, root, outcome.started_at)?;
    outcome.target = Some(prepared.target.masked());
    outcome.key_fingerprints = prepared.fingerprints();
    Ok(prepared)
}

/// Certificates that are left out may be why the delivery failed, or why the next one will.
fn tell_what_is_left_out(prepared: &Prepared, outcome: &mut Outcome) {
    if !prepared.left_out.is_empty() {
        tracing::warn!(left_out = prepared.left_out, "a part of the CA bundle can't be used");
        let separator = if outcome.detail.is_empty() { "" } else { "; " };
        outcome.detail.push_str(separator);
        outcome.detail.push_str(&prepared.left_out);
    }
}

async fn told_to_stop([terminate, interrupt]: &mut [Signal; 2]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
