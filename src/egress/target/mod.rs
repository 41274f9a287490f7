//! The URL of a delivery: from bytes that a tenant wrote to a [`Target`] that all rules for URLs and names allow.

use std::fmt;

use url::{Position, Url};
use zeroize::Zeroizing;

use super::address::judge;
use super::host::Host;
use super::name::judge_host;
use super::reason::{Reason, Refusal};
use super::rules::Rules;
use crate::values;

/// The longest URL, in bytes.
pub const MAX_URL_BYTES: usize = 2048;

/// Shown in place of a URL when no part of it can be shown safely.
const NOTHING_TO_SHOW: &str = "...";

/// A destination that the rules for URLs and names allow. If its host is an address, that is judged too; if it is a name,
/// [`resolve`](super::resolve) judges its addresses.
///
/// It holds the parsed URL, and only that is used: nothing reads the tenant's bytes a second time.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    host: Host,
    port: u16,
    path_and_query: PathAndQuery,
}

/// The part of a URL that is a credential. It can't be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PathAndQuery(Zeroizing<String>);

impl PathAndQuery {
    /// The text, only for the request line. It starts with `/` and has only visible ASCII characters.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PathAndQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/...")
    }
}

impl Target {
    /// Reads and judges a URL as it comes from the Secret, without one trailing line end.
    ///
    /// The raw bytes are judged first, because the WHATWG parser corrects what it reads: it drops tabs, line breaks, leading
    /// blanks and, in a host, invisible characters, and reads `\` as `/`. Then they are parsed once.
    ///
    /// # Errors
    /// Every [`Reason`] except `NameNotResolved`.
    pub fn parse(raw: &[u8], rules: &Rules) -> Result<Self, Refusal> {
        let written = Written::read(raw)?;
        if !written.scheme.eq_ignore_ascii_case("https") {
            let detail = "the URL's scheme is not https: deliveries are only made over TLS";
            return Err(Refusal::new(Reason::SchemeNotHttps, detail));
        }
        let authority = written.authority()?;
        if authority.contains('@') {
            let detail = "the URL has a user name or password (or a bare @): put credentials in a header";
            return Err(Refusal::new(Reason::UserinfoInUrl, detail));
        }
        let url = Url::parse(written.text).map_err(|error| malformed(error.to_string()))?;
        let host = host_of(&url)?;
        // `port_or_known_default` knows https.
        let port = url.port_or_known_default().unwrap_or(443);
        if !rules.allows_port(port) {
            let detail = format!("port {port} is neither 443 nor one of the tier's allowedPorts");
            return Err(Refusal::new(Reason::PortNotAllowed, detail));
        }
        judge_host(&host, rules)?;
        if let Host::Ip(ip) = host {
            judge(ip, rules)?;
        }
        let path_and_query = Zeroizing::new(url[Position::BeforePath..Position::AfterQuery].to_owned());
        drop(Zeroizing::new(String::from(url)));
        // The parser has encoded everything else.
        if !path_and_query.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed("the URL's path or query can't be sent as it is"));
        }
        Ok(Self { host, port, path_and_query: PathAndQuery(path_and_query) })
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path and query, for the request line. The fragment is not sent, so it is not kept.
    #[must_use]
    pub fn path_and_query(&self) -> &PathAndQuery {
        &self.path_and_query
    }

    /// Host, and port unless it is 443: the value of the `Host` header (RFC 9110, section 7.2).
    #[must_use]
    pub fn authority(&self) -> String {
        authority(&self.host, Some(self.port).filter(|port| *port != 443))
    }

    /// The name or address that the certificate must be for, as TLS libraries want it: no brackets, no trailing dot.
    #[must_use]
    pub fn server_name(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::Ip(ip) => ip.to_string(),
        }
    }

    /// The part of the URL that people may see: `https://host/...`, with the port when it is not 443.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("https://{}/...", self.authority())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The part of a URL that people may see, whether it is allowed or not: as [`Target::masked`], or `...` when it is too malformed
/// to tell which part of it is the host.
#[must_use]
pub fn masked(raw: &[u8]) -> String {
    seen(raw).map_or_else(|| NOTHING_TO_SHOW.to_owned(), |(masked, _)| masked)
}

/// The masked form and the host of a URL, if its host can be told.
pub(crate) fn seen(raw: &[u8]) -> Option<(String, Host)> {
    let written = Written::read(raw).ok()?;
    let scheme = written.scheme.to_ascii_lowercase();
    // Text before any other colon may not be a scheme: the whole may be a key that was put into the wrong field.
    if !["https", "http", "wss", "ws", "ftp"].contains(&scheme.as_str()) {
        return None;
    }
    written.authority().ok()?;
    let url = Url::parse(written.text).ok()?;
    let host = host_of(&url).ok()?;
    Some((format!("{scheme}://{}/...", authority(&host, url.port())), host))
}

fn authority(host: &Host, port: Option<u16>) -> String {
    port.map_or_else(|| host.to_string(), |port| format!("{host}:{port}"))
}

fn host_of(url: &Url) -> Result<Host, Refusal> {
    let host = url.host().ok_or_else(|| malformed("the URL has no host"))?;
    Host::read(&host).map_err(malformed)
}

fn malformed(detail: impl Into<String>) -> Refusal {
    Refusal::new(Reason::UrlMalformed, detail)
}

/// A URL as it was written, cut where every reader of URLs would cut it.
struct Written<'a> {
    text: &'a str,
    scheme: &'a str,
    /// The text after the scheme's colon.
    rest: &'a str,
}

impl<'a> Written<'a> {
    /// Refuses what different readers read differently, and what no URL contains.
    fn read(raw: &'a [u8]) -> Result<Self, Refusal> {
        let raw = values::line(raw);
        if raw.len() > MAX_URL_BYTES {
            let detail = format!("the URL has {} bytes; the limit is {MAX_URL_BYTES}", raw.len());
            return Err(Refusal::new(Reason::UrlTooLong, detail));
        }
        if let Some(flaw) = values::flaw(raw, &["https:", "http:"]) {
            return Err(malformed(format!("the URL {}", flaw.of_url())));
        }
        let text = str::from_utf8(raw).map_err(|_| malformed("the URL is not UTF-8"))?;
        if text.is_empty() {
            return Err(malformed("the URL is empty"));
        }
        if text.contains(char::is_control) {
            return Err(malformed("the URL has a control character, such as a tab or line break"));
        }
        if text.contains('\\') {
            return Err(malformed("the URL has a backslash: write / or %5C"));
        }
        let (scheme, rest) = text
            .split_once(':')
            .filter(|(scheme, _)| is_scheme(scheme))
            .ok_or_else(|| malformed("the URL has no scheme: write https://host/path"))?;
        Ok(Self { text, scheme, rest })
    }

    /// The text between `//` and the path, query or fragment: the userinfo, host and port.
    fn authority(&self) -> Result<&'a str, Refusal> {
        let after = self.rest.strip_prefix("//").filter(|after| !after.starts_with('/'));
        let after = after.ok_or_else(|| malformed("the scheme is not followed by // and a host"))?;
        let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains(char::is_whitespace) {
            return Err(malformed("the URL's host has a blank in it"));
        }
        Ok(authority)
    }
}

/// Whether the text is a scheme (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests;
