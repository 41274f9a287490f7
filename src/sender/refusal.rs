//! Why nothing is sent until somebody changes something.

use crate::delivery::{DeliveryInvalid, JobNameInvalid, Reason, ScheduledTimeRefused};
use crate::egress;

/// A reason, and what to do about it in words without a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Refusal {
        Refusal { reason, detail: detail.into() }
    }
}

impl From<egress::Refusal> for Refusal {
    fn from(refusal: egress::Refusal) -> Refusal {
        Refusal::new(Reason::from_name(refusal.reason.as_str()), refusal.detail)
    }
}

impl From<DeliveryInvalid> for Refusal {
    fn from(error: DeliveryInvalid) -> Refusal {
        let reason = match error {
            DeliveryInvalid::TooLarge
            | DeliveryInvalid::Version(_)
            | DeliveryInvalid::Malformed { .. }
            | DeliveryInvalid::Field { .. } => Reason::DeliveryInvalid,
            DeliveryInvalid::Header { .. } => Reason::HeaderNotAllowed,
        };
        Refusal::new(reason, error.to_string())
    }
}

impl From<JobNameInvalid> for Refusal {
    fn from(error: JobNameInvalid) -> Refusal {
        Refusal::new(Reason::JobNameInvalid, error.to_string())
    }
}

impl From<ScheduledTimeRefused> for Refusal {
    fn from(error: ScheduledTimeRefused) -> Refusal {
        let reason = match error {
            ScheduledTimeRefused::InFuture { .. } => Reason::ScheduledTimeInFuture,
            ScheduledTimeRefused::PastDeadline { .. } => Reason::StartingDeadlineExceeded,
        };
        Refusal::new(reason, error.to_string())
    }
}
