//! What a tenant sees of a schedule. Pure: the old status, what was found and done, and the time make the new one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::apply::ApplyError;
use super::validate::{Refusal, Valid};
use crate::api::{DeliveryOutcome, DeliveryStatus, History, WebhookSchedule, WebhookScheduleStatus};

/// The condition that says whether the CronJob is in place.
pub(super) const SCHEDULED: &str = "Scheduled";
/// `Healthy` turns False after this many failures in a row.
const UNHEALTHY_AFTER: usize = 3;
/// Failures that `Healthy` needs are remembered whatever `history` says.
const KEPT_FAILURES: usize = UNHEALTHY_AFTER;

/// How far a reconcile came.
pub(super) enum Progress<'a> {
    /// Everything is as it should be.
    Applied(&'a Valid),
    /// The spec is right, and a child can't be made.
    Blocked(&'a Valid, &'a ApplyError),
    /// The spec or the tier is wrong.
    Refused(&'a Refusal),
}

/// The status after a reconcile.
pub(super) fn status(
    schedule: &WebhookSchedule,
    progress: &Progress<'_>,
    seen: Vec<DeliveryStatus>,
    now: Timestamp,
) -> WebhookScheduleStatus {
    let old = schedule.status.clone().unwrap_or_default();
    let recent_deliveries = remember(old.recent_deliveries, seen, schedule.spec.history);
    let generation = schedule.metadata.generation;
    let valid = match progress {
        Progress::Applied(valid) | Progress::Blocked(valid, _) => Some(*valid),
        Progress::Refused(_) => None,
    };
    let mut facts =
        vec![accepted(progress), scheduled(progress), target_allowed(&recent_deliveries), healthy(&recent_deliveries)];
    facts.push(ready(&facts));
    WebhookScheduleStatus {
        observed_generation: generation,
        conditions: facts.into_iter().map(|fact| fact.condition(&old.conditions, generation, now)).collect(),
        tier: valid.map(|valid| valid.tier.clone()),
        resolved_schedule: valid.map(|valid| valid.expression.resolved().into()),
        next_delivery_time: match progress {
            Progress::Applied(valid) if !valid.suspended => next(valid, now),
            _ => None,
        },
        last_delivery: recent_deliveries.first().cloned(),
        recent_deliveries,
        signing_keys: old.signing_keys,
    }
}

/// When a schedule is due next.
fn next(valid: &Valid, now: Timestamp) -> Option<Time> {
    let from = jiff::Timestamp::from_second(now.as_second()).ok()?;
    let next = valid.expression.upcoming(&valid.zone, from).next()?;
    Timestamp::from_second(next.as_second()).ok().map(Time)
}

/// The latest deliveries, each once, the latest first; of each kind as many as the tenant wants.
fn remember(old: Vec<DeliveryStatus>, seen: Vec<DeliveryStatus>, history: History) -> Vec<DeliveryStatus> {
    let mut all = old;
    for delivery in seen {
        // A lost pod's successor is the same delivery: what it says replaces what was known.
        match all.iter_mut().find(|known| known.scheduled_time == delivery.scheduled_time) {
            Some(known) if known.started_at <= delivery.started_at => *known = delivery,
            Some(_) => {}
            None => all.push(delivery),
        }
    }
    all.sort_by(|a, b| b.scheduled_time.cmp(&a.scheduled_time));
    let (mut successful, mut failed) = (0, 0);
    all.retain(|delivery| {
        let (count, most) = if delivery.outcome == DeliveryOutcome::Delivered {
            (&mut successful, (history.successful as usize).max(1))
        } else {
            (&mut failed, (history.failed as usize).max(KEPT_FAILURES))
        };
        *count += 1;
        *count <= most
    });
    all
}

/// A condition before it is compared with the one that stands.
struct Fact {
    kind: &'static str,
    status: &'static str,
    reason: String,
    message: String,
}

impl Fact {
    fn new(kind: &'static str, status: &'static str, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, status, reason: reason.into(), message: message.into() }
    }

    /// The time of the last transition is that of the last change of the condition's status.
    fn condition(self, old: &[Condition], generation: Option<i64>, now: Timestamp) -> Condition {
        let unchanged = old.iter().find(|old| old.type_ == self.kind && old.status == self.status);
        Condition {
            type_: self.kind.into(),
            status: self.status.into(),
            reason: self.reason,
            message: self.message,
            observed_generation: generation,
            last_transition_time: unchanged.map_or(Time(now), |old| old.last_transition_time.clone()),
        }
    }
}

fn accepted(progress: &Progress<'_>) -> Fact {
    match progress {
        Progress::Refused(refusal) => Fact::new("Accepted", "False", refusal.reason(), refusal.to_string()),
        Progress::Applied(valid) | Progress::Blocked(valid, _) => {
            Fact::new("Accepted", "True", "Accepted", format!("within tier {}", valid.tier))
        }
    }
}

fn scheduled(progress: &Progress<'_>) -> Fact {
    match progress {
        Progress::Applied(valid) if valid.suspended => {
            Fact::new(SCHEDULED, "False", "Suspended", "spec.suspend is true: nothing is sent until it is false")
        }
        Progress::Applied(_) => Fact::new(SCHEDULED, "True", "Scheduled", "the CronJob is in place"),
        Progress::Blocked(_, error @ ApplyError::NameTaken { .. }) => {
            Fact::new(SCHEDULED, "False", "NameTaken", error.to_string())
        }
        Progress::Blocked(_, ApplyError::Api { kind, .. }) => Fact::new(
            "Scheduled",
            "False",
            "ApplyFailed",
            format!("the {kind} could not be written; it is tried again"),
        ),
        Progress::Refused(_) => {
            Fact::new(SCHEDULED, "False", "NotAccepted", "nothing is sent until the schedule is accepted")
        }
    }
}

fn target_allowed(recent: &[DeliveryStatus]) -> Fact {
    match recent.first() {
        None => Fact::new("TargetAllowed", "Unknown", "NotTried", "no delivery has been made yet"),
        Some(last) if last.outcome == DeliveryOutcome::Refused => {
            Fact::new("TargetAllowed", "False", last.reason.clone(), last.detail.clone().unwrap_or_default())
        }
        Some(_) => Fact::new("TargetAllowed", "True", "Allowed", "the last delivery was not refused"),
    }
}

fn healthy(recent: &[DeliveryStatus]) -> Fact {
    let failures = recent.iter().take_while(|delivery| delivery.outcome != DeliveryOutcome::Delivered).count();
    match recent.first() {
        None => Fact::new("Healthy", "Unknown", "NotTried", "no delivery has been made yet"),
        Some(last) if failures >= UNHEALTHY_AFTER => {
            let message = format!("the last {failures} deliveries failed; the latest: {}", last.reason);
            Fact::new("Healthy", "False", "DeliveriesFailing", message)
        }
        Some(_) => {
            Fact::new("Healthy", "True", "Delivering", format!("fewer than {UNHEALTHY_AFTER} failures in a row"))
        }
    }
}

/// Ready is what `kubectl wait` and Argo CD look at: whether the schedule does what its spec says. A paused one does.
fn ready(facts: &[Fact]) -> Fact {
    let wrong = facts.iter().find(|fact| {
        matches!(fact.kind, "Accepted" | SCHEDULED | "TargetAllowed")
            && fact.status == "False"
            && fact.reason != "Suspended"
    });
    match wrong {
        None => Fact::new("Ready", "True", "Ready", "the schedule is in force"),
        Some(fact) => Fact::new("Ready", "False", fact.reason.clone(), fact.message.clone()),
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;
