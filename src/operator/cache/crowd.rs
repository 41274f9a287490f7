//! Bounds how many objects of a namespace are kept. Beyond the bound, a single object stands in for all others.

use std::collections::{HashMap, HashSet};

use kube::ResourceExt as _;
use kube::runtime::watcher::Event;

use super::prune::Prune;
use crate::operator::kubernetes::digest::number_of;

/// How many objects of a bounded kind are kept in each namespace.
pub(crate) const MOST: usize = 100;

/// The objects that count, by namespace. An object that is left out is remembered by a hash of its name, so its deletion isn't
/// mistaken for another's.
#[derive(Default)]
pub(crate) struct Crowds(HashMap<String, Crowd>);

#[derive(Default)]
struct Crowd {
    kept: HashSet<String>,
    left_out: HashSet<u64>,
}

impl Crowds {
    /// Rewrites an event so that the bound is kept. Objects that were left out stay left out until the next listing, however
    /// many others are deleted.
    pub(crate) fn bound<K: Prune>(&mut self, event: Event<K>) -> Vec<Event<K>> {
        match event {
            Event::Apply(object) => self.apply(object, Event::Apply),
            Event::InitApply(object) => self.apply(object, Event::InitApply),
            Event::Delete(object) => self.delete(object),
            Event::Init => {
                self.0.clear();
                vec![Event::Init]
            }
            Event::InitDone => vec![Event::InitDone],
        }
    }

    fn apply<K: Prune>(&mut self, object: K, event: impl Fn(K) -> Event<K>) -> Vec<Event<K>> {
        let Some(others) = object.others() else { return vec![event(object)] };
        let name = object.name_any();
        let crowd = self.0.entry(object.namespace().unwrap_or_default()).or_default();
        if crowd.kept.contains(&name) {
            return vec![event(object)];
        }
        if crowd.kept.len() < MOST && !crowd.left_out.contains(&number_of(&name)) {
            crowd.kept.insert(name);
            return vec![event(object)];
        }
        let is_first = crowd.left_out.is_empty();
        crowd.left_out.insert(number_of(&name));
        if is_first { vec![event(others)] } else { Vec::new() }
    }

    fn delete<K: Prune>(&mut self, object: K) -> Vec<Event<K>> {
        let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
        let (Some(others), Some(crowd)) = (object.others(), self.0.get_mut(&namespace)) else {
            return vec![Event::Delete(object)];
        };
        let events = if crowd.left_out.remove(&number_of(&name)) {
            if crowd.left_out.is_empty() { vec![Event::Delete(others)] } else { Vec::new() }
        } else {
            crowd.kept.remove(&name);
            vec![Event::Delete(object)]
        };
        if crowd.kept.is_empty() && crowd.left_out.is_empty() {
            self.0.remove(&namespace);
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::networking::v1::NetworkPolicy;
    use serde_json::json;

    use super::*;
    use crate::operator::names::SENDER_CHILDREN;

    fn policy(name: &str) -> NetworkPolicy {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": "team-a"}, "spec": {}})).unwrap()
    }

    /// What is kept after these events, by name.
    fn kept(
        crowds: &mut Crowds,
        mut kept: Vec<String>,
        events: impl IntoIterator<Item = Event<NetworkPolicy>>,
    ) -> Vec<String> {
        for event in events.into_iter().flat_map(|event| crowds.bound(event)) {
            match event {
                Event::Apply(object) | Event::InitApply(object) => {
                    kept.retain(|name| *name != object.name_any());
                    kept.push(object.name_any());
                }
                Event::Delete(object) => kept.retain(|name| *name != object.name_any()),
                Event::Init | Event::InitDone => {}
            }
        }
        kept
    }

    fn numbered(from: usize, to: usize) -> impl Iterator<Item = NetworkPolicy> {
        (from..to).map(|number| policy(&number.to_string()))
    }

    #[test]
    fn of_ten_thousand_policies_a_hundred_are_kept_and_one_that_stands_for_the_others() {
        let mut crowds = Crowds::default();
        let all = kept(&mut crowds, Vec::new(), numbered(0, 10_000).map(Event::Apply));
        assert_eq!(all.len(), MOST + 1);
        let others = policy("x").others().unwrap();
        assert_eq!(all[MOST], others.name_any());
        // Changes of objects that are left out aren't reported, and the senders' own policy is always kept.
        let again = numbered(5_000, 6_000).chain([policy(SENDER_CHILDREN)]).map(Event::Apply);
        let all = kept(&mut crowds, all, again);
        assert_eq!((all.len(), all[MOST + 1].as_str()), (MOST + 2, SENDER_CHILDREN));
        // The object that stands in for the others is deleted with the last of them.
        let all = kept(&mut crowds, all, numbered(MOST + 1, 10_000).map(Event::Delete));
        assert!(all.contains(&others.name_any()));
        let all = kept(&mut crowds, all, [Event::Delete(policy(&MOST.to_string()))]);
        assert_eq!(all.len(), MOST + 1);
        assert!(!all.contains(&others.name_any()));
        kept(&mut crowds, all, numbered(0, MOST).map(Event::Delete));
        assert!(crowds.0.is_empty());
    }

    #[test]
    fn a_listing_begins_anew() {
        let mut crowds = Crowds::default();
        kept(&mut crowds, Vec::new(), numbered(0, 200).map(Event::Apply));
        let listed = [Event::Init].into_iter().chain(numbered(150, 200).map(Event::InitApply)).chain([Event::InitDone]);
        assert_eq!(kept(&mut crowds, Vec::new(), listed).len(), 50);
    }
}
