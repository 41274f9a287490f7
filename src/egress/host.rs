//! The host of a URL: a name or an address, and the rules for names.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The host of a URL after parsing, in the one form that every rule applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A DNS name: ASCII (punycode), lower case, no trailing dot, at most 253 bytes.
    Name(String),
    /// An address, however it was spelled.
    Ip(IpAddr),
}

impl Host {
    /// Reads a host as the WHATWG parser returns it. An error says what is wrong without repeating the host.
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

/// Reads a host as it is written in a URL, or a bare IPv6 address.
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

/// As in a URL, with an IPv6 address in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// RFC 1123, section 2.1, plus the underscore, which names in use have. WHATWG's own rules allow more.
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
            return Err("the host name has a character that is not allowed in host names");
        }
    }
    Ok(())
}

/// Whether a name lies below a domain: `a.b.c` below `b.c` and `c`, but `ab.c` not below `b.c`.
pub(super) fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

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
