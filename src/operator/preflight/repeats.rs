//! Which checks are repeated automatically, and when. Pure.
//!
//! A repeated check may get another result although the spec is the same: a Secret is created later, a name resolves later, or
//! a node gets room. The time of the next one is stored in `status.checked`, so a new operator continues with it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::api::{CheckResult, CheckStatus};
use crate::delivery::Reason;

/// How long after the previous check each of the first three repeats begins, in seconds.
const SOON: [i64; 3] = [5, 15, 45];
/// The longest wait, in seconds: after the first three repeats, each wait is twice as long as the one before, up to this.
const LONGEST: i64 = 3_600;

/// How long to wait after a check that was repeated this many times, in seconds.
pub(super) fn wait(repeats: u32) -> i64 {
    let [.., last] = SOON;
    let count = usize::try_from(repeats).unwrap_or(usize::MAX);
    SOON.get(count).copied().unwrap_or_else(|| {
        let doublings = repeats.saturating_sub(2);
        last.saturating_mul(2_i64.saturating_pow(doublings)).min(LONGEST)
    })
}

/// Whether a check is repeated within a minute.
pub(crate) fn is_soon(checked: &CheckStatus) -> bool {
    checked.repeat_at.is_some() && usize::try_from(checked.repeats).is_ok_and(|repeats| repeats < SOON.len())
}

/// Whether what a check or a delivery found may disappear without a change of the spec.
///
/// This excludes where the URL leads: a sender that may not go there must not try again and again, and an admin who allows it
/// tells the tenant.
pub(super) fn may_pass(reason: Reason) -> bool {
    matches!(
        reason,
        // The content of a Secret or ConfigMap.
        Reason::ReferenceMissing
            | Reason::ReferenceEmpty
            | Reason::ReferenceTooLarge
            | Reason::ReferenceUnreadable
            | Reason::SchemeNotHttps
            | Reason::UserinfoInUrl
            | Reason::UrlMalformed
            | Reason::UrlTooLong
            | Reason::SigningKeyInvalid
            | Reason::SigningInvalid
            | Reason::HeaderValueInvalid
            | Reason::BodyTooLarge
            | Reason::PlaceholderUnknown
            | Reason::CaBundleInvalid
            | Reason::ClientCertificateInvalid
            // The state of the network.
            | Reason::NameNotResolved
            | Reason::NotIsolated
            | Reason::DeadlineExceeded
    )
}

/// Adds to a check's result whether and when it is repeated. `result` and `reason` are those of the check itself: when it could
/// not be made, `known` may hold what an earlier one found. `last` is the previous status.
pub(super) fn note(
    known: CheckStatus,
    (result, reason): (CheckResult, &str),
    last: Option<&CheckStatus>,
    now: Timestamp,
) -> CheckStatus {
    let is_repeated = match result {
        CheckResult::Allowed => false,
        CheckResult::Refused => may_pass(Reason::from_name(reason)),
        CheckResult::Unknown => true,
    };
    if !is_repeated {
        return CheckStatus { repeats: 0, repeat_at: None, ..known };
    }
    let before = last.filter(|last| last.generation == known.generation && last.repeat_at.is_some());
    let repeats = before.map_or(0, |last| last.repeats.saturating_add(1));
    let at = now.saturating_add(SignedDuration::from_secs(wait(repeats))).ok();
    CheckStatus { repeats, repeat_at: at.map(Time), ..known }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_are_made_soon_and_the_others_after_a_wait_that_doubles_up_to_an_hour() {
        let waits: Vec<_> = (0..11).map(wait).collect();
        assert_eq!(waits, [5, 15, 45, 90, 180, 360, 720, 1_440, 2_880, 3_600, 3_600]);
        assert_eq!(wait(u32::MAX), LONGEST);
    }

    #[test]
    fn what_may_pass_without_a_change_of_the_spec_is_repeated_and_where_a_url_leads_is_not() {
        for reason in
            [Reason::ReferenceMissing, Reason::SigningKeyInvalid, Reason::UrlMalformed, Reason::NameNotResolved]
        {
            assert!(may_pass(reason), "{reason}");
        }
        for reason in [
            Reason::AddressInternal,
            Reason::HostInternal,
            Reason::HostNotAllowed,
            Reason::PortNotAllowed,
            Reason::HeaderNotAllowed,
            Reason::DeliveryInvalid,
            Reason::Unrecognised,
        ] {
            assert!(!may_pass(reason), "{reason}");
        }
    }
}
