//! When to reconcile objects again.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use tokio_util::time::DelayQueue;
use tokio_util::time::delay_queue::Key;

use super::fair::{Name, name_of, object_of};

/// The longest wait. Whoever wants to wait longer is woken, and waits again.
const LONGEST: Duration = Duration::from_hours(24 * 30);

/// Objects that wait for a time, each once.
#[derive(Default)]
pub(super) struct Requeues {
    due: DelayQueue<Name>,
    keys: HashMap<Name, Key>,
}

impl Requeues {
    /// Wakes an object after this time, and not at an earlier chosen one; `None` cancels that.
    pub(super) fn set<K: Resource<DynamicType = ()>>(&mut self, object: &ObjectRef<K>, wait: Option<Duration>) {
        let name = name_of(object);
        if let Some(key) = self.keys.remove(&name) {
            self.due.remove(&key);
        }
        if let Some(wait) = wait {
            let key = self.due.insert(name.clone(), wait.min(LONGEST));
            self.keys.insert(name, key);
        }
    }

    /// Waits for the next object whose time has come.
    pub(super) async fn next<K: Resource<DynamicType = ()>>(&mut self) -> ObjectRef<K> {
        let name = poll_fn(|task| match self.due.poll_expired(task) {
            Poll::Ready(Some(expired)) => Poll::Ready(expired.into_inner()),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        });
        let name = name.await;
        self.keys.remove(&name);
        object_of(&name.0, &name.1)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::api::WebhookSchedule;

    fn name(name: &str) -> ObjectRef<WebhookSchedule> {
        ObjectRef::new(name).within("team-a")
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_woken_once_at_the_time_that_was_set_last() {
        let mut requeues = Requeues::default();
        assert!(requeues.next::<WebhookSchedule>().now_or_never().is_none());
        requeues.set(&name("a"), Some(Duration::from_secs(1)));
        requeues.set(&name("b"), Some(Duration::from_secs(2)));
        requeues.set(&name("c"), Some(Duration::from_secs(3)));
        requeues.set(&name("a"), Some(Duration::from_secs(5)));
        requeues.set(&name("b"), None);
        let since = tokio::time::Instant::now();
        assert_eq!(requeues.next().await, name("c"));
        assert_eq!(requeues.next().await, name("a"));
        assert_eq!(since.elapsed().as_secs(), 5);
        assert!(requeues.next::<WebhookSchedule>().now_or_never().is_none() && requeues.keys.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_is_due_in_years_is_woken_within_a_month() {
        let mut requeues = Requeues::default();
        requeues.set(&name("a"), Some(Duration::from_hours(24 * 365 * 8)));
        let since = tokio::time::Instant::now();
        assert_eq!(requeues.next().await, name("a"));
        assert!(since.elapsed() <= LONGEST + Duration::from_secs(1));
    }
}
