//! Names that wait, and whose turn is next. Pure.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Names that wait, each once. Namespaces take turns, and within a namespace the one that has waited longest comes first.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    /// The namespaces with waiting names, the one whose turn is next first.
    turns: VecDeque<Arc<str>>,
    waiting: HashMap<Arc<str>, Waiting>,
}

/// What waits in one namespace, in order. Removing a name doesn't scan the others.
#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    order: BTreeMap<u64, Arc<str>>,
    places: HashMap<Arc<str>, u64>,
}

impl RoundRobin {
    /// Adds a name; one that waits already keeps its place.
    pub(crate) fn push(&mut self, namespace: &str, name: &str) {
        if !self.waiting.contains_key(namespace) {
            let namespace: Arc<str> = namespace.into();
            self.turns.push_back(Arc::clone(&namespace));
            self.waiting.insert(namespace, Waiting::default());
        }
        let Some(waiting) = self.waiting.get_mut(namespace).filter(|waiting| !waiting.places.contains_key(name)) else {
            return;
        };
        let name: Arc<str> = name.into();
        waiting.last += 1;
        waiting.order.insert(waiting.last, Arc::clone(&name));
        waiting.places.insert(name, waiting.last);
    }

    /// How many names wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.values().map(|waiting| waiting.order.len()).sum()
    }

    /// Removes a name.
    pub(crate) fn remove(&mut self, namespace: &str, name: &str) {
        let Some(waiting) = self.waiting.get_mut(namespace) else { return };
        if let Some(place) = waiting.places.remove(name) {
            waiting.order.remove(&place);
        }
        if waiting.order.is_empty() {
            self.waiting.remove(namespace);
            self.turns.retain(|other| **other != *namespace);
        }
    }

    /// Takes the next name and its namespace: of the namespaces that `may` have one, the one that has waited longest for its
    /// turn.
    pub(crate) fn pop(&mut self, may: impl Fn(&str) -> bool) -> Option<(Arc<str>, Arc<str>)> {
        let at = self.turns.iter().position(|namespace| may(namespace))?;
        let namespace = self.turns.remove(at)?;
        let waiting = self.waiting.get_mut(&namespace)?;
        let (_, name) = waiting.order.pop_first()?;
        waiting.places.remove(&name);
        if waiting.order.is_empty() {
            self.waiting.remove(&namespace);
        } else {
            self.turns.push_back(Arc::clone(&namespace));
        }
        Some((namespace, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(queue: &mut RoundRobin) -> Option<String> {
        queue.pop(|_| true).map(|(namespace, name)| format!("{namespace}/{name}"))
    }

    #[test]
    fn ten_thousand_names_of_one_namespace_delay_the_one_of_another_by_one_turn() {
        let mut queue = RoundRobin::default();
        for number in 0..10_000 {
            queue.push("many", &number.to_string());
        }
        queue.push("one", "a");
        let order: Vec<_> = (0..3).filter_map(|_| next(&mut queue)).collect();
        assert_eq!(order, ["many/0", "one/a", "many/1"]);
    }

    #[test]
    fn a_name_waits_once_and_keeps_its_place_until_it_is_taken() {
        let mut queue = RoundRobin::default();
        for name in ["a", "b", "a"] {
            queue.push("team", name);
        }
        assert_eq!(next(&mut queue).as_deref(), Some("team/a"));
        queue.push("team", "a");
        assert_eq!(next(&mut queue).as_deref(), Some("team/b"));
        assert_eq!(next(&mut queue).as_deref(), Some("team/a"));
        assert_eq!(next(&mut queue), None);
        assert!(queue.waiting.is_empty() && queue.turns.is_empty(), "nothing is kept of a namespace without names");
    }

    #[test]
    fn what_waits_no_longer_is_passed_over_and_costs_nothing() {
        let mut queue = RoundRobin::default();
        queue.push("a", "1");
        queue.push("b", "1");
        queue.push("b", "2");
        queue.remove("a", "1");
        queue.remove("b", "1");
        queue.remove("b", "unknown");
        assert_eq!(next(&mut queue).as_deref(), Some("b/2"));
        assert_eq!(next(&mut queue), None);
        assert!(queue.waiting.is_empty() && queue.turns.is_empty());
    }

    #[test]
    fn who_may_have_none_keeps_the_turn() {
        let mut queue = RoundRobin::default();
        for namespace in ["a", "b", "c"] {
            queue.push(namespace, "1");
        }
        let taken = queue.pop(|namespace| namespace != "a").unwrap();
        assert_eq!(&*taken.0, "b");
        assert_eq!(next(&mut queue).as_deref(), Some("a/1"));
    }
}
