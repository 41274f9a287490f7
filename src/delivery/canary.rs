//! What a canary tries to reach ([`Probes`], in its `probes.json`), and what it found ([`Findings`], its termination message).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::MAX_OUTCOME_BYTES;

/// The largest `probes.json`, in bytes.
pub const MAX_PROBES_BYTES: usize = 65_536;
/// The most addresses that a canary tries to reach at the same time.
pub const MAX_PROBES: usize = 256;
/// How many of the addresses that were reached are named; the others are only counted.
const NAMED: usize = 8;

/// What a canary tries to open TCP connections to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probes {
    /// [`Probes::VERSION`].
    pub version: u32,
    /// What must be out of reach.
    pub closed: Vec<Probe>,
    /// Name servers. At least one of them must be in reach: a pod without any network proves nothing.
    pub open: Vec<SocketAddr>,
}

/// An address that must be out of reach, and what is at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    /// What is at the address.
    pub place: Place,
    /// The address.
    pub address: SocketAddr,
}

/// What must be out of a sender's reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The API server, at the address of its Service or at its own address. It is known to listen.
    ApiServer,
    /// A node's kubelet.
    Kubelet,
    /// A name server, at another port than 53: a Service of another namespace.
    NameServer,
    /// A metadata service, where clouds keep a node's credentials.
    CloudMetadata,
    /// A pod of another namespace: the operator's own pod.
    OtherPod,
    /// The first address of one of the cluster's own blocks.
    ClusterBlock,
}

impl Place {
    /// The place, in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Place::ApiServer => "the API server",
            Place::Kubelet => "a kubelet",
            Place::NameServer => "a name server's other port",
            Place::CloudMetadata => "the cloud's metadata",
            Place::OtherPod => "a pod of another namespace",
            Place::ClusterBlock => "a block of clusterCIDRs",
        }
    }
}

/// Why a `probes.json` or findings can't be used. No variant quotes the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanaryUnreadable {
    /// It is larger than allowed.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// It is not JSON, or a field is missing or has the wrong type.
    #[error("it is malformed")]
    Malformed,
    /// Its version is not this build's.
    #[error("its version is not the one that this sender reads: use the sender of the operator's release")]
    Version,
    /// It has more addresses than allowed.
    #[error("it has too many addresses")]
    TooMany,
}

impl Probes {
    /// The version that this build writes and reads.
    pub const VERSION: u32 = 1;

    /// Reads a `probes.json`.
    ///
    /// # Errors
    /// When it is too large, malformed, of another version, or has more than [`MAX_PROBES`] addresses.
    pub fn parse(json: &[u8]) -> Result<Probes, CanaryUnreadable> {
        let probes: Probes = read(json, MAX_PROBES_BYTES)?;
        if probes.version != Probes::VERSION {
            return Err(CanaryUnreadable::Version);
        }
        if probes.closed.len() + probes.open.len() > MAX_PROBES {
            return Err(CanaryUnreadable::TooMany);
        }
        Ok(probes)
    }
}

/// What a canary found when it last tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// [`Probes::VERSION`].
    pub version: u32,
    /// Whether a name server was reached.
    pub open: bool,
    /// The first few addresses that were reached although they must not be.
    #[serde(default)]
    pub reached: Vec<Probe>,
    /// How many addresses were reached, including the unnamed ones.
    #[serde(default)]
    pub reached_count: u32,
    /// If something was reached at first and nothing later: how long after the canary's start it was still in reach, in
    /// milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforced_after_ms: Option<u32>,
}

impl Findings {
    /// Findings from what was reached, and from how long addresses that are closed now were open.
    #[must_use]
    pub fn new(open: bool, mut reached: Vec<Probe>, enforced_after_ms: Option<u32>) -> Findings {
        let reached_count = u32::try_from(reached.len()).unwrap_or(u32::MAX);
        reached.truncate(NAMED);
        Findings { version: Probes::VERSION, open, reached, reached_count, enforced_after_ms }
    }

    /// Reads findings, which anybody may have written.
    ///
    /// # Errors
    /// When they are too large, malformed, of another version, or name more addresses than allowed.
    pub fn parse(json: &[u8]) -> Result<Findings, CanaryUnreadable> {
        let findings: Findings = read(json, MAX_OUTCOME_BYTES)?;
        if findings.version != Probes::VERSION {
            return Err(CanaryUnreadable::Version);
        }
        let named = findings.reached.len();
        if named > NAMED || u32::try_from(named).map_or(true, |named| named > findings.reached_count) {
            return Err(CanaryUnreadable::TooMany);
        }
        Ok(findings)
    }
}

fn read<T: for<'de> Deserialize<'de>>(json: &[u8], most: usize) -> Result<T, CanaryUnreadable> {
    if json.len() > most {
        return Err(CanaryUnreadable::TooLarge(most));
    }
    serde_json::from_slice(json).map_err(|_| CanaryUnreadable::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(port: u16) -> Probe {
        Probe { place: Place::ApiServer, address: ([10, 96, 0, 1], port).into() }
    }

    #[test]
    fn findings_name_a_few_and_count_all_and_are_read_as_they_were_written() {
        let findings = Findings::new(true, (1..=200).map(probe).collect(), Some(1_200));
        assert_eq!((findings.reached.len(), findings.reached_count), (8, 200));
        let json = serde_json::to_vec(&findings).unwrap();
        assert!(json.len() < MAX_OUTCOME_BYTES);
        assert_eq!(Findings::parse(&json), Ok(findings));
    }

    #[test]
    fn what_names_more_than_it_counts_or_has_another_form_is_no_finding() {
        let nothing = Findings::new(true, Vec::new(), None);
        let too_many = Findings { reached: vec![probe(1); 9], reached_count: 9, ..nothing.clone() };
        let uncounted = Findings { reached: vec![probe(1)], ..nothing.clone() };
        let newer = Findings { version: 2, ..nothing };
        for (findings, error) in [
            (too_many, CanaryUnreadable::TooMany),
            (uncounted, CanaryUnreadable::TooMany),
            (newer, CanaryUnreadable::Version),
        ] {
            assert_eq!(Findings::parse(&serde_json::to_vec(&findings).unwrap()), Err(error));
        }
        assert_eq!(Findings::parse(b"{}"), Err(CanaryUnreadable::Malformed));
        assert_eq!(Findings::parse(&[b' '; 4_097]), Err(CanaryUnreadable::TooLarge(4_096)));
    }

    #[test]
    fn more_probes_than_a_pod_can_try_at_once_are_refused() {
        let probes = |count| Probes { version: 1, closed: vec![probe(443); count], open: vec![] };
        let parse = |count| Probes::parse(&serde_json::to_vec(&probes(count)).unwrap());
        assert_eq!(parse(256), Ok(probes(256)));
        assert_eq!(parse(257), Err(CanaryUnreadable::TooMany));
    }
}
