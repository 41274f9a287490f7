//! The condition `Stalled` of kstatus: `Ready` is False, and it stays so until somebody changes something. Whoever waits for the
//! schedule (`helm --wait`, Flux, Argo CD) ends with its message. It is there only while it is True.

use crate::api::CheckStatus;
use crate::operator::isolation::verdict::IsolationStatus;
use crate::operator::kubernetes::condition::ConditionUpdate;
use crate::operator::preflight::repeats::is_soon;

/// The condition, if only people can help. `checked` is what the last check of this spec found.
pub(super) fn stalled(
    ready: &ConditionUpdate,
    isolation: &IsolationStatus,
    checked: Option<&CheckStatus>,
) -> Option<ConditionUpdate> {
    let passes = match &*ready.reason {
        _ if ready.status != "False" => true,
        // The operator tries again by itself.
        "ApplyFailed" | "UsageNotRecorded" => true,
        "NotIsolated" => isolation.reason == "Checking",
        // Another controller may be about to make the Secret, or the record of the name.
        "ReferenceMissing" | "ReferenceEmpty" | "NameNotResolved" => {
            checked.is_some_and(|checked| checked.reason == ready.reason && is_soon(checked))
        }
        _ => false,
    };
    (!passes).then(|| ConditionUpdate::new("Stalled", "True", ready.reason.clone(), ready.message.clone()))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::api::CheckResult;

    fn ready(status: &'static str, reason: &str) -> ConditionUpdate {
        ConditionUpdate::new("Ready", status, reason, "what to do")
    }

    fn is_stalled(reason: &str, isolation: &'static str, checked: Option<&CheckStatus>) -> bool {
        let isolation = IsolationStatus { status: "Unknown", reason: isolation, message: String::new() };
        let stalled = stalled(&ready("False", reason), &isolation, checked);
        assert!(stalled.iter().all(|stalled| (&*stalled.reason, &*stalled.message) == (reason, "what to do")));
        stalled.is_some()
    }

    #[test]
    fn a_schedule_that_is_not_ready_is_stalled_unless_the_operator_tries_again() {
        for reason in
            ["ScheduleInvalid", "TierNotFound", "AddressInternal", "KeyNotMade", "ReceiverGone", "NotIsolated"]
        {
            assert!(is_stalled(reason, "Reachable", None), "{reason}");
        }
        for reason in ["ApplyFailed", "UsageNotRecorded"] {
            assert!(!is_stalled(reason, "Reachable", None), "{reason}");
        }
        assert!(!is_stalled("NotIsolated", "Checking", None));
        let proved = IsolationStatus { status: "True", reason: "Proved", message: String::new() };
        for status in ["True", "Unknown"] {
            assert!(stalled(&ready(status, "ScheduleInvalid"), &proved, None).is_none(), "{status}");
        }
    }

    #[test]
    fn what_others_may_be_about_to_make_stalls_a_schedule_once_its_check_is_repeated_seldom() {
        let checked = |reason: &str, repeats, repeat_at| CheckStatus {
            generation: 1,
            value: None,
            time: Time(Timestamp::UNIX_EPOCH),
            result: CheckResult::Refused,
            reason: reason.into(),
            detail: None,
            target: None,
            key_fingerprints: Vec::new(),
            repeats,
            repeat_at,
        };
        let later = Some(Time(Timestamp::UNIX_EPOCH));
        for reason in ["ReferenceMissing", "ReferenceEmpty", "NameNotResolved"] {
            let stalled = |repeats, at| is_stalled(reason, "Isolated", Some(&checked(reason, repeats, at)));
            assert!(!stalled(0, later.clone()) && !stalled(2, later.clone()), "{reason}");
            assert!(stalled(3, later.clone()), "{reason}: three repeats have found nothing");
            assert!(stalled(0, None), "{reason}: it isn't checked again");
            assert!(is_stalled(reason, "Isolated", None), "{reason}: a delivery found it");
            assert!(is_stalled(reason, "Isolated", Some(&checked("KeyNotMade", 0, later.clone()))), "{reason}");
        }
    }
}
