//! Everything that is searched, and what was found where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::canaries::{Canaries, Sought};

/// Where something can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Any object of the API, including what its status says about running containers, except for the data of the tenants' own
    /// Secrets.
    Objects,
    /// Events, which are objects too.
    Events,
    /// The output of `kubectl describe` for objects.
    Descriptions,
    /// The logs of all pods, from the API and from the node's files, which also have those of earlier containers.
    PodLogs,
    /// The logs of the operators, at their finest level.
    OperatorLogs,
    Metrics,
    AuditLog,
    /// The logs of the API server, the kubelet, containerd and other components.
    ComponentLogs,
    /// The files on the node that hold containers' termination messages.
    TerminationMessages,
    /// The arguments and environments of processes on the node.
    Processes,
    /// What the container runtime was told to run.
    Containers,
}

impl Place {
    pub const ALL: [Self; 11] = [
        Self::Objects,
        Self::Events,
        Self::Descriptions,
        Self::PodLogs,
        Self::OperatorLogs,
        Self::Metrics,
        Self::AuditLog,
        Self::ComponentLogs,
        Self::TerminationMessages,
        Self::Processes,
        Self::Containers,
    ];
}

/// Everything that was seen. What was seen twice counts once.
#[derive(Default)]
pub struct Haystack(BTreeMap<Place, BTreeSet<(String, Vec<u8>)>>);

/// A canary that was seen.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub place: Place,
    /// The name of the object, file or process.
    pub name: String,
    pub sought: Sought,
}

impl Haystack {
    /// Adds something that was seen at a place. Empty content is ignored.
    pub fn add(&mut self, place: Place, name: impl Into<String>, content: impl Into<Vec<u8>>) {
        let content = content.into();
        if !content.is_empty() {
            self.0.entry(place).or_default().insert((name.into(), content));
        }
    }

    pub fn extend(&mut self, other: Self) {
        for (place, seen) in other.0 {
            self.0.entry(place).or_default().extend(seen);
        }
    }

    /// The names of the things that were seen at a place, and their content as text.
    pub fn at(&self, place: Place) -> impl Iterator<Item = (&str, String)> {
        let seen = self.0.get(&place).into_iter().flatten();
        seen.map(|(name, content)| (name.as_str(), String::from_utf8_lossy(content).into_owned()))
    }

    /// How many things were seen at a place, and how many bytes they have in all.
    pub fn size(&self, place: Place) -> (usize, usize) {
        let seen = self.0.get(&place);
        seen.map_or((0, 0), |seen| (seen.len(), seen.iter().map(|(_, content)| content.len()).sum()))
    }

    /// The canaries that were seen.
    pub fn find(&self, canaries: &Canaries) -> Vec<Found> {
        let finder = canaries.finder();
        let all = self.0.iter().flat_map(|(place, seen)| seen.iter().map(move |seen| (*place, seen)));
        let found = all.flat_map(|(place, (name, content))| {
            let sought = finder.find(content).into_iter().cloned();
            sought.map(move |sought| Found { place, name: name.clone(), sought }).collect::<Vec<_>>()
        });
        found.collect()
    }
}

impl fmt::Display for Haystack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Place::ALL.into_iter().try_for_each(|place| {
            let (count, bytes) = self.size(place);
            writeln!(f, "{place:?}: {count} things, {bytes} bytes")
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, name, sought: Sought { input, form } } = self;
        write!(f, "{input} shows as {form} in {place:?}: {name}")
    }
}
