//! `docs/ssrf.md`: the results for all hostile URLs, written by the test that tries them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::super::host::Host;
use super::super::name::INTERNAL_DOMAINS;
use super::super::registry::{self, Block, REGISTRY_DATE};
use super::super::{Reason, Rules, Target, judge, judge_all};
use super::exceptions::{ALLOWED, TIERS};
use super::spellings::spellings;
use super::urls::{self, Class};
use super::{OUTSIDE_GLOBAL_UNICAST, SPECIAL_BLOCKS, is_public, samples};

const TEMPLATE: &str = include_str!("page.md");

/// Set by `make ssrf`.
const WRITE: &str = "POSTERN_WRITE_SSRF";

#[test]
fn the_page_of_refusals_says_what_the_guard_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ssrf.md");
    let page = page();
    assert!(!page.contains("{{") && !page.contains(NOT_REFUSED), "{page}");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &page).unwrap();
    }
    let file = fs::read_to_string(&path).unwrap_or_default();
    assert!(file == page, "docs/ssrf.md differs from what the guard does: run `make ssrf`");
}

fn page() -> String {
    let all = all_addresses();
    let named = urls::internal_names();
    let others = urls::others();
    let urls = all.iter().flat_map(|ip| hosts(*ip)).map(|host| url(&host));
    let urls = urls.chain(named.iter().chain(&others).flat_map(|class| class.urls.iter().cloned()));
    let mut page = TEMPLATE.to_owned();
    for (place, text) in [
        ("date", REGISTRY_DATE.to_owned()),
        ("addresses", number(all.len())),
        ("urls", number(urls.collect::<BTreeSet<_>>().len())),
        ("ipv4", registry_table(registry::IANA_V4)),
        ("ipv6", registry_table(registry::IANA_V6)),
        ("beyond", beyond()),
        ("answers", answers(&all)),
        ("spellings", spelling_table(&all)),
        ("names", names()),
        ("name_spellings", class_table("spelling", &named)),
        ("others", class_table("URL", &others)),
        ("allowed", allowed()),
        ("tiers", tiers()),
    ] {
        page = page.replace(&format!("{{{{{place}}}}}"), text.trim_end());
    }
    page
}

const NOT_REFUSED: &str = "**not all refused**";

/// How many URLs were tried, each counted once, and whether every one was refused for the expected reason.
struct Tally {
    tried: usize,
    refused: bool,
}

impl Tally {
    fn of(urls: impl IntoIterator<Item = String>, reason: Reason) -> Self {
        let urls: BTreeSet<String> = urls.into_iter().collect();
        let refused = |url: &String| {
            Target::parse(url.as_bytes(), &Rules::default()).is_err_and(|refusal| refusal.reason == reason)
        };
        Self { tried: urls.len(), refused: urls.iter().all(refused) }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.refused { "all refused" } else { NOT_REFUSED };
        write!(f, "{} | {verdict}", number(self.tried))
    }
}

fn all_addresses() -> BTreeSet<IpAddr> {
    SPECIAL_BLOCKS.iter().copied().flat_map(samples).collect()
}

fn hosts(ip: IpAddr) -> impl Iterator<Item = String> {
    spellings(ip).into_iter().map(|spelling| spelling.host)
}

fn url(host: &str) -> String {
    format!("https://{host}/")
}

fn is_refused(ip: IpAddr, rules: &Rules) -> bool {
    judge(ip, rules).is_err_and(|refusal| refusal.reason == Reason::AddressInternal)
}

/// The last three cells of a block's row.
fn tried(nets: &[IpNet]) -> String {
    let addresses: BTreeSet<IpAddr> = nets.iter().copied().flat_map(samples).collect();
    let urls: BTreeSet<String> = addresses.iter().flat_map(|ip| hosts(*ip)).map(|host| url(&host)).collect();
    let (addresses_tried, urls_tried) = (number(addresses.len()), number(urls.len()));
    let verdict = if addresses.iter().all(|ip| is_refused(*ip, &Rules::default()))
        && Tally::of(urls, Reason::AddressInternal).refused
    {
        "refused"
    } else if addresses.iter().all(|ip| is_refused(*ip, &Rules::default()) != is_public(*ip)) {
        "as the IPv4 address inside"
    } else {
        NOT_REFUSED
    };
    format!("{verdict} | {addresses_tried} | {urls_tried}")
}

/// A table of Markdown. Each row is the text between its first and its last bar.
fn table(heads: &[&str], rows: impl IntoIterator<Item = String>) -> String {
    let rule = vec!["---"; heads.len()].join("|");
    let rows = rows.into_iter().map(|row| format!("| {row} |\n"));
    [format!("| {} |\n|{rule}|\n", heads.join(" | "))].into_iter().chain(rows).collect()
}

fn registry_table(blocks: &[Block]) -> String {
    let heads = ["block", "name", "specified in", "globally reachable, says IANA", "verdict", "addresses", "URLs"];
    let row = |Block { net, name, spec, globally_reachable }: &Block| {
        let reachable = globally_reachable.map_or("not said", |yes| if yes { "yes" } else { "no" });
        format!("`{net}` | {name} | {spec} | {reachable} | {}", tried(&[*net]))
    };
    table(&heads, blocks.iter().map(row))
}

