use Reason::{AddressInternal, HostInternal, PortNotAllowed, SchemeNotHttps, UrlMalformed, UserinfoInUrl};

use super::*;

const TRICKS: &[(&str, Reason)] = &[
    // Not a URL, or not one that all readers read alike.
    ("", UrlMalformed),
    ("https", UrlMalformed),
    ("https:", UrlMalformed),
    ("https:/", UrlMalformed),
    ("https://", UrlMalformed),
    ("https:///", UrlMalformed),
    ("https://?x", UrlMalformed),
    ("https://#", UrlMalformed),
    ("https:example.com", UrlMalformed),
    ("https:/example.com/", UrlMalformed),
    ("https:///example.com/", UrlMalformed),
    ("https:////example.com/", UrlMalformed),
    ("https:/\\example.com/", UrlMalformed),
    ("https:\\\\example.com\\", UrlMalformed),
    ("https://example.com\\@127.0.0.1/", UrlMalformed),
    ("//example.com/", UrlMalformed),
    ("/path", UrlMalformed),
    ("example.com/path", UrlMalformed),
    ("%68ttps://example.com/", UrlMalformed),
    ("ｈttps://example.com/", UrlMalformed),
    ("\u{feff}https://example.com/", UrlMalformed),
    ("https://example.com/\n\n", UrlMalformed),
    ("https://exa\tmple.com/", UrlMalformed),
    ("https://example.com\0.evil.com/", UrlMalformed),
    ("https://exa mple.com/", UrlMalformed),
    ("https://exa%20mple.com/", UrlMalformed),
    ("https://exa%00mple.com/", UrlMalformed),
    ("https://example.com%2f@127.0.0.1/", UserinfoInUrl),
    ("https://example.com%2f.evil.com/", UrlMalformed),
    ("https://user%40127.0.0.1/", UrlMalformed),
    ("https://example.com:443./", UrlMalformed),
    ("https://example.com:99999/", UrlMalformed),
    ("https://example.com:-443/", UrlMalformed),
    ("https://example.com:+443/", UrlMalformed),
    ("https://example.com:4４3/", UrlMalformed),
    ("https://example.com:443:443/", UrlMalformed),
    ("https://:443/", UrlMalformed),
    // Hosts that are neither a name nor an address.
    ("https://a..b/", UrlMalformed),
    ("https://.example.com/", UrlMalformed),
    ("https://example.com../", UrlMalformed),
    ("https://./", UrlMalformed),
    ("https://a*b.example.com/", UrlMalformed),
    ("https://$example.com/", UrlMalformed),
    ("https://1.2.3.4.5/", UrlMalformed),
    ("https://256.1.1.1/", UrlMalformed),
    ("https://1.1.1.08/", UrlMalformed),
    ("https://4294967296/", UrlMalformed),
    ("https://0x100000000/", UrlMalformed),
    ("https://example.0x7f/", UrlMalformed),
    ("https://127.0.0.1../", UrlMalformed),
    ("https://[::1/", UrlMalformed),
    ("https://::1/", UrlMalformed),
    ("https://[::1]x/", UrlMalformed),
    ("https://[1.1.1.1]/", UrlMalformed),
    ("https://[fe80::1%25eth0]/", UrlMalformed),
    ("https://[fe80::1%eth0]/", UrlMalformed),
    ("https://[2606:4700:4700::1111%25eth0]/", UrlMalformed),
    ("https://[v1.fe80]/", UrlMalformed),
    ("https://xn--localhost-/", UrlMalformed),
    ("https://xn--/", UrlMalformed),
    ("https://xn--a.com/", UrlMalformed),
    // Schemes and userinfo.
    ("http://example.com/", SchemeNotHttps),
    ("example.com:443/", SchemeNotHttps),
    ("javascript:alert(1)", SchemeNotHttps),
    ("file:///etc/passwd", SchemeNotHttps),
    ("https+x://example.com/", SchemeNotHttps),
    ("https://1.1.1.1@127.0.0.1/", UserinfoInUrl),
    ("https://@example.com/", UserinfoInUrl),
    ("https://:@example.com/", UserinfoInUrl),
    ("https://user:pass@example.com/", UserinfoInUrl),
    ("https://example.com:80@127.0.0.1/", UserinfoInUrl),
    // Ports.
    ("https://example.com:0/", PortNotAllowed),
    ("https://example.com:80/", PortNotAllowed),
    ("https://127.0.0.1:8080/", PortNotAllowed),
    // Names.
    ("https://localhost/", HostInternal),
    ("https://LOCALHOST./", HostInternal),
    ("https://localhost。/", HostInternal),
    ("https://%6c%6fcalhost/", HostInternal),
    ("https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", HostInternal),
    ("https://kubernetes.default.svc/", HostInternal),
    ("https://metadata.google.internal/computeMetadata/v1/", HostInternal),
    // Addresses.
    ("https://0/", AddressInternal),
    ("https://127.1/", AddressInternal),
    ("https://0x7f.1/", AddressInternal),
    ("https://017700000001/", AddressInternal),
    ("https://①②⑦.⓪.⓪.①/", AddressInternal),
    ("https://127。0。0。1/", AddressInternal),
    ("https://127.0.0.1%2e/", AddressInternal),
    ("https://[::]/", AddressInternal),
    ("https://[::1]/", AddressInternal),
    ("https://[::ffff:127.0.0.1]/", AddressInternal),
    ("https://[::ffff:1.1.1.1]/", AddressInternal),
    ("https://[::127.0.0.1]/", AddressInternal),
    ("https://[64:ff9b::7f00:1]/", AddressInternal),
    ("https://[64:ff9b:1::808:808]/", AddressInternal),
    ("https://[2002:7f00:1::]/", AddressInternal),
    ("https://[2606:4700::200:5efe:127.0.0.1]/", AddressInternal),
    ("https://[4000::1]/", AddressInternal),
    ("https://168.63.129.16/", AddressInternal),
    ("https://100.100.100.200/", AddressInternal),
    ("https://192.0.0.192/", AddressInternal),
    ("https://[fd00:ec2::254]/", AddressInternal),
    ("https://[fd20:ce::254]/", AddressInternal),
];

