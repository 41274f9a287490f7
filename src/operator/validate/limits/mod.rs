//! How often, and how much, a tier lets its namespaces deliver.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Refusal;
use crate::api::{Body, DeliveryOptions, WebhookScheduleSpec, WebhookTier, WebhookTierSpec};
use crate::cron::{Tightest, closest_usual};
use crate::operator::tier::quota::QuotaUsage;

/// Checks a schedule, and what it uses of its namespace's quotas, against its tier.
pub(super) fn limits(
    spec: &WebhookScheduleSpec,
    zone: &TimeZone,
    tier: &WebhookTier,
    share: &QuotaUsage,
    now: i64,
) -> Result<(), Refusal> {
    // Without `..`, so that a new field can't be forgotten here.
    let WebhookTierSpec {
        min_interval,
        max_schedules,
        max_deliveries_per_hour,
        max_body_bytes,
        max_attempts,
        max_timeout_seconds,
        lead: _,
        allowed_hosts: _,
        denied_hosts: _,
        allowed_ports: _,
        allowed_cidrs: _,
        default: _,
    } = &tier.spec;
    let tier = tier.metadata.name.as_deref().unwrap_or_default();
    let DeliveryOptions { timeout_seconds, attempts, .. } = spec.delivery;

    let Some(Tightest { min_gap_seconds, max_per_hour }) = share.tightest else {
        return Err(Refusal::ScheduleInvalid("Postern can't compute how often it fires".into()));
    };
    let allowed = min_interval.as_secs();
    if min_gap_seconds < allowed {
        let closest = closest_usual(allowed, zone, Timestamp::from_second(now).unwrap_or_default())
            .unwrap_or("none that fires every year");
        return Err(Refusal::IntervalTooShort(format!(
            "fires every {min_gap_seconds} s at its tightest; tier {tier} allows {allowed} s; the closest allowed: \
             {closest}"
        )));
    }
    if attempts > *max_attempts {
        let problem = format!("{attempts} is more than tier {tier} allows: at most {max_attempts}");
        return Err(Refusal::TooManyAttempts(problem));
    }
    if timeout_seconds > *max_timeout_seconds {
        let problem = format!("{timeout_seconds} is more than tier {tier} allows: at most {max_timeout_seconds}");
        return Err(Refusal::TimeoutTooLong(problem));
    }
    let bytes = spec.body.as_ref().and_then(|Body { inline, .. }| inline.as_ref()).map_or(0, String::len);
    if u32::try_from(bytes).is_ok_and(|bytes| bytes > *max_body_bytes) {
        let problem = format!("{bytes} bytes are more than tier {tier} allows: at most {max_body_bytes}");
        return Err(Refusal::BodyTooLarge(problem));
    }
    if share.rank > *max_schedules {
        return Err(Refusal::TooManySchedules(format!(
            "tier {tier} allows {max_schedules} schedules in a namespace, and the namespace has as many older ones: \
             delete one, or ask your admin"
        )));
    }
    if share.older_per_hour + max_per_hour > *max_deliveries_per_hour {
        return Err(Refusal::TooManyDeliveries(format!(
            "up to {max_per_hour} deliveries in an hour; tier {tier} allows {max_deliveries_per_hour} for all \
             schedules of the namespace together, and older schedules leave fewer: deliver less often here or there, \
             or ask your admin"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