fn beyond() -> String {
    let blocks = registry::BEYOND;
    let rows = blocks.iter().map(|block| {
        let Block { net, name, spec, .. } = block;
        format!("`{net}` | {name} | {spec} | {}", tried(&[*net]))
    });
    let outside: Vec<IpNet> = OUTSIDE_GLOBAL_UNICAST.iter().map(|net| net.parse().unwrap()).collect();
    let global = registry::GLOBAL_UNICAST;
    let outside = format!("all IPv6 but `{global}` | not given out as global unicast | RFC 3587 | {}", tried(&outside));
    table(&["block", "what it is", "known from", "verdict", "addresses", "URLs"], rows.chain([outside]))
}

fn answers(all: &BTreeSet<IpAddr>) -> String {
    let [v4, v6]: [IpAddr; 2] = [[8, 8, 8, 8].into(), "2606:4700::1".parse().unwrap()];
    let rows = [
        ("one special address alone", vec![], vec![]),
        ("one special address between two public ones, an IPv4 and an IPv6 address", vec![v4], vec![v6]),
        ("one special address as the last of a hundred", vec![v4; 99], vec![]),
    ]
    .map(|(what, before, after)| {
        let refused = |ip: &IpAddr| {
            let answer = [before.as_slice(), &[*ip], &after].concat();
            judge_all(&answer, 443, &Rules::default()).is_err_and(|refusal| refusal.reason == Reason::AddressInternal)
        };
        format!("{what} | {}", Tally { tried: all.len(), refused: all.iter().all(refused) })
    });
    table(&["an answer with", "answers", "verdict"], rows)
}

fn spelling_table(all: &BTreeSet<IpAddr>) -> String {
    let mut classes: Vec<(&str, Vec<String>)> = Vec::new();
    for spelling in all.iter().copied().flat_map(spellings) {
        let url = url(&spelling.host);
        match classes.iter_mut().find(|(class, _)| *class == spelling.class) {
            Some((_, urls)) => urls.push(url),
            None => classes.push((spelling.class, vec![url])),
        }
    }
    let [v4, v6]: [IpAddr; 2] = [[169, 254, 169, 254].into(), "fd00:ec2::254".parse().unwrap()];
    let metadata = [spellings(v4), spellings(v6)].concat();
    let rows = classes.into_iter().map(|(class, urls)| {
        let example = metadata.iter().find(|spelling| spelling.class == class).unwrap();
        let example = url(&example.host);
        format!("{class} | `{example}` | {}", Tally::of(urls, Reason::AddressInternal))
    });
    table(&["spelling", "example", "URLs", "verdict"], rows)
}

fn names() -> String {
    let verdict = |host: &str| {
        if Tally::of([url(host)], Reason::HostInternal).refused { "refused" } else { NOT_REFUSED }
    };
    let rows = INTERNAL_DOMAINS.iter().map(|(domain, why)| {
        format!("`{domain}` | {why} | {} | {}", verdict(domain), verdict(&format!("a.b.{domain}")))
    });
    let single = verdict("intranet");
    let single = format!("one label alone, such as `intranet` | search domains decide what it is | {single} |");
    table(&["name", "why", "itself", "below it"], rows.chain([single]))
}

fn class_table(head: &str, classes: &[Class]) -> String {
    let rows = classes.iter().map(|Class { what, example, reason, urls }| {
        assert!(Tally::of([(*example).to_owned()], *reason).refused, "{example} is not refused as {reason}");
        format!("{what} | `{example}` | `{reason}` | {}", Tally::of(urls.iter().cloned(), *reason))
    });
    table(&[head, "example", "reason", "URLs", "verdict"], rows)
}

fn allowed() -> String {
    let rows = ALLOWED.iter().map(|(url, why)| format!("`{url}` | {why} | {}", verdict(url, &Rules::default())));
    table(&["URL", "why", "verdict"], rows)
}

fn tiers() -> String {
    let rows = TIERS.iter().map(|(tier, url, why)| {
        let written = |quote: &str| {
            let fields = tier.iter().map(|(field, value)| format!("{quote}{field}{quote}: {value}"));
            fields.collect::<Vec<_>>().join(", ")
        };
        let mut rules: Rules = serde_json::from_str(&format!("{{{}}}", written("\""))).unwrap();
        rules.denied_cidrs = vec!["10.96.0.0/12".parse().unwrap()];
        format!("`{}` | `{url}` | {} | {why}", written(""), verdict(url, &rules))
    });
    table(&["tier", "URL", "verdict", "why"], rows)
}

fn verdict(url: &str, rules: &Rules) -> String {
    match Target::parse(url.as_bytes(), rules) {
        Ok(target) if matches!(target.host(), Host::Name(_)) => "allowed, if its addresses are".to_owned(),
        Ok(_) => "allowed".to_owned(),
        Err(refusal) => format!("refused: `{}`", refusal.reason),
    }
}

/// The number with commas between thousands.
fn number(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}
