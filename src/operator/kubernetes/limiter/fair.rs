//! Limits how many checks run at a time, and decides whose turn it is when a thousand schedules want one at once. In the same way,
//! it limits how many Jobs that were made early wait for their minute.
//!
//! Nothing polls: releasing a slot returns the schedule that gets it next. Namespaces take turns, and each has at most a fifth
//! of all slots, so a tenant whose checks all hang, for example for lack of quota, blocks only a fifth. The last fifth goes
//! only to namespaces that have no check under way; these also come first when a slot becomes free. All of this state can be
//! lost: a new operator finds the checks under way by their Jobs, and each schedule asks for its turn again.

use std::collections::HashSet;

use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use crate::operator::kubernetes::fair::RoundRobin;

/// A namespace gets at most one in this many of all slots, and as many are kept free for namespaces that have none; at least
/// one each.
const SHARE: usize = 5;

/// The checks under way, and the schedules that wait for a slot.
pub(crate) struct FairLimiter<K: Resource<DynamicType = ()>> {
    state: Mutex<State<K>>,
}

struct State<K: Resource<DynamicType = ()>> {
    most: usize,
    /// The schedules that have a slot.
    taken: HashSet<ObjectRef<K>>,
    waiting: RoundRobin,
}

impl<K: Resource<DynamicType = ()>> FairLimiter<K> {
    /// A limiter with this many slots.
    pub(crate) fn new(most: u16) -> Self {
        let (taken, waiting) = (HashSet::new(), RoundRobin::default());
        Self { state: Mutex::new(State { most: most.into(), taken, waiting }) }
    }

    /// Whether a schedule gets a slot, or has one. If not, it waits for one.
    pub(crate) fn try_acquire(&self, schedule: &ObjectRef<K>) -> bool {
        let mut state = self.state.lock();
        if state.taken.contains(schedule) {
            return true;
        }
        if state.has_room(namespace_of(schedule)) {
            state.stop_waiting(schedule);
            state.taken.insert(schedule.clone());
            return true;
        }
        state.wait(schedule);
        false
    }

    /// Notes that a schedule's check is under way, whether the schedule got a slot or not.
    pub(crate) fn adopt(&self, schedule: &ObjectRef<K>) {
        let mut state = self.state.lock();
        state.stop_waiting(schedule);
        state.taken.insert(schedule.clone());
    }

    /// Notes that a schedule wants no check, or that its check is over, and returns the schedule that gets the slot now.
    pub(crate) fn release(&self, schedule: &ObjectRef<K>) -> Option<ObjectRef<K>> {
        let mut state = self.state.lock();
        state.stop_waiting(schedule);
        if !state.taken.remove(schedule) {
            return None;
        }
        let next = state.next()?;
        state.taken.insert(next.clone());
        Some(next)
    }
}

impl<K: Resource<DynamicType = ()>> State<K> {
    /// Whether a namespace may have one more slot.
    fn has_room(&self, namespace: &str) -> bool {
        let (own, free) = (self.own(namespace), self.most.saturating_sub(self.taken.len()));
        let share = (self.most / SHARE).max(1);
        if own == 0 { free > 0 } else { own < share && free > share }
    }

    fn own(&self, namespace: &str) -> usize {
        self.taken.iter().filter(|taken| namespace_of(taken) == namespace).count()
    }

    fn wait(&mut self, schedule: &ObjectRef<K>) {
        self.waiting.push(namespace_of(schedule), &schedule.name);
    }

    fn stop_waiting(&mut self, schedule: &ObjectRef<K>) {
        self.waiting.remove(namespace_of(schedule), &schedule.name);
    }

    /// The next schedule: one of a namespace that has no slot, or else one of a namespace that may have more.
    fn next(&mut self) -> Option<ObjectRef<K>> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let first = waiting.pop(|namespace| self.own(namespace) == 0 && self.has_room(namespace));
        let next = first.or_else(|| waiting.pop(|namespace| self.has_room(namespace)));
        self.waiting = waiting;
        next.map(|(namespace, name)| ObjectRef::new(&name).within(&namespace))
    }
}

