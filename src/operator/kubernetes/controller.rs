//! How a controller runs: it reconciles queued objects in turns, retries failures with backoff, and forgets deleted objects.
//!
//! kube's own `Controller` takes its objects from a store of whole objects, and wakes from watches of its own. Here one cache
//! keeps all objects in little memory, and one watch wakes several controllers, on deletions too; so each has a queue.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use kube::Resource;
use kube::runtime::reflector::ObjectRef;

use super::backoff::Backoff;
use super::fair::WorkQueue;
use super::requeues::Requeues;

/// What a controller does.
pub(crate) trait Reconcile: Send + Sync + 'static {
    /// The kind that it reconciles.
    type Kind: Resource<DynamicType = ()> + Send + Sync + 'static;
    /// Why a reconcile has to be retried.
    type Error: std::error::Error + Send;
    /// Its name in the log.
    const NAME: &'static str;

    /// Brings the cluster to the state that an object wants, and returns when to requeue.
    fn reconcile(&self, object: Arc<Self::Kind>) -> impl Future<Output = Result<Action, Self::Error>> + Send;

    /// Forgets a deleted object.
    fn forget(&self, object: &ObjectRef<Self::Kind>);
}

/// When an object is reconciled again, unless a change wakes its controller sooner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action(Option<Duration>);

impl Action {
    /// Reconcile it again after this time.
    pub(crate) fn requeue(wait: Duration) -> Self {
        Self(Some(wait))
    }

    /// Do nothing until a change.
    pub(crate) fn await_change() -> Self {
        Self(None)
    }
}

/// Requeues at a time, in Unix seconds, and no sooner than in a second; waits for a change when there is no such time.
pub(crate) fn requeue_at(next: Option<i64>, now: i64) -> Action {
    let wait = next.map(|next| u64::try_from(next - now).unwrap_or_default().max(1));
    wait.map_or_else(Action::await_change, |wait| Action::requeue(Duration::from_secs(wait)))
}

/// Reconciles queued objects until `stop` is done, at most this many at a time, and lets running reconciles finish. `find`
/// returns an object as the caches show it.
pub(crate) async fn run_controller<R: Reconcile>(
    reconciler: Arc<R>,
    find: impl Fn(&ObjectRef<R::Kind>) -> Option<Arc<R::Kind>>,
    queue: WorkQueue<R::Kind>,
    at_a_time: u16,
    stop: impl Future<Output = ()>,
) {
    let (failures, mut requeues, mut running) = (Backoff::default(), Requeues::default(), FuturesUnordered::new());
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some((name, result)) = running.next() => {
                requeues.set(&name, next::<R>(&name, result, &failures));
                queue.done(&name);
                // A reconcile that found nothing to do has waited for nothing.
                tokio::task::yield_now().await;
            }
            name = requeues.next() => queue.add(&name),
            name = queue.next(), if running.len() < at_a_time.into() => {
                requeues.set(&name, None);
                if let Some(object) = find(&name) {
                    let reconciler = Arc::clone(&reconciler);
                    running.push(async move { (name, reconciler.reconcile(object).await) }.boxed());
                } else {
                    queue.done(&name);
                    failures.forget(&key(&name));
                    reconciler.forget(&name);
                }
            }
        }
    }
    while let Some((name, result)) = running.next().await {
        next::<R>(&name, result, &failures);
    }
}

/// When to reconcile an object again. Logs a failure.
fn next<R: Reconcile>(
    name: &ObjectRef<R::Kind>,
    result: Result<Action, R::Error>,
    failures: &Backoff,
) -> Option<Duration> {
    match result {
        Ok(Action(wait)) => {
            tracing::debug!(controller = R::NAME, object = %name, "reconciled");
            failures.forget(&key(name));
            wait
        }
        Err(error) => {
            tracing::warn!(controller = R::NAME, namespace = name.namespace, name = name.name, %error, "a reconcile failed; trying again");
            Some(failures.wait(&key(name)))
        }
    }
}

