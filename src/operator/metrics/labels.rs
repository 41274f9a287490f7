//! The values of labels: closed lists, whatever a status says.

use crate::api::{CheckResult, DeliveryOutcome};
use crate::delivery::Reason;

/// Reasons for deliveries and checks whose sender reported nothing: what the operator saw in the Job and its pods.
const SEEN_BY_THE_OPERATOR: [&str; 13] = [
    "DeadlineMissed",
    "PreviousStillRunning",
    "PodNotCreated",
    "Unschedulable",
    "ImagePullBackOff",
    "PodNotStarted",
    "PodLost",
    "JobDeleted",
    "PodDeadlineExceeded",
    "Evicted",
    "OOMKilled",
    "SenderEndedSilently",
    "JobNotCreated",
];
/// The value for anything that isn't on a list.
const OTHER: &str = "Other";

pub(super) fn outcome(outcome: DeliveryOutcome) -> &'static str {
    match outcome {
        DeliveryOutcome::Delivered => "Delivered",
        DeliveryOutcome::Refused => "Refused",
        DeliveryOutcome::FailedPermanently => "FailedPermanently",
        DeliveryOutcome::Failed => "Failed",
        DeliveryOutcome::Interrupted => "Interrupted",
        DeliveryOutcome::NotRun => "NotRun",
    }
}

pub(super) fn result(result: CheckResult) -> &'static str {
    match result {
        CheckResult::Allowed => "Allowed",
        CheckResult::Refused => "Refused",
        CheckResult::Unknown => "Unknown",
    }
}

pub(super) fn reason(reason: &str) -> &'static str {
    let of_senders = Reason::ALL.iter().map(|reason| reason.as_str());
    of_senders.chain(SEEN_BY_THE_OPERATOR).find(|known| *known == reason).unwrap_or(OTHER)
}