fn namespace_of<K: Resource<DynamicType = ()>>(object: &ObjectRef<K>) -> &str {
    object.namespace.as_deref().unwrap_or_default()
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
        let limiter = FairLimiter::new(2);
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|namespace| schedule(namespace, "report"));
        assert!(limiter.try_acquire(&a) && limiter.try_acquire(&b) && limiter.try_acquire(&a), "however often it asks");
        assert!(!limiter.try_acquire(&c) && !limiter.try_acquire(&d) && !limiter.try_acquire(&c));
        assert_eq!(limiter.release(&a), Some(c.clone()));
        assert!(limiter.try_acquire(&c), "it was its turn");
        assert!(!limiter.try_acquire(&a));
        assert_eq!(limiter.release(&b), Some(d));
        assert_eq!(limiter.release(&c), Some(a));
    }

    #[test]
    fn a_namespace_with_many_waiting_takes_turns_with_the_others() {
        let limiter = FairLimiter::new(1);
        assert!(limiter.try_acquire(&schedule("many", "0")));
        for name in ["1", "2", "3"] {
            assert!(!limiter.try_acquire(&schedule("many", name)));
        }
        assert!(!limiter.try_acquire(&schedule("one", "a")));
        let mut done = schedule("many", "0");
        let mut order = Vec::new();
        while let Some(next) = limiter.release(&done) {
            order.push(next.name.clone());
            done = next;
        }
        assert_eq!(order, ["1", "a", "2", "3"]);
    }

    /// How many slots a namespace gets that wants ten.
    fn taken(limiter: &FairLimiter<WebhookSchedule>, namespace: &str) -> usize {
        (0..10).filter(|number| limiter.try_acquire(&schedule(namespace, &number.to_string()))).count()
    }

    #[test]
    fn where_the_checks_of_four_namespaces_hang_a_fifth_and_a_sixth_have_theirs_at_once() {
        let limiter = FairLimiter::new(10);
        assert_eq!(["a", "b", "c", "d"].map(|namespace| taken(&limiter, namespace)), [2, 2, 2, 2]);
        assert_eq!(["e", "f"].map(|namespace| taken(&limiter, namespace)), [1, 1]);
    }

    #[test]
    fn what_becomes_free_is_first_for_who_has_none_though_others_have_waited_longer() {
        let limiter = FairLimiter::new(10);
        assert_eq!(["a", "b", "c", "d", "e", "f"].map(|namespace| taken(&limiter, namespace)), [2, 2, 2, 2, 1, 1]);
        let other = schedule("g", "0");
        assert!(!limiter.try_acquire(&other));
        assert_eq!(limiter.release(&schedule("a", "0")), Some(other));
        assert_eq!(limiter.release(&schedule("a", "1")).unwrap(), schedule("a", "2"), "it has none now");
        assert_eq!(limiter.release(&schedule("b", "0")), None, "what is left is for those that have none");
    }

    #[test]
    fn of_a_few_checks_at_a_time_a_namespace_has_one() {
        for most in [1, 3, 9] {
            assert_eq!(taken(&FairLimiter::new(most), "many"), 1);
        }
    }

    #[test]
    fn who_wants_none_any_more_is_passed_over() {
        let limiter = FairLimiter::new(1);
        let [a, b, c] = ["a", "b", "c"].map(|name| schedule("team", name));
        assert!(limiter.try_acquire(&a) && !limiter.try_acquire(&b) && !limiter.try_acquire(&c));
        assert_eq!(limiter.release(&b), None, "it was not its turn, so it is nobody else's now");
        assert_eq!(limiter.release(&a), Some(c.clone()));
        assert_eq!(limiter.release(&c), None);
        assert!(limiter.try_acquire(&b));
    }

    #[test]
    fn what_is_found_under_way_counts_though_there_are_too_many() {
        let limiter = FairLimiter::new(1);
        let [a, b, c] = ["a", "b", "c"].map(|name| schedule("team", name));
        limiter.adopt(&a);
        limiter.adopt(&b);
        assert!(!limiter.try_acquire(&c));
        assert_eq!(limiter.release(&a), None);
        assert_eq!(limiter.release(&b), Some(c));
    }
}
