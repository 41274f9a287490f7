//! The host of a URL: a name or an address, and the rules for names.

use std::fmt;
use std::net::IpAddr;

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
    let Host::Name(name) = host else { return Ok(()) };
    match internal(name, rules) {
        Some(why) if !rules.allowed_hosts.iter().any(|pattern| pattern.is_exactly(host)) => {
            Err(Refusal::new(Reason::HostInternal, format!("{name} {why}")))
        }
        _ => Ok(()),
    }
}

/// Names, and all names below them, that only mean something inside a host, a site or a cluster.
const INTERNAL_DOMAINS: &[(&str, &str)] = &[
    ("localhost", "is the sender itself (RFC 6761)"),
    ("local", "is a name of the local link (RFC 6762)"),
    ("internal", "is a name for private use (reserved by ICANN)"),
    ("svc", "is a Kubernetes service"),
    ("home.arpa", "is a name of a home network (RFC 8375)"),
    ("onion", "is a Tor service (RFC 7686)"),
    ("test", "is a name for testing (RFC 6761)"),
    ("invalid", "is no name by definition (RFC 6761)"),
];

/// Names that are internal by themselves. The metadata services of clouds are those with names in the public DNS, or
/// that clouds answer for; the others are under `.internal` or have a single label.
const INTERNAL_NAMES: &[(&str, &str)] = &[
    ("localhost.localdomain", "is the sender itself"),
    ("metadata.goog", METADATA),                // Google
    ("metadata.azure.com", METADATA),           // Azure
    ("metadata.tencentyun.com", METADATA),      // Tencent: 169.254.0.23
    ("api.metadata.cloud.ibm.com", METADATA),   // IBM: 169.254.169.254
    ("metadata.packet.net", METADATA),          // Equinix Metal, as it was called: 192.80.8.124
    ("metadata.platformequinix.com", METADATA), // Equinix Metal
];

const METADATA: &str = "is a cloud's metadata service";

/// What makes a name internal, if anything does.
fn internal(name: &str, rules: &Rules) -> Option<&'static str> {
    if !name.contains('.') {
        return Some("has a single label: write the full domain name");
    }
    if rules.cluster_domain().is_some_and(|domain| is_or_is_below(name, &domain)) {
        return Some("is in the cluster's own domain");
    }
    let domains = INTERNAL_DOMAINS.iter().filter(|(domain, _)| is_or_is_below(name, domain));
    let names = INTERNAL_NAMES.iter().filter(|(internal, _)| name == *internal);
    domains.chain(names).map(|(_, why)| *why).next()
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
mod tests {
    use super::*;

    fn verdict(name: &str, rules: &Rules) -> Option<Reason> {
        judge_host(&Host::Name(name.to_owned()), rules).err().map(|refusal| refusal.reason)
    }

    fn patterns(texts: &[&str]) -> Vec<super::super::HostPattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn refuses_internal_names_and_all_below_them() {
        for name in [
            "localhost", "a.localhost", "localhost.localdomain", "printer.local", "a.b.local", "metadata.google.internal",
            "x.internal", "api.default.svc", "kubernetes.default.svc.cluster.local", "home.arpa", "nas.home.arpa",
            "abc.onion", "a.test", "a.invalid", "metadata", "instance-data", "instance-data.ec2.internal", "metadata.goog",
            "metadata.azure.com", "metadata.tencentyun.com", "api.metadata.cloud.ibm.com", "metadata.packet.net",
            "metadata.platformequinix.com", "intranet",
        ] {
            assert_eq!(verdict(name, &Rules::default()), Some(Reason::HostInternal), "{name}");
        }
    }

    #[test]
    fn allows_names_that_only_look_like_internal_ones() {
        for name in [
            "localhost.example.com", "notlocalhost.com", "mylocal.org", "local.example", "internal.example.com", "svc.io",
            "arpa.net", "xhome.arpa", "test.com", "invalid.org", "onion.example.com", "goog.metadata.com", "example.com",
        ] {
            assert_eq!(verdict(name, &Rules::default()), None, "{name}");
        }
    }

    #[test]
    fn refuses_the_clusters_own_domain_however_it_is_written() {
        for domain in ["k8s.example.org", "K8s.Example.ORG."] {
            let rules = Rules { cluster_domain: Some(domain.to_owned()), ..Rules::default() };
            assert_eq!(verdict("api.default.svc.k8s.example.org", &rules), Some(Reason::HostInternal));
            assert_eq!(verdict("k8s.example.org", &rules), Some(Reason::HostInternal));
            assert_eq!(verdict("xk8s.example.org", &rules), None);
        }
        let rules = Rules { cluster_domain: Some(String::new()), ..Rules::default() };
        assert_eq!(verdict("example.com", &rules), None);
    }

    #[test]
    fn allowed_hosts_narrow() {
        let rules = Rules { allowed_hosts: patterns(&["hooks.example.com", "*.example.org"]), ..Rules::default() };
        assert_eq!(verdict("hooks.example.com", &rules), None);
        assert_eq!(verdict("a.example.org", &rules), None);
        assert_eq!(verdict("a.b.example.org", &rules), None);
        assert_eq!(verdict("example.org", &rules), Some(Reason::HostNotAllowed));
        assert_eq!(verdict("aexample.org", &rules), Some(Reason::HostNotAllowed));
        assert_eq!(verdict("other.com", &rules), Some(Reason::HostNotAllowed));
        let literal = Host::Ip("1.1.1.1".parse().unwrap());
        assert_eq!(judge_host(&literal, &rules).unwrap_err().reason, Reason::HostNotAllowed);
    }

    #[test]
    fn only_an_exact_entry_lifts_the_refusal_of_an_internal_name() {
        let exact = Rules { allowed_hosts: patterns(&["receiver.team.svc", "receiver"]), ..Rules::default() };
        assert_eq!(verdict("receiver.team.svc", &exact), None);
        assert_eq!(verdict("receiver", &exact), None);
        let wild = Rules { allowed_hosts: patterns(&["*.team.svc"]), ..Rules::default() };
        assert_eq!(verdict("receiver.team.svc", &wild), Some(Reason::HostInternal));
    }

    #[test]
    fn a_denied_host_stays_denied_when_it_is_also_allowed() {
        let rules = Rules {
            allowed_hosts: patterns(&["a.example.com"]),
            denied_hosts: patterns(&["*.example.com"]),
            ..Rules::default()
        };
        assert_eq!(verdict("a.example.com", &rules), Some(Reason::HostNotAllowed));
    }

    #[test]
    fn refuses_names_that_dns_could_not_hold() {
        for name in ["", "a..b", ".a.b", "a.b..", "-a.com", "a-.com", "a!b.com", "a*b.com"] {
            let parsed = url::Host::Domain(name);
            assert!(Host::read(&parsed).is_err(), "{name}");
        }
        let long = format!("{}.com", "a".repeat(64));
        assert!(Host::read(&url::Host::Domain(&long)).is_err());
        let long = "abcdefg.".repeat(32) + "com";
        assert!(Host::read(&url::Host::Domain(&long)).is_err());
        assert!(Host::read(&url::Host::Domain("_a.b_c.com.")).is_ok());
    }
}
