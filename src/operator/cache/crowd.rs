//! Bounds how many objects of a namespace are kept. Where it matters that there are more, a single object stands in for those that
//! are left out.

use std::collections::{HashMap, HashSet};

use kube::ResourceExt as _;
use kube::runtime::watcher::Event;

use super::prune::Prune;
use crate::operator::kubernetes::digest::number_of;

/// The objects that count, by namespace. Where one stands in for those that are left out, these are remembered by a hash of
/// their names, so that it is deleted with the last of them.
#[derive(Default)]
pub(crate) struct Crowds(HashMap<String, Crowd>);

#[derive(Default)]
struct Crowd {
    kept: HashSet<String>,
    left_out: HashSet<u64>,
    /// Whether it was logged that some are left out.
    was_full: bool,
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
        let Some(most) = object.most() else { return vec![event(object)] };
        let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
        let crowd = self.0.entry(namespace.clone()).or_default();
        if crowd.kept.contains(&name) {
            return vec![event(object)];
        }
        if crowd.kept.len() < most && !crowd.left_out.contains(&number_of(&name)) {
            crowd.kept.insert(name);
            return vec![event(object)];
        }
        if !std::mem::replace(&mut crowd.was_full, true) {
            let kind = K::kind(&());
            tracing::warn!(namespace, %kind, most, "a namespace has more objects than are kept; the others are ignored");
        }
        let Some(others) = object.others() else { return Vec::new() };
        let is_first = crowd.left_out.is_empty();
        crowd.left_out.insert(number_of(&name));
        if is_first { vec![event(others)] } else { Vec::new() }
    }

    fn delete<K: Prune>(&mut self, object: K) -> Vec<Event<K>> {
        let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
        let (Some(_), Some(crowd)) = (object.most(), self.0.get_mut(&namespace)) else {
            return vec![Event::Delete(object)];
        };
        let events = if crowd.left_out.remove(&number_of(&name)) {
            let is_last = crowd.left_out.is_empty();
            object.others().filter(|_| is_last).map(Event::Delete).into_iter().collect()
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
    use crate::api::WebhookSchedule;
    use crate::operator::cache::prune::MOST_POLICIES;
    use crate::operator::names::SENDER_CHILDREN;

    fn policy(name: &str) -> NetworkPolicy {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": "team-a"}, "spec": {}})).unwrap()
    }

    /// What is kept after these events, by name.
    fn kept<K: Prune>(
        crowds: &mut Crowds,
        mut kept: Vec<String>,
        events: impl IntoIterator<Item = Event<K>>,
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
        assert_eq!(all.len(), MOST_POLICIES + 1);
        let others = policy("x").others().unwrap();
        assert_eq!(all[MOST_POLICIES], others.name_any());
        // Changes of objects that are left out aren't reported, and the senders' own policy is always kept.
        let again = numbered(5_000, 6_000).chain([policy(SENDER_CHILDREN)]).map(Event::Apply);
        let all = kept(&mut crowds, all, again);
        assert_eq!((all.len(), all[MOST_POLICIES + 1].as_str()), (MOST_POLICIES + 2, SENDER_CHILDREN));
        // The object that stands in for the others is deleted with the last of them.
        let all = kept(&mut crowds, all, numbered(MOST_POLICIES + 1, 10_000).map(Event::Delete));
        assert!(all.contains(&others.name_any()));
        let all = kept(&mut crowds, all, [Event::Delete(policy(&MOST_POLICIES.to_string()))]);
        assert_eq!(all.len(), MOST_POLICIES + 1);
        assert!(!all.contains(&others.name_any()));
        kept(&mut crowds, all, numbered(0, MOST_POLICIES).map(Event::Delete));
        assert!(crowds.0.is_empty());
    }

    #[test]
    fn a_listing_begins_anew() {
        let mut crowds = Crowds::default();
        kept(&mut crowds, Vec::new(), numbered(0, 200).map(Event::Apply));
        let listed = [Event::Init].into_iter().chain(numbered(150, 200).map(Event::InitApply)).chain([Event::InitDone]);
        assert_eq!(kept(&mut crowds, Vec::new(), listed).len(), 50);
    }

    #[test]
    fn of_more_schedules_than_any_tier_allows_the_others_are_ignored_until_there_is_room() {
        let one = crate::operator::test_support::objects::schedule();
        let schedule = |name: usize| -> WebhookSchedule {
            let mut schedule = one.clone();
            schedule.metadata.name = Some(name.to_string());
            schedule
        };
        let mut crowds = Crowds::default();
        let all = kept(&mut crowds, Vec::new(), (0..10_002).map(|name| Event::Apply(schedule(name))));
        assert_eq!(all.len(), 10_000);
        let all = kept(&mut crowds, all, [Event::Delete(schedule(10_001)), Event::Apply(schedule(10_000))]);
        assert_eq!(all.len(), 10_000, "what isn't known leaves no room");
        let all = kept(&mut crowds, all, [Event::Delete(schedule(7)), Event::Apply(schedule(10_000))]);
        assert_eq!((all.len(), all.last().map(String::as_str)), (10_000, Some("10000")));
    }
}
