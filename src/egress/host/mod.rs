//! The host of a URL: a name or an address, and the rules for names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::reason::{Reason, Refusal};
use super::rules::Rules;

/// The host of a URL after parsing, in the one form that every rule is applied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A DNS name: ASCII (punycode), lower case, no trailing dot, at most 253 bytes.
    Name(String),
    /// An address, in whatever spelling it came.
    Ip(IpAddr),
}

impl Host {
    /// Reads a host as the WHATWG parser left it. An error says what is wrong without repeating the host.
    pub(super) fn read<S: AsRef<str>>(parsed: &url::Host<S>) -> Result<Self, &'static str> {
        match parsed {
            url::Host::Ipv4(ip) => Ok(Self::Ip((*ip).into())),
            url::Host::Ipv6(ip) => Ok(Self::Ip((*ip).into())),
            url::Host::Domain(name) => {
                let name = name.as_ref();
                let name = name.strip_suffix('.').unwrap_or(name);
                check_name(name)?;
                Ok(Self::Name(name.to_owned()))
            }
        }
    }
}

/// Reads a host as it stands in a URL, or a bare IPv6 address.
impl FromStr for Host {
    /// What is wrong, without the text.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        let parsed = url::Host::parse(text).map_err(|_| "it is neither a name nor an address")?;
        Self::read(&parsed)
    }
}

/// As in a URL: an IPv6 address is in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// RFC 1123, section 2.1, and the underscore, which names in use have. WHATWG's own rules let more through.
fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > 253 {
        return Err("the host name is longer than 253 bytes");
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err("the host name has an empty label");
        }
        if label.len() > 63 {
            return Err("the host name has a label longer than 63 bytes");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("a label of the host name starts or ends with a hyphen");
        }
        if !label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_')) {
            return Err("the host name has a character that host names don't have");
        }
    }
    Ok(())
}

/// Applies the tier's lists and the rules for names. An address is judged by [`judge`](super::judge) as well.
///
/// # Errors
/// `HostNotAllowed` when the tier says so, `HostInternal` when the name can only mean something internal.
pub(super) fn judge_host(host: &Host, rules: &Rules) -> Result<(), Refusal> {
    if rules.denied_hosts.iter().any(|pattern| pattern.matches(host)) {
        let detail = format!("{host} is one of the tier's deniedHosts");
        return Err(Refusal::new(Reason::HostNotAllowed, detail));
    }
    if !rules.allowed_hosts.is_empty() && !rules.allowed_hosts.iter().any(|p| p.matches(host)) {
        let detail = format!("{host} is not one of the tier's allowedHosts");
        return Err(Refusal::new(Reason::HostNotAllowed, detail));
    }
    let Host::Name(name) = host else {
        return Ok(());
    };
    match internal(name, rules) {
        Some(why) if !rules.allowed_hosts.iter().any(|pattern| pattern.is_exactly(host)) => {
            Err(Refusal::new(Reason::HostInternal, format!("{name} {why}")))
        }
        _ => Ok(()),
    }
}

/// Names, and all names below them, that only mean something inside a host, a site or a cluster. The metadata services of
/// clouds are those with names in the public DNS, or that clouds answer for; the others are under `.internal` or have a single
/// label.
pub(super) const INTERNAL_DOMAINS: &[(&str, &str)] = &[
    ("localhost", "is the sender itself (RFC 6761)"),
    ("localdomain", HOSTS_FILE),
    ("localdomain6", HOSTS_FILE),
    ("local", "is a name of the local link (RFC 6762)"),
    ("internal", "is a name for private use (reserved by ICANN)"),
    ("svc", "is a Kubernetes service"),
    ("pod", "is a Kubernetes pod"),
    ("home.arpa", "is a name of a home network (RFC 8375)"),
    ("onion", "is a Tor service (RFC 7686)"),
    ("test", "is a name for testing (RFC 6761)"),
    ("invalid", "is no name by definition (RFC 6761)"),
    ("metadata.goog", METADATA),                // Google
    ("metadata.azure.com", METADATA),           // Azure
    ("metadata.tencentyun.com", METADATA),      // Tencent: 169.254.0.23
    ("metadata.cloud.ibm.com", METADATA),       // IBM: api.metadata.cloud.ibm.com is 169.254.169.254
    ("metadata.packet.net", METADATA),          // Equinix Metal, as it was called: 192.80.8.124
    ("metadata.platformequinix.com", METADATA), // Equinix Metal
];

/// `localhost.localdomain` and `localhost6.localdomain6` are the sender itself; what else is there is a host's own idea.
const HOSTS_FILE: &str = "is in the domain that hosts give themselves before they have one";

const METADATA: &str = "is a cloud's metadata service";

/// What makes a name internal, if anything does.
fn internal(name: &str, rules: &Rules) -> Option<&'static str> {
    if !name.contains('.') {
        return Some("has a single label: write the full domain name");
    }
    if rules.cluster_domain().is_some_and(|domain| is_or_is_below(name, &domain)) {
        return Some("is in the cluster's own domain");
    }
    INTERNAL_DOMAINS.iter().find(|(domain, _)| is_or_is_below(name, domain)).map(|(_, why)| *why)
}

/// Whether a name is a domain or lies below it, label by label.
pub(super) fn is_or_is_below(name: &str, domain: &str) -> bool {
    name == domain || is_below(name, domain)
}

/// Whether a name lies below a domain: `a.b.c` below `b.c` and `c`, but `ab.c` not below `b.c`.
pub(super) fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
