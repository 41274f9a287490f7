//! Why a delivery or an attempt ended as it did.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Why a delivery or an attempt ended as it did: a closed list, so that it can label a metric.
        ///
        /// `docs/reasons.md` says of each what to do. A reason that this build doesn't know (a newer sender's) is
        /// read as [`Reason::Unrecognised`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The name that users see.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Reason::$name => stringify!($name),)*
                }
            }
        }
    };
}

reasons! {
    /// The receiver answered 2xx.
    Delivered,
    /// It was only judged, and nothing would keep it from being sent.
    Allowed,

    /// The URL's scheme is not https.
    SchemeNotHttps,
    /// The URL has a user name or password, if only an empty one.
    UserinfoInUrl,
    /// The tier doesn't allow the URL's port.
    PortNotAllowed,
    /// The tier doesn't allow the URL's host.
    HostNotAllowed,
    /// The URL's host is a name of the cluster or of a private network.
    HostInternal,
    /// One of the host's addresses is not public.
    AddressInternal,
    /// The URL can't be read in one way only.
    UrlMalformed,
    /// The URL has more than 2,048 bytes.
    UrlTooLong,
    /// The host's name was not resolved.
    NameNotResolved,

    /// `delivery.json` can't be read or breaks a limit.
    DeliveryInvalid,
    /// The Job's name doesn't hold a scheduled time.
    JobNameInvalid,
    /// The Job's name claims a time that hasn't come.
    ScheduledTimeInFuture,
    /// The sender started later than the starting deadline allows.
    StartingDeadlineExceeded,
    /// A Secret or `ConfigMap`, or the key in it, doesn't exist.
    ReferenceMissing,
    /// The key in the Secret or `ConfigMap` holds nothing.
    ReferenceEmpty,
    /// The key in the Secret or `ConfigMap` holds more than is allowed.
    ReferenceTooLarge,
    /// The mounted file can't be read.
    ReferenceUnreadable,
    /// A signing key can't be used.
    SigningKeyInvalid,
    /// The signing scheme can't be used with these keys.
    SigningInvalid,
    /// A header's name is malformed or the sender's own.
    HeaderNotAllowed,
    /// A header's value has a character that no header may have.
    HeaderValueInvalid,
    /// The body is larger than the tier allows.
    BodyTooLarge,
    /// The body has a placeholder that doesn't exist.
    PlaceholderUnknown,
    /// The CA bundle holds no certificate that can be used.
    CaBundleInvalid,
    /// The client certificate or its key can't be used.
    ClientCertificateInvalid,

    /// The sender's pod reached what its `NetworkPolicy` closes, so it sent nothing.
    NotIsolated,

    /// Nothing listens at the address and port.
    ConnectionRefused,
    /// No address could be reached.
    ConnectionFailed,
    /// No address accepted a connection in time.
    ConnectTimeout,
    /// The receiver ended the connection before it answered.
    ConnectionReset,
    /// TLS could not be agreed on.
    TlsHandshakeFailed,
    /// The receiver's certificate has expired.
    CertificateExpired,
    /// The receiver's certificate is not valid yet.
    CertificateNotYetValid,
    /// The receiver's certificate is for another name.
    CertificateNameMismatch,
    /// Nobody whom the sender trusts signed the receiver's certificate.
    CertificateUnknownIssuer,
    /// The receiver's certificate is wrong in another way.
    CertificateInvalid,
    /// The receiver didn't answer in time.
    RequestTimeout,
    /// The receiver's answer is not HTTP/1.1, or has more than 100 headers or 16 KiB of them.
    ResponseMalformed,

    /// The receiver answered 3xx; redirects are not followed.
    RedirectNotFollowed,
    /// The receiver answered 410: it asks to stop.
    ReceiverGone,
    /// The receiver answered with another 4xx.
    RequestRejected,
    /// The receiver answered 408, 409, 425 or 429: try again later.
    ReceiverBusy,
    /// The receiver answered 5xx.
    ReceiverError,
    /// The receiver answered with a status that means nothing here (1xx, or 600 and above).
    StatusUnexpected,

    /// The total deadline passed before the first attempt ended.
    DeadlineExceeded,
    /// The sender was told to stop.
    Interrupted,

    /// A reason that this build doesn't know.
    Unrecognised,
}

impl Reason {
    /// The reason of this name, or [`Reason::Unrecognised`].
    #[must_use]
    pub fn from_name(name: &str) -> Reason {
        Reason::ALL.iter().copied().find(|reason| reason.as_str() == name).unwrap_or(Reason::Unrecognised)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Reason, D::Error> {
        Ok(Reason::from_name(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_by_its_name() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), *reason);
        }
        assert_eq!(Reason::from_name("FromTheFuture"), Reason::Unrecognised);
    }

    #[test]
    fn every_reason_is_documented_with_what_to_do() {
        let page = include_str!("../../docs/reasons.md");
        for reason in Reason::ALL {
            assert!(page.contains(&format!("| `{reason}` |")), "docs/reasons.md lacks {reason}");
        }
    }
}
