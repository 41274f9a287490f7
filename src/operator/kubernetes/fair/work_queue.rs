//! Objects that wait to be reconciled, handed out to a controller in turns.
//!
//! kube's controller reconciles in the order in which objects arrive. So it gets no more than it can run at a time, and the
//! rest waits here. Objects that the controller requeues after a time haven't waited for a turn either: they are sent back here
//! first.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Poll, Waker};

use futures::Stream;
use futures::stream::poll_fn;
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use super::RoundRobin;

/// The names of objects to reconcile. Clones share the same queue.
pub(crate) struct WorkQueue<K> {
    state: Arc<Mutex<State>>,
    kind: PhantomData<fn() -> K>,
}

type Name = (Arc<str>, Arc<str>);

#[derive(Default)]
struct State {
    waiting: RoundRobin,
    /// Names that were handed out and aren't done, and whether each was added again since.
    handed_out: HashMap<Name, bool>,
    taker: Option<Waker>,
}

/// A reconcile that has its turn, until this value is dropped.
pub(crate) struct Turn<K: Resource<DynamicType = ()>> {
    queue: WorkQueue<K>,
    object: ObjectRef<K>,
}

impl<K: Resource<DynamicType = ()>> WorkQueue<K> {
    /// Queues an object. An object that is added twice before its turn is reconciled once; one that is added during its
    /// reconcile is reconciled once more.
    pub(crate) fn add(&self, object: &ObjectRef<K>) {
        let mut state = self.state.lock();
        let name = name_of(object);
        match state.handed_out.get_mut(&name) {
            Some(again) => *again = true,
            None => state.waiting.push(&name.0, &name.1),
        }
        state.wake();
    }

    /// How many names wait for their turn.
    pub(crate) fn len(&self) -> usize {
        let state = self.state.lock();
        state.waiting.len() + state.handed_out.values().filter(|again| **again).count()
    }

    /// Begins a reconcile if the object was handed out. Otherwise queues the object.
    pub(crate) fn begin(&self, object: &ObjectRef<K>) -> Option<Turn<K>> {
        if self.state.lock().handed_out.contains_key(&name_of(object)) {
            return Some(Turn { queue: self.clone(), object: object.clone() });
        }
        self.add(object);
        None
    }

    /// Notes that the reconcile of a handed-out object is over, or that the object doesn't exist.
    pub(crate) fn done(&self, object: &ObjectRef<K>) {
        let mut state = self.state.lock();
        let name = name_of(object);
        if state.handed_out.remove(&name) == Some(true) {
            state.waiting.push(&name.0, &name.1);
        }
        state.wake();
    }

    /// Hands out names in turns, with at most this many not done. The stream never ends, and only one may be taken from a
    /// queue.
    pub(crate) fn hand_out(&self, most: usize) -> impl Stream<Item = ObjectRef<K>> + Send + use<K> {
        let queue = Arc::clone(&self.state);
        poll_fn(move |task| {
            let mut state = queue.lock();
            let next = if state.handed_out.len() < most { state.waiting.pop(|_| true) } else { None };
            let Some((namespace, name)) = next else {
                state.taker = Some(task.waker().clone());
                return Poll::Pending;
            };
            let object = ObjectRef::new(&name).within(&namespace);
            state.handed_out.insert((namespace, name), false);
            Poll::Ready(Some(object))
        })
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
    }
}

impl<K: Resource<DynamicType = ()>> Drop for Turn<K> {
    fn drop(&mut self) {
        self.queue.done(&self.object);
    }
}

impl<K> Clone for WorkQueue<K> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), kind: PhantomData }
    }
}

impl<K> Default for WorkQueue<K> {
    fn default() -> Self {
        Self { state: Arc::default(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for WorkQueue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkQueue").finish_non_exhaustive()
    }
}

fn name_of<K: Resource<DynamicType = ()>>(object: &ObjectRef<K>) -> Name {
    (object.namespace.as_deref().unwrap_or_default().into(), object.name.as_str().into())
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};

    use super::*;
    use crate::api::WebhookSchedule;

    type Queue = WorkQueue<WebhookSchedule>;

    fn schedule(namespace: &str, name: &str) -> ObjectRef<WebhookSchedule> {
        ObjectRef::new(name).within(namespace)
    }

    /// What is handed out now.
    fn next(handed: &mut (impl Stream<Item = ObjectRef<WebhookSchedule>> + Unpin)) -> Option<String> {
        let next = handed.next().now_or_never()??;
        Some(format!("{}/{}", next.namespace?, next.name))
    }

    #[test]
    fn ten_thousand_schedules_of_one_namespace_delay_the_one_of_another_by_one_turn() {
        let queue = Queue::default();
        let mut handed = Box::pin(queue.hand_out(2));
        for number in 0..10_000 {
            queue.add(&schedule("many", &number.to_string()));
        }
        assert_eq!(next(&mut handed).as_deref(), Some("many/0"));
        assert_eq!(next(&mut handed).as_deref(), Some("many/1"));
        queue.add(&schedule("one", "a"));
        assert_eq!(next(&mut handed), None, "as many are looked at as may be");
        queue.done(&schedule("many", "0"));
        queue.done(&schedule("many", "1"));
        let mut both = [next(&mut handed).unwrap(), next(&mut handed).unwrap()];
        both.sort();
        assert_eq!(both, ["many/2", "one/a"]);
    }

    #[test]
    fn what_is_wanted_while_it_is_looked_at_is_looked_at_once_more_and_never_twice_at_a_time() {
        let queue = Queue::default();
        let mut handed = Box::pin(queue.hand_out(2));
        let a = schedule("team", "a");
        queue.add(&a);
        queue.add(&a);
        assert_eq!(next(&mut handed).as_deref(), Some("team/a"));
        let turn = queue.begin(&a).unwrap();
        queue.add(&a);
        queue.add(&a);
        assert_eq!(next(&mut handed), None);
        drop(turn);
        assert_eq!(next(&mut handed).as_deref(), Some("team/a"));
        queue.done(&a);
        assert_eq!(next(&mut handed), None);
    }

    #[test]
    fn what_the_controller_wakes_by_itself_waits_for_its_turn() {
        let queue = Queue::default();
        let mut handed = Box::pin(queue.hand_out(1));
        queue.add(&schedule("one", "a"));
        let woken = schedule("many", "0");
        assert!(queue.begin(&woken).is_none());
        assert_eq!(next(&mut handed).as_deref(), Some("one/a"));
        queue.done(&schedule("one", "a"));
        assert_eq!(next(&mut handed).as_deref(), Some("many/0"));
        assert!(queue.begin(&woken).is_some());
    }

    #[tokio::test]
    async fn whoever_waits_for_work_is_woken_by_it_and_by_a_turn_that_ends() {
        let queue = Queue::default();
        let mut handed = Box::pin(queue.hand_out(1));
        let (a, b) = (schedule("team", "a"), schedule("team", "b"));
        let taken = tokio::spawn(async move {
            let first = handed.next().await;
            (first, handed.next().await)
        });
        tokio::task::yield_now().await;
        queue.add(&a);
        queue.add(&b);
        tokio::task::yield_now().await;
        queue.done(&a);
        assert_eq!(taken.await.unwrap(), (Some(a), Some(b)));
    }
}
