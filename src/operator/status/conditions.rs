//! The conditions of a schedule, as kstatus has them: `kubectl wait` and Argo CD look at `Ready`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;

use super::{Pause, Progress, pause};
use crate::api::{DeliveryOutcome, DeliveryStatus, WebhookSchedule};
use crate::delivery::Reason;
use crate::operator::apply::ApplyError;
use crate::operator::fact::Fact;
use crate::operator::pace::Made;
use crate::operator::record::{Record, UNHEALTHY_AFTER};

/// The condition that says whether the CronJob is in place.
const SCHEDULED: &str = "Scheduled";

/// The reason why a CronJob starts nothing as long as there is no key to sign with; and of the Event that says so.
pub(in crate::operator) const KEY_NOT_MADE: &str = "KeyNotMade";

/// The reason why a CronJob starts nothing for a while.
const HELD: &str = "Held";

/// Every condition, after a reconcile.
pub(super) fn conditions(
    schedule: &WebhookSchedule,
    progress: &Progress<'_>,
    record: &Record,
    now: Timestamp,
) -> Vec<Condition> {
    let recent = &record.recent;
    let allowed = target_allowed(recent, schedule.metadata.generation);
    let mut facts = vec![accepted(progress), scheduled(progress, record), allowed, healthy(recent)];
    facts.push(ready(&facts));
    let old = schedule.status.iter().flat_map(|status| &status.conditions).cloned().collect::<Vec<_>>();
    facts.into_iter().map(|fact| fact.condition(&old, schedule.metadata.generation, now)).collect()
}

fn accepted(progress: &Progress<'_>) -> Fact {
    match progress {
        Progress::Refused(refusal) => Fact::new("Accepted", "False", refusal.reason(), refusal.to_string()),
        Progress::Applied(valid) | Progress::Blocked(valid, _) => {
            Fact::new("Accepted", "True", "Accepted", format!("within tier {}", valid.tier))
        }
    }
}

fn scheduled(progress: &Progress<'_>, record: &Record) -> Fact {
    match progress {
        Progress::Applied(valid) => match pause(valid, record) {
            None => {
                let waits = record.trigger_waits.map(waits).unwrap_or_default();
                Fact::new(SCHEDULED, "True", "Scheduled", format!("the CronJob is in place{waits}"))
            }
            Some(Pause::Held(until)) => {
                let message = format!(
                    "until {until} nothing is sent: the next delivery would come sooner than tier {} allows, edits, resumes and \
                     triggers counted",
                    valid.tier
                );
                Fact::new(SCHEDULED, "False", HELD, message)
            }
            Some(Pause::Suspended) => {
                Fact::new(SCHEDULED, "False", "Suspended", "spec.suspend is true: nothing is sent until it is false")
            }
            Some(Pause::ReceiverGone) => Fact::new(SCHEDULED, "False", "ReceiverGone", RECEIVER_GONE),
        },
        Progress::Blocked(_, error @ ApplyError::NameTaken { .. }) => {
            Fact::new(SCHEDULED, "False", "NameTaken", error.to_string())
        }
        Progress::Blocked(_, error @ ApplyError::KeyNotMade { .. }) => {
            Fact::new(SCHEDULED, "False", KEY_NOT_MADE, format!("{error}. Until there is one, nothing is sent"))
        }
        Progress::Blocked(_, error @ ApplyError::Ending { .. }) => {
            Fact::new(SCHEDULED, "False", "ApplyFailed", error.to_string())
        }
        Progress::Blocked(_, ApplyError::Api { kind, .. } | ApplyError::Outdated { kind, .. }) => {
            let message = format!("the {kind} could not be written; it is tried again");
            Fact::new(SCHEDULED, "False", "ApplyFailed", message)
        }
        Progress::Refused(_) => {
            Fact::new(SCHEDULED, "False", "NotAccepted", "nothing is sent until the schedule is accepted")
        }
    }
}

/// What became of a delivery that was asked for and isn't made yet.
fn waits(made: Made) -> String {
    match made {
        Made::Now => String::new(),
        Made::At(Some(at)) => {
            let at = Timestamp::from_second(at).unwrap_or_default();
            format!("; the delivery that was asked for is made at {at}, since the tier allows no earlier one")
        }
        Made::At(None) => "; the delivery that was asked for waits: the schedules of the namespace may take all \
            deliveries that the tier allows in an hour"
            .into(),
        Made::After(_) => "; the delivery that was asked for is made after the one that is due".into(),
    }
}

const RECEIVER_GONE: &str = "the receiver answered 410 Gone, so nothing is sent: correct the spec, or delete the schedule; \
    after a change in a Secret, give the annotation postern.dev/trigger a new value";

/// Refusals for lateness and the like, which say nothing of the target.
const NOT_OF_THE_TARGET: [Reason; 3] =
    [Reason::StartingDeadlineExceeded, Reason::ScheduledTimeInFuture, Reason::JobNameInvalid];

/// By the last delivery of this very spec that came so far.
fn target_allowed(recent: &[DeliveryStatus], generation: Option<i64>) -> Fact {
    let is_judged = |delivery: &&DeliveryStatus| {
        let refused = delivery.outcome == DeliveryOutcome::Refused
            && !NOT_OF_THE_TARGET.iter().any(|reason| reason.as_str() == delivery.reason);
        delivery.generation == generation && (refused || delivery.attempts > 0)
    };
    match recent.iter().find(is_judged) {
        None => Fact::new("TargetAllowed", "Unknown", "NotTried", "no delivery has been made by this spec yet"),
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
            && fact.reason != HELD
    });
    match wrong {
        None => Fact::new("Ready", "True", "Ready", "the schedule is in force"),
        Some(fact) => Fact::new("Ready", "False", fact.reason.clone(), fact.message.clone()),
    }
}