fn target(url: &str) -> Target {
    Target::parse(url.as_bytes(), &Rules::default()).unwrap_or_else(|refusal| panic!("{url:?}: {refusal}"))
}

fn refused(url: &str) -> Reason {
    match Target::parse(url.as_bytes(), &Rules::default()) {
        Ok(target) => panic!("{url:?} was allowed as {target:?}"),
        Err(refusal) => refusal.reason,
    }
}

#[test]
fn allows_ordinary_urls_and_reads_them_as_browsers_do() {
    for (url, authority, path_and_query) in [
        ("https://example.com/a?b#c", "example.com", "/a?b"),
        ("https://example.com", "example.com", "/"),
        ("https://example.com?x=1", "example.com", "/?x=1"),
        ("https://example.com#@127.0.0.1/", "example.com", "/"),
        ("https://example.com/?u=http://127.0.0.1/", "example.com", "/?u=http://127.0.0.1/"),
        ("https://example.com/@127.0.0.1", "example.com", "/@127.0.0.1"),
        ("https://example.com/a:b//c", "example.com", "/a:b//c"),
        ("HTTPS://EXAMPLE.com/Path", "example.com", "/Path"),
        ("https://example.com:443/", "example.com", "/"),
        ("https://example.com:0443/", "example.com", "/"),
        ("https://example.com:/", "example.com", "/"),
        ("https://example.com./", "example.com", "/"),
        ("https://example.com/\n", "example.com", "/"),
        ("https://example.com/\r\n", "example.com", "/"),
        ("https://hooks.slack.com/services/T0/B0/x%2Fy%20z", "hooks.slack.com", "/services/T0/B0/x%2Fy%20z"),
        ("https://example.com/a b", "example.com", "/a%20b"),
        ("https://example.com/a/../b/./c", "example.com", "/b/c"),
        ("https://example.com/ü?ü", "example.com", "/%C3%BC?%C3%BC"),
        ("https://bücher.example/", "xn--bcher-kva.example", "/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/"),
        ("https://例え.jp/", "xn--r8jz45g.jp", "/"),
        ("https://faß.de/", "xn--fa-hia.de", "/"),
        ("https://ex%61mple.com/", "example.com", "/"),
        ("https://under_score.example.com/", "under_score.example.com", "/"),
        ("https://1.1.1.1/", "1.1.1.1", "/"),
        ("https://16843009/", "1.1.1.1", "/"),
        ("https://[2606:4700:4700::1111]/", "[2606:4700:4700::1111]", "/"),
        ("https://[2606:4700:4700:0:0:0:0:1111]:443/", "[2606:4700:4700::1111]", "/"),
        ("https://[64:ff9b::1.1.1.1]/", "[64:ff9b::101:101]", "/"),
        ("https://1.example.com/", "1.example.com", "/"),
        ("https://127.0.0.1.example.com/", "127.0.0.1.example.com", "/"),
        ("https://169.254.169.254.nip.io/", "169.254.169.254.nip.io", "/"),
        ("https://a--b.example.com/", "a--b.example.com", "/"),
        ("https://localhost.example.com/", "localhost.example.com", "/"),
    ] {
        let target = target(url);
        assert_eq!(target.authority(), authority, "{url}");
        assert_eq!(target.path_and_query().expose_secret(), path_and_query, "{url}");
        assert_eq!(target.port(), 443, "{url}");
        assert_eq!(target.masked(), format!("https://{authority}/..."));
        assert_eq!(target.server_name(), authority.trim_matches(['[', ']']));
    }
}

#[test]
fn refuses_tricks_of_the_trade_for_the_reason_that_is_true() {
    for (url, reason) in TRICKS {
        assert_eq!(refused(url), *reason, "{url:?}");
    }
}

