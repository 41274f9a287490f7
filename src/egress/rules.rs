//! What the admin's tier and the cluster's configuration say about destinations.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::host::{Host, is_below};

/// What the tier allows beyond the public Internet, and what it denies. The default is all of the public Internet on port 443.
/// Tenants can't change any of it.
///
/// The sender gets it in `delivery.json`, under the field names of `WebhookTier`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rules {
    /// When not empty, only these hosts are allowed. An exact entry also allows an internal *name*; its addresses still have to
    /// be public or in `allowedCIDRs`.
    pub allowed_hosts: Vec<HostPattern>,
    /// These hosts are never allowed, even if `allowedHosts` has them. They are compared with the URL's host, not with the
    /// addresses of a name.
    pub denied_hosts: Vec<HostPattern>,
    /// Ports beside 443, which is always allowed.
    pub allowed_ports: Vec<u16>,
    /// Blocks that are allowed although they are not public.
    #[serde(rename = "allowedCIDRs")]
    pub allowed_cidrs: Vec<IpNet>,
    /// The cluster's own ranges (nodes, pods, services). The more specific block wins against `allowedCIDRs`, and the allowed one
    /// wins when both are the same: so `10.0.0.0/8` opens a company's network but not the cluster inside it.
    #[serde(rename = "deniedCIDRs")]
    pub denied_cidrs: Vec<IpNet>,
    /// The addresses of the cluster's load balancers. An allowed block opens one only if it is exactly this address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub load_balancers: Vec<IpAddr>,
    /// The cluster's DNS domain, such as `cluster.local`.
    pub cluster_domain: Option<String>,
}

impl Rules {
    /// Whether a port may be connected to.
    pub(super) fn allows_port(&self, port: u16) -> bool {
        port == 443 || self.allowed_ports.contains(&port)
    }

    /// The cluster's domain, in the form that [`Host::Name`] has.
    pub(super) fn cluster_domain(&self) -> Option<String> {
        let domain = self.cluster_domain.as_deref()?.trim_matches('.').to_ascii_lowercase();
        (!domain.is_empty()).then_some(domain)
    }
}

/// An entry of `allowedHosts` or `deniedHosts`: a host, or `*.` and a domain for all names below it, at any depth, but not the
/// domain itself. It is kept and compared in ASCII (punycode) form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exact(Host),
    Below(String),
}

impl HostPattern {
    /// Whether the pattern covers a host.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match (&self.0, host) {
            (Pattern::Exact(exact), host) => exact == host,
            (Pattern::Below(domain), Host::Name(name)) => is_below(name, domain),
            (Pattern::Below(_), Host::Ip(_)) => false,
        }
    }

    /// Whether the pattern is exactly this host, not a wildcard.
    pub(super) fn is_exactly(&self, host: &Host) -> bool {
        matches!(&self.0, Pattern::Exact(exact) if exact == host)
    }
}

/// What is wrong with a host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} is not a host pattern: {problem}; write a host such as hooks.example.com, or *.example.com")]
pub struct PatternError {
    pattern: String,
    problem: &'static str,
}

impl FromStr for HostPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error = |problem| PatternError { pattern: text.to_owned(), problem };
        let (below, rest) = match text.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, text),
        };
        if rest.contains('*') {
            return Err(error("* stands only for the whole first label"));
        }
        if rest.contains(['/', '@', '?', '#']) || rest.contains(char::is_whitespace) {
            return Err(error("it is a host alone, without scheme, port, path or blanks"));
        }
        let host = rest.parse().map_err(error)?;
        match (below, host) {
            (false, host) => Ok(Self(Pattern::Exact(host))),
            (true, Host::Name(domain)) => Ok(Self(Pattern::Below(domain))),
            (true, Host::Ip(_)) => Err(error("no name lies below an address")),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Exact(host) => write!(f, "{host}"),
            Pattern::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_kept_in_ascii_form() {
        for (text, kept) in [
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            ("*.Bücher.example", "*.xn--bcher-kva.example"),
            ("1.1.1.1", "1.1.1.1"),
            ("0x01010101", "1.1.1.1"),
            ("2606:4700:4700::1111", "[2606:4700:4700::1111]"),
            ("[2606:4700:4700:0::1111]", "[2606:4700:4700::1111]"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), kept);
        }
    }

    #[test]
    fn refuses_bad_patterns_and_says_what_to_write() {
        for text in [
            "",
            "*",
            "*.",
            "a.*.com",
            "*a.com",
            "**.com",
            "https://a.com",
            "a.com/x",
            "a.com:443",
            "u@a.com",
            "a b.com",
            " a.com",
            "a..com",
            "*.1.1.1.1",
            "*.[::1]",
            "[::1",
            "a.com?x",
            "-a.com",
        ] {
            let error = text.parse::<HostPattern>().unwrap_err().to_string();
            assert!(error.contains("write a host such as"), "{text:?}: {error}");
        }
    }

    #[test]
    fn rules_travel_as_json_under_the_tiers_names() {
        let json = r#"{"allowedHosts":["*.example.com"],"deniedHosts":["bad.example.com"],"allowedPorts":[8443],
            "allowedCIDRs":["10.1.0.0/16"],"deniedCIDRs":["10.96.0.0/12","fd00::/8"],"clusterDomain":"cluster.local"}"#;
        let rules: Rules = serde_json::from_str(json).unwrap();
        assert_eq!(rules.allowed_ports, [8443]);
        assert_eq!(rules.denied_cidrs.len(), 2);
        let again: Rules = serde_json::from_str(&serde_json::to_string(&rules).unwrap()).unwrap();
        assert_eq!(again, rules);
        assert_eq!(serde_json::from_str::<Rules>("{}").unwrap(), Rules::default());
    }

    #[test]
    fn refuses_unknown_fields_and_bad_values() {
        for json in [
            r#"{"allowedHost":[]}"#,
            r#"{"allowedCIDRs":["10.0.0.0"]}"#,
            r#"{"allowedPorts":[70000]}"#,
            r#"{"deniedHosts":["*"]}"#,
        ] {
            assert!(serde_json::from_str::<Rules>(json).is_err(), "{json}");
        }
    }
}
