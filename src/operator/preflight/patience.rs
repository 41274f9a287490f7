//! How long `Ready` waits for the first check of a spec. Pure.
//!
//! People who wait for `Ready` learn what the check found, and don't wait for ever when it can't begin. Once something is known
//! about a spec, it stays known: `Ready` doesn't turn Unknown while the spec is checked again.

use k8s_openapi::jiff::Timestamp;

use super::state::{CheckState, Phase};
use crate::api::WebhookSchedule;

/// How long the first check of a spec may take to begin, in seconds, before `Ready` turns True without it.
const BEGINS_WITHIN: i64 = 120;

/// Until when `Ready` is Unknown if no check begins, in Unix seconds; `None` when it doesn't wait. It waits for a check that is
/// under way, since every check ends.
pub(crate) fn patience(schedule: &WebhookSchedule, look: &CheckState, now: Timestamp) -> Option<i64> {
    let conditions = schedule.status.iter().flat_map(|status| &status.conditions);
    let of_this_spec = conditions.filter(|condition| condition.observed_generation == schedule.metadata.generation);
    let old = of_this_spec.into_iter().find(|condition| condition.type_ == "Ready");
    let now = now.as_second();
    let since = match old {
        Some(old) if old.status == "True" => return None,
        Some(old) if old.status == "Unknown" => old.last_transition_time.0.as_second(),
        _ => now,
    };
    let until = since + BEGINS_WITHIN;
    match look.stage {
        _ if !look.is_first => None,
        Phase::Nothing => None,
        Phase::UnderWay => Some(i64::MAX),
        Phase::Waits(at) if at > until => None,
        Phase::Due(_) | Phase::Waits(_) => Some(until).filter(|until| now < *until),
    }
}
