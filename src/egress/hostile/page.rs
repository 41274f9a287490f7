//! `docs/ssrf.md`: what became of all that is hostile, written down by the test that tries it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::super::host::{Host, INTERNAL_DOMAINS};
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

/// How many were tried, each counted once, and whether every one was refused for the reason.
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

fn registry_table(blocks: &[Block]) -> String {
    let mut table =
        "| block | name | specified in | globally reachable, says IANA | verdict | addresses | URLs |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for Block { net, name, spec, globally_reachable } in blocks {
        let reachable = globally_reachable.map_or("not said", |yes| if yes { "yes" } else { "no" });
        table += &format!("| `{net}` | {name} | {spec} | {reachable} | {} |\n", tried(&[*net]));
    }
    table
}

fn beyond() -> String {
    let mut table =
        "| block | what it is | known from | verdict | addresses | URLs |\n|---|---|---|---|---|---|\n".to_owned();
    for Block { net, name, spec, .. } in registry::BEYOND {
        table += &format!("| `{net}` | {name} | {spec} | {} |\n", tried(&[*net]));
    }
    let outside: Vec<IpNet> = OUTSIDE_GLOBAL_UNICAST.iter().map(|net| net.parse().unwrap()).collect();
    let global = registry::GLOBAL_UNICAST;
    table + &format!("| all IPv6 but `{global}` | not given out as global unicast | RFC 3587 | {} |\n", tried(&outside))
}

fn answers(all: &BTreeSet<IpAddr>) -> String {
    let [first, last]: [IpAddr; 2] = [[8, 8, 8, 8].into(), "2606:4700::1".parse().unwrap()];
    let answers = [
        ("one special address alone", 0),
        ("one special address between two public ones, an IPv4 and an IPv6 address", 1),
        ("one special address as the last of a hundred", 99),
    ];
    let mut table = "| an answer with | answers | verdict |\n|---|---|---|\n".to_owned();
    for (what, before) in answers {
        let refused = |ip: &IpAddr| {
            let mut answer = vec![first; before];
            answer.push(*ip);
            if before == 1 {
                answer.push(last);
            }
            judge_all(&answer, 443, &Rules::default()).is_err_and(|refusal| refusal.reason == Reason::AddressInternal)
        };
        let tally = Tally { tried: all.len(), refused: all.iter().all(refused) };
        table += &format!("| {what} | {tally} |\n");
    }
    table
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
    let mut table = "| spelling | example | URLs | verdict |\n|---|---|---|---|\n".to_owned();
    for (class, urls) in classes {
        let example = metadata.iter().find(|spelling| spelling.class == class).unwrap();
        let example = url(&example.host).replace('\u{ad}', "%C2%AD");
        table += &format!("| {class} | `{example}` | {} |\n", Tally::of(urls, Reason::AddressInternal));
    }
    table
}

fn names() -> String {
    let mut table = "| name | why | itself | below it |\n|---|---|---|---|\n".to_owned();
    let verdict = |url: String| {
        if Tally::of([url], Reason::HostInternal).refused { "refused" } else { NOT_REFUSED }
    };
    for (domain, why) in INTERNAL_DOMAINS {
        let (itself, below) = (verdict(url(domain)), verdict(url(&format!("a.b.{domain}"))));
        table += &format!("| `{domain}` | {why} | {itself} | {below} |\n");
    }
    let single = verdict(url("intranet"));
    table + &format!("| one label alone, such as `intranet` | search domains decide what it is | {single} | |\n")
}

fn class_table(head: &str, classes: &[Class]) -> String {
    let mut table = format!("| {head} | example | reason | URLs | verdict |\n|---|---|---|---|---|\n");
    for Class { what, example, reason, urls } in classes {
        let refused = Tally::of([(*example).to_owned()], *reason).refused;
        assert!(refused, "{example} is no example of what is refused");
        table += &format!("| {what} | `{example}` | `{reason}` | {} |\n", Tally::of(urls.iter().cloned(), *reason));
    }
    table
}

fn allowed() -> String {
    let mut table = "| URL | why | verdict |\n|---|---|---|\n".to_owned();
    for (url, why) in ALLOWED {
        table += &format!("| `{url}` | {why} | {} |\n", verdict(url, &Rules::default()));
    }
    table
}

fn tiers() -> String {
    let mut table = "| tier | URL | verdict | why |\n|---|---|---|---|\n".to_owned();
    for (tier, url, why) in TIERS {
        let written = |quote: &str| {
            tier.iter().map(|(field, value)| format!("{quote}{field}{quote}: {value}")).collect::<Vec<_>>().join(", ")
        };
        let mut rules: Rules = serde_json::from_str(&format!("{{{}}}", written("\""))).unwrap();
        rules.denied_cidrs = vec!["10.96.0.0/12".parse().unwrap()];
        table += &format!("| `{}` | `{url}` | {} | {why} |\n", written(""), verdict(url, &rules));
    }
    table
}

fn verdict(url: &str, rules: &Rules) -> String {
    match Target::parse(url.as_bytes(), rules) {
        Ok(target) if matches!(target.host(), Host::Name(_)) => "allowed, if its addresses are".to_owned(),
        Ok(_) => "allowed".to_owned(),
        Err(refusal) => format!("refused: `{}`", refusal.reason),
    }
}

/// With commas between thousands.
fn number(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}
