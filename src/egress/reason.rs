//! Why the guard refuses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The closed list of reasons for a refusal. They are part of the API: they appear in outcomes, conditions, metrics and the docs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// The scheme is not `https`.
    SchemeNotHttps,
    /// There is a user name, a password, or just their `@`.
    UserinfoInUrl,
    /// The port is neither 443 nor one that the tier allows.
    PortNotAllowed,
    /// The tier denies the host, or has a list of allowed hosts that doesn't include it.
    HostNotAllowed,
    /// The name can only mean something internal.
    HostInternal,
    /// An address of the host is not a public one.
    AddressInternal,
    /// Not a URL, or one that two readers could read differently.
    UrlMalformed,
    /// The URL is longer than [`MAX_URL_BYTES`](super::MAX_URL_BYTES).
    UrlTooLong,
    /// The name servers gave no address. This is the only reason that a later attempt may resolve.
    NameNotResolved,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::SchemeNotHttps,
        Self::UserinfoInUrl,
        Self::PortNotAllowed,
        Self::HostNotAllowed,
        Self::HostInternal,
        Self::AddressInternal,
        Self::UrlMalformed,
        Self::UrlTooLong,
        Self::NameNotResolved,
    ];

    /// The reason as it is written in outcomes and conditions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SchemeNotHttps => "SchemeNotHttps",
            Self::UserinfoInUrl => "UserinfoInUrl",
            Self::PortNotAllowed => "PortNotAllowed",
            Self::HostNotAllowed => "HostNotAllowed",
            Self::HostInternal => "HostInternal",
            Self::AddressInternal => "AddressInternal",
            Self::UrlMalformed => "UrlMalformed",
            Self::UrlTooLong => "UrlTooLong",
            Self::NameNotResolved => "NameNotResolved",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal by the guard. It is safe to show to anyone: the detail names at most the host, the port, an address, its block and
/// the RFC, never the path, the query or the userinfo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Refusal {
    /// Which rule refused.
    pub reason: Reason,
    /// What exactly was refused, and what to do about it, in one sentence.
    pub detail: String,
}

impl Refusal {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialises_as_the_string_it_displays() {
        for reason in Reason::ALL {
            let json = serde_json::to_string(&reason).unwrap();
            assert_eq!(json, format!("\"{reason}\""));
            assert_eq!(serde_json::from_str::<Reason>(&json).unwrap(), reason);
        }
    }
}
