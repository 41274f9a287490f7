//! Which names deliveries may go to, by the tier's lists and by what kind of name it is.

use super::host::{Host, is_below};
use super::reason::{Reason, Refusal};
use super::rules::Rules;

/// Applies the tier's lists and the rules for names. [`judge`](super::judge) judges addresses.
///
/// # Errors
/// `HostNotAllowed` when the tier doesn't allow the host, `HostInternal` when the name can only mean something internal.
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

/// Names that, with all names below them, only mean something inside a host, a site or a cluster. Of the clouds' metadata
/// services, the list has those with names in the public DNS, or with names that clouds answer for; the others are under
/// `.internal` or have a single label.
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

/// `localhost.localdomain` and `localhost6.localdomain6` are the sender itself. Other names there are whatever the host's own
/// configuration says.
const HOSTS_FILE: &str = "is in the domain that hosts give themselves before they have one";

const METADATA: &str = "is a cloud's metadata service";

/// Why a name is internal, if it is.
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

#[cfg(test)]
mod tests;
