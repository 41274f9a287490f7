//! The hostile suite: everything that the generator makes must be refused, each URL for the right reason.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::hostile::spellings::{carriers, spellings};
use super::hostile::{SPECIAL_BLOCKS, is_public, samples, urls};
use super::{Host, Reason, Rules, Target, judge, judge_all, masked};

fn refused(url: &str) -> Option<Reason> {
    Target::parse(url.as_bytes(), &Rules::default()).err().map(|refusal| refusal.reason)
}

/// Fails with all the URLs that were not refused, or were refused for another reason.
fn assert_refused(urls: &[String], reason: Reason) {
    let wrong: Vec<_> = urls.iter().map(|url| (url, refused(url))).filter(|(_, got)| *got != Some(reason)).collect();
    assert!(wrong.is_empty(), "{} of {} not refused as {reason}: {wrong:#?}", wrong.len(), urls.len());
}

#[test]
fn refuses_every_special_block_in_every_spelling() {
    let addresses = SPECIAL_BLOCKS.iter().copied().flat_map(samples);
    let hosts = addresses.flat_map(spellings);
    let urls: Vec<String> = hosts.map(|spelling| format!("https://{}/x?y", spelling.host)).collect();
    assert!(urls.len() >= 5_000, "only {} URLs", urls.len());
    assert_refused(&urls, Reason::AddressInternal);
}

#[test]
fn refuses_every_special_address_in_an_answer() {
    let public: IpAddr = "8.8.8.8".parse().unwrap();
    for ip in SPECIAL_BLOCKS.iter().copied().flat_map(samples) {
        let answer = judge_all(&[public, ip, public], 443, &Rules::default());
        assert_eq!(answer.unwrap_err().reason, Reason::AddressInternal, "{ip}");
    }
}

#[test]
fn refuses_internal_names_in_every_spelling() {
    for class in urls::internal_names() {
        assert_refused(&class.urls, Reason::HostInternal);
    }
}

#[test]
fn no_internal_domain_is_left_out_of_the_hostile_names() {
    for (domain, _) in super::name::INTERNAL_DOMAINS {
        assert!(urls::INTERNAL_DOMAINS.contains(domain), "{domain}");
    }
}

#[test]
fn refuses_every_other_scheme_in_any_spelling() {
    assert_refused(&urls::schemes().urls, Reason::SchemeNotHttps);
}

#[test]
fn refuses_any_userinfo_even_an_empty_one() {
    assert_refused(&urls::userinfo().urls, Reason::UserinfoInUrl);
}

#[test]
fn refuses_every_port_but_443() {
    assert_refused(&urls::ports().urls, Reason::PortNotAllowed);
}

#[test]
fn refuses_control_characters_and_backslashes_anywhere() {
    assert_refused(&urls::control_characters().urls, Reason::UrlMalformed);
}

#[test]
fn refuses_blanks_around_the_url_and_inside_the_authority() {
    assert_refused(&urls::blanks().urls, Reason::UrlMalformed);
}

fn any_ip() -> impl Strategy<Value = IpAddr> {
    let special = proptest::sample::select(SPECIAL_BLOCKS.as_slice()).prop_flat_map(|net| match net {
        ipnet::IpNet::V4(net) => (net.network().to_bits()..=net.broadcast().to_bits())
            .prop_map(|bits| Ipv4Addr::from_bits(bits).into())
            .boxed(),
        ipnet::IpNet::V6(net) => (net.network().to_bits()..=net.broadcast().to_bits())
            .prop_map(|bits| Ipv6Addr::from_bits(bits).into())
            .boxed(),
    });
    let carrier = (any::<u32>(), any::<prop::sample::Index>()).prop_map(|(bits, index)| {
        let carriers = carriers(Ipv4Addr::from_bits(bits));
        IpAddr::V6(index.get(&carriers).1)
    });
    let global = any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits >> 3 | 1 << 125)));
    prop_oneof![
        special,
        carrier,
        global,
        any::<Ipv4Addr>().prop_map(IpAddr::V4),
        any::<Ipv6Addr>().prop_map(IpAddr::V6)
    ]
}

/// Text with many of the characters that URL parsers treat specially.
fn url_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => r"[a-z0-9.]{1,8}",
        2 => r"[:/?#@\\\[\]%. ]",
        1 => r"(https|http)?://",
        1 => r"%[0-9a-fA-F]{2}",
        1 => r"(0x|0|)[0-9a-f]{1,10}",
        1 => r"(localhost|127|1|local|svc|xn--)",
        1 => any::<char>().prop_map(String::from),
    ];
    (prop_oneof![4 => Just("https://"), 1 => Just("")], prop::collection::vec(piece, 0..12))
        .prop_map(|(start, pieces)| start.to_owned() + &pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_address_is_allowed_exactly_when_the_oracle_calls_it_public(ip in any_ip()) {
        prop_assert_eq!(judge(ip, &Rules::default()).is_ok(), is_public(ip), "{}", ip);
    }

    #[test]
    fn a_spelling_is_allowed_exactly_when_its_address_is(ip in any_ip(), pick in any::<prop::sample::Index>()) {
        let spellings = spellings(ip);
        let host = &pick.get(&spellings).host;
        let target = Target::parse(format!("https://{host}/").as_bytes(), &Rules::default());
        if let Ok(target) = target {
            let Host::Ip(parsed) = target.host() else { panic!("{host} is not a name") };
            prop_assert!(is_public(*parsed), "{}", host);
        } else {
            // An IPv6 address may be refused although the IPv4 address that it carries is public.
            prop_assert!(!is_public(ip) || ip.is_ipv4() && host.starts_with('['), "{}", host);
        }
    }

    #[test]
    fn answers_with_a_special_address_are_never_allowed(ips in prop::collection::vec(any_ip(), 1..6)) {
        let all_public = ips.iter().all(|ip| is_public(*ip));
        prop_assert_eq!(judge_all(&ips, 443, &Rules::default()).is_ok(), all_public);
    }

    #[test]
    fn judging_never_panics_on_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2100)) {
        let _ = Target::parse(&bytes, &Rules::default());
        let _ = masked(&bytes);
        let _ = Target::parse(&[b"https://", bytes.as_slice()].concat(), &Rules::default());
    }

    #[test]
    fn what_was_judged_is_what_is_used(url in url_like()) {
        let rules = Rules::default();
        if let Ok(target) = Target::parse(url.as_bytes(), &rules) {
            if let Host::Ip(ip) = target.host() {
                prop_assert!(is_public(*ip));
            }
            let written_again = format!("https://{}{}", target.authority(), target.path_and_query().expose_secret());
            prop_assert_eq!(Target::parse(written_again.as_bytes(), &rules), Ok(target));
        }
    }

    #[test]
    fn neither_refusals_nor_masks_show_a_secret(
        start in r"(https|http|HTTPS|ftp|x)(://|:|:/)(|user:c4n4ry@|c4n4ry@)",
        host in r"(example\.com|127\.0\.0\.1|localhost|a b|a..b|\[::1\])(|:443|:80|:x)",
        separator in r"[/?#]",
    ) {
        let url = format!("{start}{host}{separator}c4n4ry");
        if let Err(refusal) = Target::parse(url.as_bytes(), &Rules::default()) {
            prop_assert!(!format!("{refusal} {refusal:?}").contains("c4n4ry"), "{}", refusal);
        }
        prop_assert!(!masked(url.as_bytes()).contains("c4n4ry"));
    }
}
