//! Whose turn it is to be checked: of a thousand schedules that come at once, a few at a time.
//!
//! Nothing polls: whoever is done with a check names the next one. Namespaces take turns, so that a tenant with many schedules
//! keeps no other one waiting. All of it can be forgotten: an operator that begins finds the checks that are under way by
//! their Jobs, and each schedule asks for its turn again.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use kube::Resource;
use kube::runtime::reflector::ObjectRef;

use crate::operator::lock::lock;

/// The checks that are under way, and the schedules that wait for theirs.
pub(in crate::operator) struct Slots<K: Resource<DynamicType = ()>> {
    most: usize,
    state: Mutex<State<K>>,
}

struct State<K: Resource<DynamicType = ()>> {
    /// The schedules whose turn it is, and whether a Job was made that no cache has shown yet.
    taken: HashMap<ObjectRef<K>, bool>,
    /// Those that wait, by namespace; the one whose turn is next comes first.
    waiting: VecDeque<(String, VecDeque<ObjectRef<K>>)>,
}

impl<K: Resource<DynamicType = ()>> Slots<K> {
    /// For so many checks at a time.
    pub(in crate::operator) fn new(most: u16) -> Self {
        Self { most: most.into(), state: Mutex::new(State { taken: HashMap::new(), waiting: VecDeque::new() }) }
    }

    /// Whether it is a schedule's turn. If not, it waits for it.
    pub(in crate::operator) fn take(&self, schedule: &ObjectRef<K>) -> bool {
        let mut state = lock(&self.state);
        if state.taken.contains_key(schedule) {
            return true;
        }
        if state.taken.len() < self.most {
            state.stop_waiting(schedule);
            state.taken.insert(schedule.clone(), false);
            return true;
        }
        state.wait(schedule);
        false
    }

    /// Notes that a schedule's check is under way, whether it was its turn or not.
    pub(in crate::operator) fn hold(&self, schedule: &ObjectRef<K>) {
        let mut state = lock(&self.state);
        state.stop_waiting(schedule);
        state.taken.insert(schedule.clone(), false);
    }

    /// Notes that the Job of a schedule's check was made.
    pub(in crate::operator) fn note_made(&self, schedule: &ObjectRef<K>) {
        lock(&self.state).taken.insert(schedule.clone(), true);
    }

    /// Whether a Job that no cache shows was made a moment ago. It is waited for once: what is still not there at the next look
    /// is not there.
    pub(in crate::operator) fn is_late(&self, schedule: &ObjectRef<K>) -> bool {
        lock(&self.state).taken.get_mut(schedule).is_some_and(std::mem::take)
    }

    /// Notes that a schedule wants no check, or has it behind it; and returns the one whose turn it is now.
    pub(in crate::operator) fn free(&self, schedule: &ObjectRef<K>) -> Option<ObjectRef<K>> {
        let mut state = lock(&self.state);
        state.stop_waiting(schedule);
        state.taken.remove(schedule)?;
        if state.taken.len() >= self.most {
            return None;
        }
        let next = state.next()?;
        state.taken.insert(next.clone(), false);
        Some(next)
    }
}

impl<K: Resource<DynamicType = ()>> State<K> {
    fn wait(&mut self, schedule: &ObjectRef<K>) {
        let namespace = schedule.namespace.as_deref().unwrap_or_default();
        match self.waiting.iter_mut().find(|(other, _)| other == namespace) {
            Some((_, schedules)) if schedules.contains(schedule) => {}
            Some((_, schedules)) => schedules.push_back(schedule.clone()),
            None => self.waiting.push_back((namespace.into(), [schedule.clone()].into())),
        }
    }

    fn stop_waiting(&mut self, schedule: &ObjectRef<K>) {
        let namespace = schedule.namespace.as_deref().unwrap_or_default();
        if let Some(at) = self.waiting.iter().position(|(other, _)| other == namespace) {
            self.waiting[at].1.retain(|other| other != schedule);
            if self.waiting[at].1.is_empty() {
                self.waiting.remove(at);
            }
        }
    }

    /// The one that has waited longest in the namespace that has.
    fn next(&mut self) -> Option<ObjectRef<K>> {
        let (namespace, mut schedules) = self.waiting.pop_front()?;
        let next = schedules.pop_front();
        if !schedules.is_empty() {
            self.waiting.push_back((namespace, schedules));
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::WebhookSchedule;

    type Name = ObjectRef<WebhookSchedule>;

    fn schedule(namespace: &str, name: &str) -> Name {
        ObjectRef::new(name).within(namespace)
    }

    #[test]
    fn so_many_at_a_time_have_their_turn_and_the_others_when_one_is_done() {
        let slots = Slots::new(2);
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| schedule("team", name));
        assert!(slots.take(&a) && slots.take(&b) && slots.take(&a), "however often it asks");
        assert!(!slots.take(&c) && !slots.take(&d) && !slots.take(&c));
        assert_eq!(slots.free(&a), Some(c.clone()));
        assert!(slots.take(&c), "it was its turn");
        assert!(!slots.take(&a));
        assert_eq!(slots.free(&b), Some(d));
        assert_eq!(slots.free(&c), Some(a));
    }

    #[test]
    fn a_namespace_with_many_waiting_takes_turns_with_the_others() {
        let slots = Slots::new(1);
        assert!(slots.take(&schedule("many", "0")));
        for name in ["1", "2", "3"] {
            assert!(!slots.take(&schedule("many", name)));
        }
        assert!(!slots.take(&schedule("one", "a")));
        let mut done = schedule("many", "0");
        let mut order = Vec::new();
        while let Some(next) = slots.free(&done) {
            order.push(next.name.clone());
            done = next;
        }
        assert_eq!(order, ["1", "a", "2", "3"]);
    }

    #[test]
    fn who_wants_none_any_more_is_passed_over() {
        let slots = Slots::new(1);
        let [a, b, c] = ["a", "b", "c"].map(|name| schedule("team", name));
        assert!(slots.take(&a) && !slots.take(&b) && !slots.take(&c));
        assert_eq!(slots.free(&b), None, "it was not its turn, so it is nobody else's now");
        assert_eq!(slots.free(&a), Some(c.clone()));
        assert_eq!(slots.free(&c), None);
        assert!(slots.take(&b));
    }

    #[test]
    fn what_is_found_under_way_counts_though_there_are_too_many() {
        let slots = Slots::new(1);
        let [a, b, c] = ["a", "b", "c"].map(|name| schedule("team", name));
        slots.hold(&a);
        slots.hold(&b);
        assert!(!slots.take(&c));
        assert_eq!(slots.free(&a), None);
        assert_eq!(slots.free(&b), Some(c));
    }

    #[test]
    fn a_job_that_was_made_is_waited_for_once() {
        let slots = Slots::new(1);
        let a = schedule("team", "a");
        assert!(slots.take(&a) && !slots.is_late(&a), "it was never made");
        slots.note_made(&a);
        assert!(slots.is_late(&a));
        assert!(!slots.is_late(&a), "it is gone");
        slots.note_made(&a);
        slots.hold(&a);
        assert!(!slots.is_late(&a), "it was there, and is gone");
    }
}
