//! How an attempt can end, and whether another attempt could succeed.

use std::io::{self, ErrorKind};
use std::time::Duration;

use http::StatusCode;

use super::refusal::Refusal;
use super::response::Malformed;
use super::tls_failure::HTTP2_ONLY;
use crate::delivery::{OutcomeClass, Reason};
use crate::egress;

/// An attempt that did not deliver.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    /// What to do about it, without a secret. Often empty, since the reason is enough.
    pub(super) detail: String,
    pub(super) next: Next,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Make another attempt, if one is left; not before the time that the receiver asked for.
    Retry { after: Option<Duration> },
    /// Stop, with this class.
    Stop(OutcomeClass),
}

impl Failure {
    /// A failure between the sender and the receiver: another attempt may succeed, unless a certificate is wrong.
    pub(super) fn of_transport(reason: Reason) -> Failure {
        let next = match reason {
            Reason::CertificateExpired
            | Reason::CertificateNotYetValid
            | Reason::CertificateNameMismatch
            | Reason::CertificateUnknownIssuer
            | Reason::CertificateInvalid => Next::Stop(OutcomeClass::FailedPermanently),
            _ => Next::Retry { after: None },
        };
        Failure { reason, detail: String::new(), next }
    }

    /// The same failure with this detail.
    pub(super) fn because(self, detail: impl Into<String>) -> Failure {
        Failure { detail: detail.into(), ..self }
    }
}

/// The guard's refusal is final, except that a name that was not resolved may be resolved later.
impl From<egress::Refusal> for Failure {
    fn from(refusal: egress::Refusal) -> Failure {
        let reason = Reason::from_name(refusal.reason.as_str());
        let next = match reason {
            Reason::NameNotResolved => Next::Retry { after: None },
            _ => Next::Stop(OutcomeClass::Refused),
        };
        Failure { reason, detail: refusal.detail, next }
    }
}

/// What must be refused is refused before the first attempt. If a refusal comes up later, it is just as final.
impl From<Refusal> for Failure {
    fn from(Refusal { reason, detail }: Refusal) -> Failure {
        Failure { reason, detail, next: Next::Stop(OutcomeClass::Refused) }
    }
}

/// What the receiver's status means. `after` is the wait that its `Retry-After` asks for.
///
/// # Errors
/// On anything but 2xx.
pub(super) fn judge_status(status: StatusCode, after: Option<Duration>) -> Result<(), Failure> {
    let stop = Next::Stop(OutcomeClass::FailedPermanently);
    let (reason, next) = match status.as_u16() {
        200..=299 => return Ok(()),
        300..=399 => (Reason::RedirectNotFollowed, stop),
        410 => (Reason::ReceiverGone, stop),
        408 | 409 | 425 | 429 => (Reason::ReceiverBusy, Next::Retry { after }),
        400..=499 => (Reason::RequestRejected, stop),
        500..=599 => (Reason::ReceiverError, Next::Retry { after }),
        _ => (Reason::StatusUnexpected, stop),
    };
    Err(Failure { reason, detail: String::new(), next })
}

/// Why a connection could not be made.
pub(super) fn reason_of_connect(error: &io::Error) -> Reason {
    match error.kind() {
        ErrorKind::ConnectionRefused => Reason::ConnectionRefused,
        ErrorKind::ConnectionReset => Reason::ConnectionReset,
        ErrorKind::TimedOut => Reason::ConnectTimeout,
        _ => Reason::ConnectionFailed,
    }
}

/// The failure for bytes that came instead of a response.
pub(super) fn of_malformed(malformed: Malformed) -> Failure {
    let detail = match malformed {
        Malformed::Http2 => HTTP2_ONLY,
        Malformed::NotHttp1 => {
            "the answer doesn't begin with an HTTP/1.1 status line: look at what answers at that URL"
        }
        Malformed::TooLong => "the answer's status line doesn't end within 16 KiB: look at what answers at that URL",
    };
    Failure::of_transport(Reason::ResponseMalformed).because(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16) -> (Reason, Next) {
        let failure = judge_status(StatusCode::from_u16(status).unwrap(), Some(Duration::from_secs(7))).unwrap_err();
        (failure.reason, failure.next)
    }

    #[test]
    fn takes_every_2xx_for_delivered() {
        for status in 200..300 {
            assert_eq!(judge_status(StatusCode::from_u16(status).unwrap(), None), Ok(()));
        }
    }

    #[test]
    fn retries_what_may_pass_and_nothing_else() {
        let retry = Next::Retry { after: Some(Duration::from_secs(7)) };
        let stop = Next::Stop(OutcomeClass::FailedPermanently);
        for status in 100..1000 {
            let expected = match status {
                200..=299 => continue,
                408 | 409 | 425 | 429 => (Reason::ReceiverBusy, retry),
                410 => (Reason::ReceiverGone, stop),
                300..=399 => (Reason::RedirectNotFollowed, stop),
                400..=499 => (Reason::RequestRejected, stop),
                500..=599 => (Reason::ReceiverError, retry),
                _ => (Reason::StatusUnexpected, stop),
            };
            assert_eq!(judged(status), expected, "{status}");
        }
    }

    #[test]
    fn a_refusal_by_the_guard_is_final_but_for_an_unresolved_name() {
        let refusal = |reason| egress::Refusal { reason, detail: "detail".into() };
        let failure = Failure::from(refusal(egress::Reason::AddressInternal));
        assert_eq!((failure.reason, failure.next), (Reason::AddressInternal, Next::Stop(OutcomeClass::Refused)));
        assert_eq!(failure.detail, "detail");
        let failure = Failure::from(refusal(egress::Reason::NameNotResolved));
        assert_eq!((failure.reason, failure.next), (Reason::NameNotResolved, Next::Retry { after: None }));
    }

    #[test]
    fn the_outcome_knows_every_reason_of_the_guard() {
        for reason in egress::Reason::ALL {
            let refusal = egress::Refusal { reason, detail: String::new() };
            assert_eq!(Failure::from(refusal).reason.as_str(), reason.as_str());
        }
    }

    #[test]
    fn a_wrong_certificate_is_final_and_a_broken_connection_is_not() {
        for reason in [
            Reason::CertificateExpired,
            Reason::CertificateNotYetValid,
            Reason::CertificateNameMismatch,
            Reason::CertificateUnknownIssuer,
            Reason::CertificateInvalid,
        ] {
            assert_eq!(Failure::of_transport(reason).next, Next::Stop(OutcomeClass::FailedPermanently));
        }
        for reason in [Reason::TlsHandshakeFailed, Reason::ConnectionReset, Reason::RequestTimeout] {
            assert_eq!(Failure::of_transport(reason).next, Next::Retry { after: None });
        }
    }
}
