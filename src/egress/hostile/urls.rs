//! Hostile URLs where the address is not the point: names, schemes, userinfo, ports, and characters where none belong.

use super::super::Reason;
use super::spellings::{full_width, percent_encoded};

/// URLs that have something in common, and why each of them must be refused.
pub(in super::super) struct Class {
    /// What they have in common.
    pub(in super::super) what: &'static str,
    /// The one that readers understand best.
    pub(in super::super) example: &'static str,
    pub(in super::super) reason: Reason,
    pub(in super::super) urls: Vec<String>,
}

/// Domains that mean something inside a host, a site or a cluster, with all names below them. They are written out here, not
/// taken from the list under test.
pub(in super::super) const INTERNAL_DOMAINS: [&str; 18] = [
    "localhost",
    "localdomain",
    "localhost.localdomain",
    "localdomain6",
    "local",
    "internal",
    "svc",
    "pod",
    "home.arpa",
    "onion",
    "test",
    "invalid",
    "metadata.goog",
    "metadata.azure.com",
    "metadata.tencentyun.com",
    "metadata.cloud.ibm.com",
    "metadata.packet.net",
    "metadata.platformequinix.com",
];

/// Names that are internal because they have one label, or that lie deeper in an internal domain.
const INTERNAL_NAMES: [&str; 8] = [
    "metadata",
    "instance-data",
    "intranet",
    "kubernetes",
    "metadata.google.internal",
    "instance-data.ec2.internal",
    "api.metadata.cloud.ibm.com",
    "kubernetes.default.svc.cluster.local",
];

/// Internal names, one class for each spelling.
pub(in super::super) fn internal_names() -> Vec<Class> {
    let below = INTERNAL_DOMAINS
        .iter()
        .flat_map(|domain| [(*domain).to_owned(), format!("a.{domain}"), format!("a.b.{domain}")]);
    let names: Vec<String> = below.chain(INTERNAL_NAMES.map(str::to_owned)).collect();
    let class = |what, example, spell: &dyn Fn(&str) -> Vec<String>| {
        let hosts = names.iter().flat_map(|name| spell(name));
        let urls = hosts.map(|host| format!("https://{host}/")).collect();
        Class { what, example, reason: Reason::HostInternal, urls }
    };
    vec![
        class("as it is", "https://a.localhost/", &|name| vec![name.to_owned()]),
        class("in upper case", "https://A.LOCALHOST/", &|name| vec![name.to_uppercase()]),
        class("a full stop at the end, of each sort", "https://a.localhost。/", &|name| {
            [".", "。", "%2e"].map(|stop| format!("{name}{stop}")).to_vec()
        }),
        class("percent-encoded", "https://%61%2e%6c%6f%63%61%6c%68%6f%73%74/", &|name| vec![percent_encoded(name)]),
        class("full-width letters, also percent-encoded", "https://ａ．ｌｏｃａｌｈｏｓｔ/", &|name| {
            vec![full_width(name), percent_encoded(&full_width(name))]
        }),
        class("ideographic full stops", "https://a。localhost/", &|name| vec![name.replace('.', "。")]),
        class("circled letters", "https://a.lⓞcalhⓞst/", &|name| vec![name.replace('o', "ⓞ")]),
        class("soft hyphens", "https://%C2%ADa.loc%C2%ADalhost/", &|name| vec![name.replace('a', "%C2%ADa")]),
    ]
}

/// Everything that isn't about names and addresses.
pub(in super::super) fn others() -> Vec<Class> {
    vec![schemes(), userinfo(), ports(), control_characters(), blanks()]
}

pub(in super::super) fn schemes() -> Class {
    let schemes = [
        "http",
        "HTTP",
        "hTTp",
        "ftp",
        "ftps",
        "file",
        "gopher",
        "ws",
        "wss",
        "data",
        "javascript",
        "blob",
        "dict",
        "ldap",
        "sftp",
        "tftp",
        "jar",
        "netdoc",
        "view-source",
        "about",
        "mailto",
        "unix",
        "httpss",
        "https+unix",
        "xhttps",
        "h",
    ];
    let forms =
        schemes.iter().flat_map(|s| [format!("{s}://example.com/"), format!("{s}:example.com"), format!("{s}:")]);
    let (what, example) = ("a scheme other than `https`", "gopher://example.com/");
    Class { what, example, reason: Reason::SchemeNotHttps, urls: forms.collect() }
}

pub(in super::super) fn userinfo() -> Class {
    let users =
        ["", ":", "u", "u:", ":p", "u:p", "u%40x", "1.1.1.1", "example.com:443", "a@b", "@", "[::1]", "%00", "ü"];
    let hosts = ["example.com", "127.0.0.1", "1.1.1.1", "[::1]", "localhost", "example.com:8443"];
    let urls = users.iter().flat_map(|user| hosts.iter().map(move |host| format!("https://{user}@{host}/")));
    let (what, example) = ("a user name or password, if only their `@`", "https://example.com:443@127.0.0.1/");
    Class { what, example, reason: Reason::UserinfoInUrl, urls: urls.collect() }
}

pub(in super::super) fn ports() -> Class {
    let ports = (0..=65535_u32).step_by(257).chain([22, 80, 444, 6443, 8080, 8443, 10250]);
    let urls = ports.map(|port| format!("https://example.com:{port}/")).collect();
    let (what, example) = ("a port other than 443", "https://example.com:6443/");
    Class { what, example, reason: Reason::PortNotAllowed, urls }
}

pub(in super::super) fn control_characters() -> Class {
    let url = "https://example.com/a?b#c";
    let bad = (0..0x20).chain(0x7f..0xa0).filter_map(char::from_u32).chain(['\\']);
    // One line end after the URL is not part of it.
    let places = |c| 0..=url.len() - usize::from(matches!(c, '\r' | '\n'));
    let urls = bad.flat_map(|c| places(c).map(move |at| format!("{}{c}{}", &url[..at], &url[at..])));
    let (what, example) = ("a control character or a backslash, at each place", "https:\\\\example.com/a?b#c");
    Class { what, example, reason: Reason::UrlMalformed, urls: urls.collect() }
}

pub(in super::super) fn blanks() -> Class {
    let url = "https://example.com:443/";
    let blanks = [' ', '\u{a0}', '\u{1680}', '\u{2003}', '\u{2028}', '\u{202f}', '\u{205f}', '\u{3000}'];
    let urls = blanks.iter().flat_map(|c| (0..=url.len()).map(move |at| format!("{}{c}{}", &url[..at], &url[at..])));
    let (what, example) = ("a blank of any script around the URL or in its host", "https://exam ple.com:443/");
    Class { what, example, reason: Reason::UrlMalformed, urls: urls.collect() }
}
