//! Objects that wait to be reconciled, handed out to a controller in turns.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Poll, Waker};

use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use super::RoundRobin;

/// The names of objects to reconcile. Clones share the same queue.
pub(crate) struct WorkQueue<K> {
    state: Arc<Mutex<State>>,
    kind: PhantomData<fn() -> K>,
}

/// The namespace and the name of an object.
pub(crate) type Name = (Arc<str>, Arc<str>);

#[derive(Default)]
struct State {
    waiting: RoundRobin,
    /// Names that were handed out and aren't done, and whether each was added again since.
    handed_out: HashMap<Name, bool>,
    taker: Option<Waker>,
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

    /// Notes that the reconcile of a handed-out object is over, or that the object doesn't exist.
    pub(crate) fn done(&self, object: &ObjectRef<K>) {
        let mut state = self.state.lock();
        let name = name_of(object);
        if state.handed_out.remove(&name) == Some(true) {
            state.waiting.push(&name.0, &name.1);
        }
        state.wake();
    }

    /// Waits for the object whose turn is next, and hands it out. Only one task may wait.
    pub(crate) async fn next(&self) -> ObjectRef<K> {
        poll_fn(|task| {
            let mut state = self.state.lock();
            let Some(name) = state.waiting.pop(|_| true) else {
                state.taker = Some(task.waker().clone());
                return Poll::Pending;
            };
            let object = object_of(&name.0, &name.1);
            state.handed_out.insert(name, false);
            Poll::Ready(object)
        })
        .await
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
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

/// The name of an object.
pub(crate) fn name_of<K: Resource<DynamicType = ()>>(object: &ObjectRef<K>) -> Name {
    (object.namespace.as_deref().unwrap_or_default().into(), object.name.as_str().into())
}

/// The object with this name; an object of the cluster has no namespace.
pub(crate) fn object_of<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> ObjectRef<K> {
    let object = ObjectRef::new(name);
    if namespace.is_empty() { object } else { object.within(namespace) }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::api::WebhookSchedule;

    type Queue = WorkQueue<WebhookSchedule>;

    fn schedule(namespace: &str, name: &str) -> ObjectRef<WebhookSchedule> {
        ObjectRef::new(name).within(namespace)
    }

    /// What is handed out now.
    fn next(queue: &Queue) -> Option<String> {
        let next = queue.next().now_or_never()?;
        Some(format!("{}/{}", next.namespace?, next.name))
    }

    #[test]
    fn ten_thousand_schedules_of_one_namespace_delay_the_one_of_another_by_one_turn() {
        let queue = Queue::default();
        for number in 0..10_000 {
            queue.add(&schedule("many", &number.to_string()));
        }
        assert_eq!(next(&queue).as_deref(), Some("many/0"));
        assert_eq!(next(&queue).as_deref(), Some("many/1"));
        queue.add(&schedule("one", "a"));
        let mut both = [next(&queue).unwrap(), next(&queue).unwrap()];
        both.sort();
        assert_eq!(both, ["many/2", "one/a"]);
    }

    #[test]
    fn what_is_wanted_while_it_is_looked_at_is_looked_at_once_more_and_never_twice_at_a_time() {
        let queue = Queue::default();
        let a = schedule("team", "a");
        queue.add(&a);
        queue.add(&a);
        assert_eq!(next(&queue).as_deref(), Some("team/a"));
        queue.add(&a);
        queue.add(&a);
        assert_eq!((next(&queue), queue.len()), (None, 1));
        queue.done(&a);
        assert_eq!(next(&queue).as_deref(), Some("team/a"));
        queue.done(&a);
        assert_eq!(next(&queue), None);
    }

    #[tokio::test]
    async fn whoever_waits_for_work_is_woken_by_it() {
        let queue = Queue::default();
        let (a, waiting) = (schedule("team", "a"), queue.clone());
        let taken = tokio::spawn(async move { waiting.next().await });
        tokio::task::yield_now().await;
        queue.add(&a);
        assert_eq!(taken.await.unwrap(), a);
    }
}