#[test]
fn refuses_characters_that_vanish_or_look_alike_without_making_a_name_of_them() {
    for url in [
        "https://local\u{200b}host/",
        "https://loc\u{ad}alhost/",
        "https://local\u{200d}host/",
        "https://local\u{2060}host/",
        "https://\u{202e}localhost/",
        "https://localhost\u{fe0f}/",
        "https://127.0.0\u{200b}.1/",
        "https://example.com\u{ff0f}@127.0.0.1/",
        "https://a\u{ff1a}443/",
    ] {
        refused(url);
    }
}

#[test]
fn says_what_does_not_belong_to_a_url_and_nothing_else_of_it() {
    for (url, named) in [
        ("\u{feff}https://example.com/c4n4ry", "byte order mark"),
        ("'https://example.com/c4n4ry'", "quotation mark"),
        ("aHR0cHM6Ly9leGFtcGxlLmNvbS9jNG40cnk=", "base64 twice"),
        ("https://example.com/c4n4ry\u{200b}", "U+200B (zero-width space)"),
        ("https://example.com/c4n4ry ", "a blank or a line break"),
        ("https://example.com/c4n4ry\r\n\r\n", "a blank or a line break"),
        ("https://example.com/{{c4n4ry}}", "placeholder ({{...}})"),
        ("https://example.com/?c4n4ry=$(1)", "body alone; if it is meant, percent-encode it"),
        ("https://example.com/?q=a<c4n4ry&r=c>d", "body alone; if it is meant, percent-encode it"),
        ("https://example.com/c4n4ry\"", "store it without; if it is meant, percent-encode it"),
        ("https://${c4n4ry}.example.com/", "placeholder (${...})"),
    ] {
        let refusal = Target::parse(url.as_bytes(), &Rules::default()).unwrap_err();
        assert_eq!(refusal.reason, UrlMalformed, "{url:?}");
        assert!(refusal.detail.contains(named) && !refusal.detail.contains("c4n4ry"), "{url:?}: {refusal}");
        assert_eq!(masked(url.as_bytes()), "...");
    }
}

#[test]
fn encodes_quotation_marks_in_pairs() {
    let target = target("https://example.com/o'brien?name='a'&q=\"phrase\"");
    assert_eq!(target.path_and_query().expose_secret(), "/o'brien?name=%27a%27&q=%22phrase%22");
}

#[test]
fn limits_the_length_in_bytes() {
    let url = |length: usize| format!("{:x<length$}", "https://example.com/");
    assert!(Target::parse(url(MAX_URL_BYTES).as_bytes(), &Rules::default()).is_ok());
    assert_eq!(refused(&url(MAX_URL_BYTES + 1)), Reason::UrlTooLong);
    let name = |label: usize, labels: usize| format!("https://{}com/", ("a".repeat(label) + ".").repeat(labels));
    target(&name(63, 3));
    assert_eq!(refused(&name(64, 3)), UrlMalformed);
    assert_eq!(refused(&name(63, 4)), UrlMalformed);
}

#[test]
fn refuses_bytes_that_are_not_utf8() {
    let refusal = Target::parse(b"https://example.com/\xff", &Rules::default()).unwrap_err();
    assert_eq!(refusal.reason, UrlMalformed);
}

#[test]
fn a_port_is_allowed_by_the_tier_beside_443() {
    let rules = Rules { allowed_ports: vec![8443], ..Rules::default() };
    let target = Target::parse(b"https://example.com:8443/x", &rules).unwrap();
    assert_eq!(target.authority(), "example.com:8443");
    assert_eq!(target.masked(), "https://example.com:8443/...");
    assert_eq!(target.server_name(), "example.com");
    assert!(Target::parse(b"https://example.com/", &rules).is_ok());
    assert!(Target::parse(b"https://example.com:80/", &rules).is_err());
}

#[test]
fn an_allowed_block_lifts_the_refusal_of_a_literal() {
    let rules = Rules { allowed_cidrs: vec!["127.0.0.0/8".parse().unwrap()], ..Rules::default() };
    assert!(Target::parse(b"https://0x7f.1/", &rules).is_ok());
    assert!(Target::parse(b"https://10.0.0.1/", &rules).is_err());
    assert!(Target::parse(b"https://localhost/", &rules).is_err());
}

#[test]
fn shows_the_host_and_nothing_else() {
    let target = target("https://hooks.example.com/c4n4ry?c4n4ry");
    assert_eq!(format!("{target:?}"), "https://hooks.example.com/...");
    assert_eq!(format!("{:?}", target.path_and_query()), "/...");
}

#[test]
fn masks_refused_urls_too_and_shows_nothing_of_what_may_not_be_one() {
    for (url, shown) in [
        ("https://user:c4n4ry@127.0.0.1/c4n4ry", "https://127.0.0.1/..."),
        ("HTTP://Example.com:8080/c4n4ry", "http://example.com:8080/..."),
        ("https://localhost/c4n4ry#c4n4ry", "https://localhost/..."),
        ("https://c4n4ry\\@example.com/", "..."),
        ("c4n4ry:c4n4ry", "..."),
        ("https:c4n4ry", "..."),
        ("c4n4ry", "..."),
        ("", "..."),
    ] {
        assert_eq!(masked(url.as_bytes()), shown, "{url}");
    }
}
