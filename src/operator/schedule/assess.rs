//! Draws conclusions from the observed state. Pure.

use k8s_openapi::jiff::Timestamp;

use super::observe::ObservedState;
use crate::api::WebhookSchedule;
use crate::operator::admission::status::AdmissionStatus;
use crate::operator::deliveries::history::{Deliveries, DeliveryHistory, delivery_history};
use crate::operator::isolation::verdict::IsolationStatus;
use crate::operator::preflight::state::{CheckState, check_state};
use crate::operator::signing_keys::backoff::KeyNotMade;
use crate::operator::validate::{SuspendedBy, ValidatedSchedule};

/// The conclusions about one schedule.
pub(crate) struct Assessment {
    /// What became of its deliveries.
    pub(crate) history: DeliveryHistory,
    /// The state of its checks.
    pub(crate) check: CheckState,
    /// Whether its senders are isolated from the cluster's inside.
    pub(crate) isolation: IsolationStatus,
    /// Whether nothing is sent until isolation is proved.
    pub(crate) waits_for_proof: bool,
    /// Whether our admission policies are in force.
    pub(crate) protection: AdmissionStatus,
    /// Why the last signing key that was due could not be made.
    pub(crate) key_error: Option<KeyNotMade>,
}

/// Draws the conclusions. Without `valid`, the schedule isn't accepted.
pub(crate) fn assess(
    schedule: &WebhookSchedule,
    observed: &ObservedState,
    valid: Option<&ValidatedSchedule>,
    now: Timestamp,
) -> Assessment {
    let waits_for_proof = valid.is_some_and(|valid| valid.isolation_required) && !observed.isolation.is_proof();
    let deliveries = Deliveries {
        schedule,
        runs: &observed.runs,
        cron_job: observed.cron_job.as_deref(),
        min_gap: observed.share.tightest.map(|tightest| tightest.min_gap_seconds),
        are_held: waits_for_proof,
    };
    let history = delivery_history(&deliveries, valid.map(|valid| valid.terms(&observed.share)).as_ref(), now);
    let checked_first = valid.is_some_and(|valid| valid.checked_first);
    Assessment {
        check: check_state(schedule, &observed.checks, &history.recent, checked_first, now),
        history,
        isolation: observed.isolation.clone(),
        waits_for_proof,
        protection: observed.protection.clone(),
        key_error: observed.key_error.clone(),
    }
}

/// Why the CronJob of a schedule that is accepted starts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// The tenant wants it so.
    Suspended(SuspendedBy),
    /// The receiver asked to stop (HTTP 410).
    ReceiverGone,
    /// It is not proved that its senders are kept from the cluster's inside, and the admin requires that.
    NotIsolated,
    /// The next delivery would come too early.
    Held(Timestamp),
}

/// Whether the CronJob is to start nothing, and why.
pub(crate) fn pause(
    valid: &ValidatedSchedule,
    Assessment { history, waits_for_proof, .. }: &Assessment,
) -> Option<Pause> {
    if let Some(by) = valid.suspended {
        return Some(Pause::Suspended(by));
    }
    let held = || history.held_until.and_then(|until| Timestamp::from_second(until).ok());
    let not_isolated = || waits_for_proof.then_some(Pause::NotIsolated);
    history.paused_generation.map(|_| Pause::ReceiverGone).or_else(not_isolated).or_else(|| held().map(Pause::Held))
}
