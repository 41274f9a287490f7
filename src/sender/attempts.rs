//! Attempts, until the receiver has taken the delivery, another attempt would not help, or the time is up.

use std::time::Duration;

use tokio::time::Instant;

use super::args::Purpose;
use super::attempt::{Opened, Trace, attempt, check, milliseconds};
use super::backoff::{backoff, wait};
use super::failure::{Failure, Next};
use super::prepare::Prepared;
use crate::delivery::{Attempt, Outcome, OutcomeClass, Reason};

/// Makes attempts until the delivery is concluded or the deadline has passed, and records in the outcome what happened. The first
/// attempt uses the connection that is already open, if there is one.
pub(super) async fn run(
    prepared: &Prepared,
    purpose: Purpose,
    mut opened: Option<Opened>,
    deadline: Instant,
    outcome: &mut Outcome,
) {
    let timeout = Duration::from_secs(prepared.retries.timeout_seconds.into());
    // The delivery may have been due after the deadline.
    if Instant::now() >= deadline {
        return outcome.conclude(OutcomeClass::Failed, Reason::DeadlineExceeded, String::new());
    }
    for number in 1..=prepared.retries.attempts {
        let started = Instant::now();
        let mut trace = Trace::default();
        let until = deadline.min(started + timeout);
        let (result, conversation) = match purpose {
            Purpose::Deliver => attempt(prepared, number, opened.take(), until, &mut trace).await,
            Purpose::Check => (check(prepared, until, &mut trace).await, None),
        };
        record(
            outcome,
            &trace,
            started.elapsed(),
            result.as_ref().map_or_else(|failure| failure.reason, |()| success(purpose).1),
        );
        let retry = settle(prepared, purpose, number, result, outcome);
        // End the connection only now, so that an outcome read when the sender is stopped meanwhile has the receiver's answer.
        if let Some(conversation) = conversation {
            conversation.read_a_little(deadline).await;
        }
        let Some((failure, after)) = retry else {
            return;
        };
        if number == prepared.retries.attempts {
            return outcome.conclude(OutcomeClass::Failed, failure.reason, failure.detail);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(wait) = wait(backoff(number, prepared.retries.backoff, random()), after, left) else {
            let detail = too_late(&failure.detail, after, left);
            return outcome.conclude(OutcomeClass::Failed, failure.reason, detail);
        };
        tokio::time::sleep(wait).await;
    }
}

/// Says what is wrong, and why there is no further attempt although some are left.
fn too_late(problem: &str, after: Option<Duration>, left: Duration) -> String {
    let why = match after {
        Some(after) if after >= left => format!(
            "the receiver asks to wait {} s (Retry-After), which is beyond delivery.totalDeadlineSeconds: raise that \
             to wait so long",
            after.as_secs(),
        ),
        _ => "the next attempt would come after delivery.totalDeadlineSeconds: raise that to have all attempts"
            .to_owned(),
    };
    if problem.is_empty() { why } else { format!("{problem}; {why}") }
}

/// Concludes the outcome when no further attempt would help. Else returns the failure that another attempt may mend, and the wait
/// that the receiver asks for.
fn settle(
    prepared: &Prepared,
    purpose: Purpose,
    number: u32,
    result: Result<(), Failure>,
    outcome: &mut Outcome,
) -> Option<(Failure, Option<Duration>)> {
    let id = &prepared.blueprint.id;
    let Err(failure) = result else {
        match purpose {
            Purpose::Deliver => {
                tracing::info!(delivery = %id, attempt = number, status = outcome.http_status, "delivered");
            }
            Purpose::Check => tracing::info!(attempt = number, "checked; nothing was sent"),
        }
        let (class, reason) = success(purpose);
        outcome.conclude(class, reason, String::new());
        return None;
    };
    let reason = failure.reason;
    tracing::warn!(delivery = %id, attempt = number, status = outcome.http_status, %reason, "attempt failed");
    match failure.next {
        Next::Stop(class) => {
            outcome.conclude(class, reason, failure.detail);
            None
        }
        Next::Retry { after } => Some((failure, after)),
    }
}

/// The class and reason of an attempt that succeeded.
fn success(purpose: Purpose) -> (OutcomeClass, Reason) {
    match purpose {
        Purpose::Deliver => (OutcomeClass::Delivered, Reason::Delivered),
        Purpose::Check => (OutcomeClass::Checked, Reason::Allowed),
    }
}

fn record(outcome: &mut Outcome, trace: &Trace, duration: Duration, reason: Reason) {
    let Trace { status, address_family, timings } = trace;
    let http_status = status.map(|status| status.as_u16());
    outcome.attempts.push(Attempt { duration_ms: milliseconds(duration), reason, http_status });
    outcome.attempt_count += 1;
    outcome.http_status = http_status;
    outcome.address_family = *address_family;
    outcome.timings = *timings;
}

/// Spreads the waits of many senders. Without randomness the waits are not spread, and nothing else changes.
fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}
