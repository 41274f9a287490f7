//! What a tenant sees of a schedule. Pure: it computes the new status from the old one, the record, what was done, and the
//! time.

pub(super) mod conditions;
mod stalled;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::assess::{Assessment, Pause, pause};
use super::error::ReconcileError;
use crate::api::{WebhookSchedule, WebhookScheduleStatus};
use crate::operator::validate::{Refusal, ValidatedSchedule};

/// How far a reconcile got.
pub(crate) enum Progress<'a> {
    /// Everything is in place.
    Applied(&'a ValidatedSchedule),
    /// The spec is valid, but there is no key to sign with yet.
    WaitsForKey(&'a ValidatedSchedule),
    /// The spec is valid, but a child can't be written.
    Blocked(&'a ValidatedSchedule, &'a ReconcileError),
    /// The spec or the tier is invalid.
    Refused(&'a Refusal),
}

/// The status after a reconcile.
pub(crate) fn status(
    schedule: &WebhookSchedule,
    progress: &Progress<'_>,
    assessment: &Assessment,
    now: Timestamp,
) -> WebhookScheduleStatus {
    let Assessment { history, check, .. } = assessment;
    let old = schedule.status.clone().unwrap_or_default();
    let valid = match progress {
        Progress::Applied(valid) | Progress::WaitsForKey(valid) | Progress::Blocked(valid, _) => Some(*valid),
        Progress::Refused(_) => None,
    };
    // A requested delivery that was not made still has to be made.
    let made = matches!(progress, Progress::Applied(_));
    WebhookScheduleStatus {
        observed_generation: schedule.metadata.generation,
        conditions: conditions::conditions(schedule, progress, assessment, now),
        tier: valid.map(|valid| valid.tier.clone()),
        resolved_schedule: valid.map(|valid| valid.expression.resolved().into()),
        next_delivery_time: match progress {
            Progress::Applied(valid) => match pause(valid, assessment) {
                None => next(valid, now),
                Some(Pause::Held(until)) => Some(Time(until)),
                Some(Pause::Suspended(_) | Pause::ReceiverGone | Pause::NotIsolated) => None,
            },
            _ => None,
        },
        held_until: match valid.and_then(|valid| pause(valid, assessment)) {
            Some(Pause::Held(until)) => Some(Time(until)),
            _ => None,
        },
        last_delivery: history.recent.first().cloned(),
        recent_deliveries: history.recent.clone(),
        accounted_until: history.accounted_until.clone(),
        last_trigger: if made { history.last_trigger.clone() } else { old.last_trigger },
        checked: check.checked.clone(),
        paused_generation: history.paused_generation,
        // The controller of signing keys writes these two.
        signing_keys: old.signing_keys,
        last_rotation: old.last_rotation,
    }
}

/// When a schedule is due next.
fn next(valid: &ValidatedSchedule, now: Timestamp) -> Option<Time> {
    let from = jiff::Timestamp::from_second(now.as_second()).ok()?;
    let next = valid.expression.upcoming(&valid.zone, from).next()?;
    Timestamp::from_second(next.as_second()).ok().map(Time)
}

#[cfg(test)]
mod check_tests;

#[cfg(test)]
mod longest_tests;

#[cfg(test)]
mod suspend_tests;

#[cfg(test)]
mod tests;
