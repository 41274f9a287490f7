//! A stub resolver that does what the guard needs and nothing else.
//!
//! It asks two questions, A and AAAA, for one fully qualified name, and asks the servers of `resolv.conf`. There is no cache, no
//! hosts file, no search list, no mDNS and no fallback to the system's resolver, so the addresses in the answers are the
//! addresses that are judged.
//! Messages are written and read by `hickory-proto`; `exchange` sends them.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use tokio::time::{sleep, timeout};

use super::exchange::exchange;
use super::reason::{Reason, Refusal};

/// How often each server is tried before the question fails.
const ROUNDS: u32 = 2;

/// The most `nameserver` lines that are read, as in other resolvers (resolv.conf(5), `MAXNS`).
const MAX_SERVERS: usize = 3;

/// How long at most to wait for the answer about one family once the other's has come with addresses. Slow recursion has usually
/// ended by then, and a lost question has been repeated.
const OTHER_FAMILY_WITHIN: Duration = Duration::from_secs(1);

/// The most aliases in a chain; a longer chain is taken for a loop.
const MAX_ALIASES: usize = 16;

const NO_ANSWER: &str = "no answer in time";

/// The addresses of one family, or why they aren't known.
type Answer = Result<Vec<IpAddr>, String>;

/// Which servers to ask, and for how long.
#[derive(Debug, Clone)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
    timeout: Duration,
    /// How long to wait for one family's answer once the other's has come.
    other_family_within: Duration,
}

/// What a look-up found, *not yet judged*.
#[derive(Debug)]
pub(crate) struct Found {
    /// IPv4 first; at least one.
    pub(crate) ips: Vec<IpAddr>,
    /// Why the addresses of one family aren't known.
    pub(crate) missing: Option<String>,
}

impl Resolver {
    /// Asks these servers, in this order. One look-up (both questions, all tries) takes at most `timeout`.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>, timeout: Duration) -> Self {
        Self { servers, timeout, other_family_within: OTHER_FAMILY_WITHIN.min(timeout / 2) }
    }

    /// The same, adjusted to attempts of this length: a silent family leaves half of it for the rest of the attempt.
    #[must_use]
    pub fn in_attempts_of(self, length: Duration) -> Self {
        Self { other_family_within: self.other_family_within.min(length / 2), ..self }
    }

    /// Reads only the `nameserver` lines of a `resolv.conf`.
    ///
    /// # Errors
    /// `NameNotResolved` when the file can't be read or names no server.
    pub fn from_resolv_conf(path: &Path, timeout: Duration) -> Result<Self, Refusal> {
        let unusable = |why: &str| not_resolved(format!("no name server to ask: {} {why}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| unusable(&format!("can't be read ({error})")))?;
        let servers = name_servers(&text);
        if servers.is_empty() {
            return Err(unusable("has no nameserver line with an address"));
        }
        Ok(Self::new(servers, timeout))
    }

    /// The addresses of a name: of both families, or of the one whose question was answered.
    ///
    /// Many name servers refuse AAAA, fail at it or don't answer. Using half an answer is safe: each address that is connected to
    /// was judged, whatever the other half would have been. Once one family's answer has addresses, a silent family is asked once
    /// more, and waited for a second at most.
    ///
    /// # Errors
    /// `NameNotResolved` when there is no address: both questions failed, or found none. The detail says why for each question.
    pub(crate) async fn addresses(&self, name: &str) -> Result<Found, Refusal> {
        let (v4, v6) = (|| self.ask(name, RecordType::A), || self.ask(name, RecordType::AAAA));
        let (mut first_v4, mut first_v6) = (pin!(v4()), pin!(v6()));
        let (v4, v6) = tokio::select! {
            answer = &mut first_v4 => {
                let other = other_family(&answer, first_v6, v6(), self.other_family_within).await;
                (answer, other)
            }
            answer = &mut first_v6 => {
                let other = other_family(&answer, first_v4, v4(), self.other_family_within).await;
                (other, answer)
            }
        };
        let ips: Vec<IpAddr> = [&v4, &v6].into_iter().flatten().flatten().copied().collect();
        if !ips.is_empty() {
            let why = |kind, answer: Answer| answer.err().map(|why| format!("{kind} of {name}: {why}"));
            return Ok(Found { ips, missing: why("A", v4).or_else(|| why("AAAA", v6)) });
        }
        let why = |answer: Answer| answer.map_or_else(|why| why, |_| "there is none".to_owned());
        Err(not_resolved(match (why(v4), why(v6)) {
            (v4, v6) if v4 == v6 => format!("A and AAAA of {name}: {v4}"),
            (v4, v6) => format!("A of {name}: {v4}; AAAA: {v6}"),
        }))
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Answer {
        // The dot makes it fully qualified.
        let asked = Name::from_ascii(format!("{name}.")).map_err(|_| "it can't be written as a DNS name")?;
        let query = Query::query(asked, kind);
        let tries = self.servers.repeat(ROUNDS as usize);
        let share = self.timeout / u32::try_from(tries.len()).unwrap_or(u32::MAX).max(1);
        let mut why = "no name server is configured".to_owned();
        for server in tries {
            why = match timeout(share, exchange(server, &query)).await {
                Err(_) => NO_ANSWER.to_owned(),
                Ok(Err(error)) => error.to_string(),
                Ok(Ok(answer)) => match read(&answer, &query) {
                    Ok(ips) => return Ok(ips),
                    Err(why) => why,
                },
            };
        }
        Err(why)
    }
}

/// Waits for the second answer of a look-up after the first has come. If the first has addresses, it waits no longer than
/// `within`, and asks `again` when half of that has passed, since a packet may have been lost.
async fn other_family(
    answer: &Answer,
    other: impl Future<Output = Answer>,
    again: impl Future<Output = Answer>,
    within: Duration,
) -> Answer {
    if !matches!(answer, Ok(ips) if !ips.is_empty()) {
        return other.await;
    }
    let again = async {
        sleep(within / 2).await;
        again.await
    };
    let either = async {
        tokio::select! {
            answer = other => answer,
            Ok(ips) = again => Ok(ips),
        }
    };
    timeout(within, either).await.unwrap_or_else(|_| Err(NO_ANSWER.to_owned()))
}

/// The addresses at the end of the answer's chain of aliases. For a name that does not exist the list is empty, which is an
/// answer and not a failure.
fn read(answer: &Message, query: &Query) -> Answer {
    match answer.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Ok(Vec::new()),
        code => return Err(format!("the name server answered {code}")),
    }
    let records_of = |owner: &Name| {
        let of_owner = |record: &&Record| record.name == *owner && record.dns_class == DNSClass::IN;
        answer.answers.iter().filter(of_owner).map(|record| &record.data).collect::<Vec<_>>()
    };
    let mut owner = &query.name;
    for _ in 0..=MAX_ALIASES {
        let records = records_of(owner);
        let alias = records.iter().find_map(|data| match data {
            RData::CNAME(alias) => Some(&alias.0),
            _ => None,
        });
        let Some(alias) = alias else {
            return Ok(records.into_iter().filter_map(RData::ip_addr).collect());
        };
        owner = alias;
    }
    Err("the aliases (CNAME) don't end".to_owned())
}

fn name_servers(resolv_conf: &str) -> Vec<SocketAddr> {
    let servers = resolv_conf.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse::<IpAddr>().ok()
    });
    servers.map(|ip| SocketAddr::new(ip, 53)).take(MAX_SERVERS).collect()
}