/// The key by which failures are counted.
fn key<K: Resource<DynamicType = ()>>(object: &ObjectRef<K>) -> String {
    format!("{}/{}", object.namespace.as_deref().unwrap_or_default(), object.name)
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use tokio::sync::{Notify, oneshot};

    use super::*;
    use crate::api::WebhookSchedule;
    use crate::operator::test_support::objects;

    /// Notes what it is asked to do. A reconcile fails as long as `fails` says so, and ends when it is let go on.
    #[derive(Default)]
    struct Noting {
        begun: Mutex<Vec<String>>,
        ended: Mutex<u32>,
        forgotten: Mutex<Vec<String>>,
        fails: Mutex<u32>,
        requeue: Option<Duration>,
        holds: bool,
        go_on: Notify,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("it failed")]
    struct Failed;

    impl Reconcile for Noting {
        type Kind = WebhookSchedule;
        type Error = Failed;
        const NAME: &'static str = "noting";

        async fn reconcile(&self, object: Arc<WebhookSchedule>) -> Result<Action, Failed> {
            self.begun.lock().push(object.metadata.name.clone().unwrap());
            if self.holds {
                self.go_on.notified().await;
            }
            *self.ended.lock() += 1;
            let mut fails = self.fails.lock();
            if *fails > 0 {
                *fails -= 1;
                return Err(Failed);
            }
            Ok(Action(self.requeue))
        }

        fn forget(&self, object: &ObjectRef<WebhookSchedule>) {
            self.forgotten.lock().push(object.name.clone());
        }
    }

    fn name(name: &str) -> ObjectRef<WebhookSchedule> {
        ObjectRef::new(name).within("team-a")
    }

    /// Objects that exist, but for `gone`.
    fn find(name: &ObjectRef<WebhookSchedule>) -> Option<Arc<WebhookSchedule>> {
        let mut schedule = objects::schedule();
        schedule.metadata.name = Some(name.name.clone());
        Some(Arc::new(schedule)).filter(|_| name.name != "gone")
    }

    /// Runs a controller of two at a time, for as long as `meanwhile` takes.
    async fn run(noting: &Arc<Noting>, queue: &WorkQueue<WebhookSchedule>, meanwhile: impl Future<Output = ()>) {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        tokio::join!(run_controller(Arc::clone(noting), find, queue.clone(), 2, stopped), async {
            meanwhile.await;
            drop(stop);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_reconcile_is_repeated_after_its_time_and_a_change_in_between_takes_the_place_of_the_timer() {
        let noting = Arc::new(Noting { requeue: Some(Duration::from_mins(1)), ..Noting::default() });
        let queue = WorkQueue::default();
        queue.add(&name("a"));
        run(&noting, &queue, async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            assert_eq!(noting.begun.lock().len(), 1);
            queue.add(&name("a"));
            tokio::time::sleep(Duration::from_secs(59)).await;
            assert_eq!(noting.begun.lock().len(), 2);
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(noting.begun.lock().len(), 3);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_retried_by_itself_later_each_time() {
        let noting = Arc::new(Noting { fails: Mutex::new(3), ..Noting::default() });
        let queue = WorkQueue::default();
        queue.add(&name("a"));
        let since = tokio::time::Instant::now();
        run(&noting, &queue, async {
            while noting.begun.lock().len() < 4 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
        assert!(since.elapsed() > Duration::from_secs(5), "1, 2 and 4 seconds, each less a quarter at most");
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_allowed_run_at_a_time_and_none_twice_and_they_finish_before_it_stops() {
        let noting = Arc::new(Noting { holds: true, ..Noting::default() });
        let queue = WorkQueue::default();
        queue.add(&name("a"));
        run(&noting, &queue, async {
            let a_moment = || tokio::time::sleep(Duration::from_secs(1));
            a_moment().await;
            queue.add(&name("a"));
            a_moment().await;
            assert_eq!(*noting.begun.lock(), ["a"], "there is room, but it runs already");
            queue.add(&name("b"));
            queue.add(&name("c"));
            a_moment().await;
            assert_eq!(*noting.begun.lock(), ["a", "b"]);
            noting.go_on.notify_one();
            a_moment().await;
            assert_eq!(
                *noting.begun.lock(),
                ["a", "b", "c"],
                "whoever was queued during its reconcile waits for another turn"
            );
            assert_eq!(*noting.ended.lock(), 1);
            // The other two go on only after the controller was asked to stop.
            let noting = Arc::clone(&noting);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                noting.go_on.notify_waiters();
            });
        })
        .await;
        assert_eq!(*noting.ended.lock(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deleted_object_is_forgotten() {
        let (noting, queue) = (Arc::<Noting>::default(), WorkQueue::default());
        queue.add(&name("gone"));
        run(&noting, &queue, tokio::time::sleep(Duration::from_secs(1))).await;
        assert_eq!((noting.begun.lock().len(), &**noting.forgotten.lock()), (0, &["gone".to_owned()][..]));
    }
}
