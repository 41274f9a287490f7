//! `postern check`: judges URLs exactly as the sender would, without connecting to them.

mod input;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};

use crate::egress::{Host, HostPattern, Reason, Refusal, Resolver, Rules, Target, judge_all, seen};
use input::{Line, Lines};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The limit for both questions of one look-up, with all tries.
const DNS_TIMEOUT: Duration = Duration::from_secs(5);

/// Judge URLs exactly as the sender would, without connecting to them
///
/// Prints one JSON line for each URL, in order: {"target", "verdict", "reason", "detail", "addresses"}. The verdict is
/// "allowed", "refused" or "unresolved". Exits with 0 when all URLs are allowed, with 1 when any is not.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Allow addresses of this block although they are not public, as a tier's allowedCIDRs
    #[arg(long = "allow-cidr", value_name = "CIDR", value_parser = cidr)]
    allow_cidrs: Vec<IpNet>,
    /// Allow no hosts but those given, as a tier's allowedHosts: a host, or *.example.com
    #[arg(long = "allow-host", value_name = "PATTERN")]
    allow_hosts: Vec<HostPattern>,
    /// Refuse these hosts, as a tier's deniedHosts: a host, or *.example.com
    #[arg(long = "deny-host", value_name = "PATTERN")]
    deny_hosts: Vec<HostPattern>,
    /// Allow this port beside 443, as a tier's allowedPorts
    #[arg(long = "allow-port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    allow_ports: Vec<u16>,
    /// Take these addresses for a host instead of asking DNS
    #[arg(long, value_name = "HOST=IP,...", value_parser = resolve)]
    resolve: Vec<(String, Vec<IpAddr>)>,
    /// Ask no name server: a name without --resolve is "unresolved"
    #[arg(long)]
    no_dns: bool,
    /// The URLs; - reads JSON Lines {"url": "...", "resolve": {"host": ["ip", ...]}} from standard input
    #[arg(value_name = "URL", required = true)]
    urls: Vec<OsString>,
}

/// Addresses by host name, given on input instead of looked up.
type Answers = HashMap<String, Vec<IpAddr>>;

/// Runs the command on standard input and output.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    match check(args, io::stdin().lock(), io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("postern check: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Judges all URLs; true when all are allowed.
fn check(args: &Args, input: impl BufRead, mut output: impl Write) -> io::Result<bool> {
    let judge = Judge::new(args)?;
    let mut lines = Lines::new(input);
    let mut all_allowed = true;
    let mut print = |finding: &Finding| {
        all_allowed &= finding.verdict == Verdict::Allowed;
        serde_json::to_writer(&mut output, finding)?;
        output.write_all(b"\n")?;
        // A reader at the other end of a pipe may wait for this line before it writes the next.
        output.flush()
    };
    for url in &args.urls {
        if url != "-" {
            print(&judge.judge(url.as_encoded_bytes(), &Answers::new()))?;
            continue;
        }
        while let Some(line) = lines.next()? {
            print(&match line {
                Ok(Line { url, answers }) => judge.judge(url.as_bytes(), &answers),
                Err(refusal) => Finding::new("...".to_owned(), Vec::new(), Err(refusal)),
            })?;
        }
    }
    Ok(all_allowed)
}

/// What all URLs of a run share.
struct Judge {
    rules: Rules,
    answers: Answers,
    dns: Option<(Runtime, Result<Resolver, Refusal>)>,
}

impl Judge {
    fn new(args: &Args) -> io::Result<Self> {
        let rules = Rules {
            allowed_hosts: args.allow_hosts.clone(),
            denied_hosts: args.deny_hosts.clone(),
            allowed_ports: args.allow_ports.clone(),
            allowed_cidrs: args.allow_cidrs.clone(),
            ..Rules::default()
        };
        let mut answers = Answers::new();
        for (host, ips) in &args.resolve {
            answers.entry(host.clone()).or_default().extend(ips);
        }
        let dns = if args.no_dns {
            None
        } else {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            Some((runtime, Resolver::from_resolv_conf(Path::new(RESOLV_CONF), DNS_TIMEOUT)))
        };
        Ok(Self { rules, answers, dns })
    }

    /// The answers that came with the URL have precedence over those of the command line, which have precedence over DNS.
    fn judge(&self, url: &[u8], answers: &Answers) -> Finding {
        let (shown, mut addresses) = match seen(url) {
            Some((shown, Host::Ip(ip))) => (shown, vec![ip]),
            Some((shown, Host::Name(_))) => (shown, Vec::new()),
            None => ("...".to_owned(), Vec::new()),
        };
        let result = Target::parse(url, &self.rules).and_then(|target| {
            if let Host::Name(name) = target.host() {
                addresses = match answers.get(name).or_else(|| self.answers.get(name)) {
                    Some(given) => given.clone(),
                    None => self.look_up(name)?,
                };
            }
            judge_all(&addresses, target.port(), &self.rules)
        });
        Finding::new(shown, addresses, result.map(drop))
    }

    fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, Refusal> {
        match &self.dns {
            Some((runtime, Ok(resolver))) => runtime.block_on(resolver.addresses(name)).map(|found| found.ips),
            Some((_, Err(refusal))) => Err(refusal.clone()),
            None => Err(Refusal {
                reason: Reason::NameNotResolved,
                detail: format!("{name} was not looked up (--no-dns): give its addresses with --resolve"),
            }),
        }
    }
}

/// One line of output.
#[derive(Debug, Serialize)]
struct Finding {
    target: String,
    verdict: Verdict,
    reason: Option<Reason>,
    detail: Option<String>,
    addresses: Vec<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Allowed,
    Refused,
    Unresolved,
}

impl Finding {
    fn new(target: String, addresses: Vec<IpAddr>, result: Result<(), Refusal>) -> Self {
        let (verdict, reason, detail) = match result {
            Ok(()) => (Verdict::Allowed, None, None),
            Err(Refusal { reason: Reason::NameNotResolved, detail }) => {
                (Verdict::Unresolved, Some(Reason::NameNotResolved), Some(detail))
            }
            Err(Refusal { reason, detail }) => (Verdict::Refused, Some(reason), Some(detail)),
        };
        Self { target, verdict, reason, detail, addresses }
    }
}

fn cidr(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| "write a block of addresses such as 10.1.0.0/16 or fd00:1::/32".to_owned())
}

fn resolve(text: &str) -> Result<(String, Vec<IpAddr>), String> {
    let (host, ips) = text.split_once('=').ok_or("write HOST=IP,IP")?;
    let Host::Name(name) = host.parse::<Host>()? else {
        return Err(format!("{host} is an address: no name is looked up for it"));
    };
    let ips = ips.split(',').filter(|ip| !ip.is_empty());
    let ips = ips.map(|ip| ip.parse().map_err(|_| format!("{ip} is not an IP address")));
    Ok((name, ips.collect::<Result<_, String>>()?))
}

#[cfg(test)]
mod tests;