fn not_resolved(detail: String) -> Refusal {
    Refusal::new(Reason::NameNotResolved, detail)
}

#[cfg(test)]
mod tests {
    use super::super::host::Host;
    use super::*;
    use std::future::pending;
    use tokio::time::Instant;

    #[test]
    fn takes_only_the_name_servers_of_resolv_conf() {
        let text = "# c\nsearch team.svc.cluster.local\nnameserver 10.96.0.10\n nameserver\tfd00::a # x\noptions ndots:5\n\
            nameserver not-an-address\nnameserver\nnameservers 1.1.1.1\n;nameserver 9.9.9.9\nnameserver 1.0.0.1\nnameserver 1.0.0.2\n";
        let expected: Vec<SocketAddr> =
            ["10.96.0.10:53", "[fd00::a]:53", "1.0.0.1:53"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(name_servers(text), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_family_costs_a_second_beside_an_address_and_at_most_half_of_an_attempt() {
        let found = Ok(vec![[1, 1, 1, 1].into()]);
        let resolver = Resolver::new(Vec::new(), Duration::from_secs(5));
        for (attempt, cost) in [(10, 1000), (2, 1000), (1, 500)] {
            let within = resolver.clone().in_attempts_of(Duration::from_secs(attempt)).other_family_within;
            let started = Instant::now();
            let silent = other_family(&found, pending(), pending(), within).await;
            assert_eq!((silent, started.elapsed()), (Err(NO_ANSWER.to_owned()), Duration::from_millis(cost)));
        }
        for nothing in [Ok(Vec::new()), Err("the name server answered Query Refused".to_owned())] {
            let other = other_family(&nothing, pending(), pending(), Duration::from_secs(1));
            assert!(timeout(Duration::from_mins(1), other).await.is_err(), "beside {nothing:?} it was given up");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_family_that_is_slow_or_whose_question_was_lost_is_not_left_out() {
        let [found, slow]: [Answer; 2] = [[1, 1, 1, 1], [2, 2, 2, 2]].map(|ip| Ok(vec![ip.into()]));
        let late = || async {
            sleep(Duration::from_millis(900)).await;
            slow.clone()
        };
        let within = Duration::from_secs(1);
        assert_eq!(other_family(&found, late(), pending(), within).await, slow);
        assert_eq!(other_family(&found, pending(), async { slow.clone() }, within).await, slow);
        // If the repeated question fails, the first one is still waited for.
        assert_eq!(other_family(&found, late(), async { Err(String::new()) }, within).await, slow);
    }

    #[test]
    fn every_name_that_a_target_may_have_can_be_asked_for() {
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        assert_eq!(longest.len(), 253);
        for name in ["_a.b_c.example", "xn--bcher-kva.example", "1.a", &longest] {
            assert!(name.parse::<Host>().is_ok(), "{name}");
            assert!(Name::from_ascii(format!("{name}.")).unwrap().is_fqdn(), "{name}");
        }
    }

    #[test]
    fn says_when_there_is_no_server_to_ask() {
        let refusal = Resolver::from_resolv_conf(Path::new("/nonexistent"), Duration::from_secs(1)).unwrap_err();
        assert_eq!(refusal.reason, Reason::NameNotResolved);
        assert!(refusal.detail.contains("/nonexistent"));
    }
}
