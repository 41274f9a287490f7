//! How a controller runs: it reconciles queued objects in turns, retries failures with backoff, and forgets deleted objects.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use kube::runtime::controller::{self, Action, Config, Controller};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;

use super::backoff::Backoff;
use super::fair::WorkQueue;

/// What a controller does.
pub(crate) trait Reconcile: Send + Sync + 'static {
    /// The kind that it reconciles.
    type Kind: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static;
    /// Why a reconcile has to be retried.
    type Error: std::error::Error + Send + Sync + 'static;
    /// Its name in the log.
    const NAME: &'static str;

    /// Brings the cluster to the state that an object wants, and returns when to requeue.
    fn reconcile(&self, object: Arc<Self::Kind>) -> impl Future<Output = Result<Action, Self::Error>> + Send;

    /// Forgets a deleted object.
    fn forget(&self, object: &ObjectRef<Self::Kind>);
}

/// Requeues at a time, in Unix seconds, and no sooner than in a second; waits for a change when there is no such time.
pub(crate) fn requeue_at(next: Option<i64>, now: i64) -> Action {
    let wait = next.map(|next| u64::try_from(next - now).unwrap_or_default().max(1));
    wait.map_or_else(Action::await_change, |wait| Action::requeue(Duration::from_secs(wait)))
}

struct Running<R: Reconcile> {
    reconciler: Arc<R>,
    queue: WorkQueue<R::Kind>,
    failures: Backoff,
}

/// Reconciles queued objects until `stop` is done, at most this many at a time, and lets running reconciles finish.
///
/// kube's own shared streams would suit one watch and one controller. Here one watch wakes several controllers, on deletions
/// too, which those streams don't forward; so each controller has a queue.
pub(crate) async fn run_controller<R: Reconcile>(
    reconciler: Arc<R>,
    objects: Store<R::Kind>,
    queue: WorkQueue<R::Kind>,
    at_a_time: u16,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let running = Arc::new(Running { reconciler, queue: queue.clone(), failures: Backoff::default() });
    let context = Arc::clone(&running);
    Controller::for_stream(stream::pending(), objects)
        .with_config(Config::default().concurrency(at_a_time))
        .graceful_shutdown_on(stop)
        .reconcile_on(queue.hand_out(at_a_time.into()))
        .run(in_turn, on_error, context)
        .for_each(move |result| {
            match result {
                Ok((object, _)) => tracing::debug!(controller = R::NAME, %object, "reconciled"),
                // It was deleted before its turn came.
                Err(controller::Error::ObjectNotFound(gone)) => {
                    let object = ObjectRef::new(&gone.name);
                    let object = if let Some(namespace) = &gone.namespace { object.within(namespace) } else { object };
                    running.queue.done(&object);
                    running.failures.forget(&name_of(&object));
                    running.reconciler.forget(&object);
                }
                // The failure was logged, and is retried.
                Err(_) => {}
            }
            std::future::ready(())
        })
        .await;
}

async fn in_turn<R: Reconcile>(object: Arc<R::Kind>, running: Arc<Running<R>>) -> Result<Action, R::Error> {
    let name = ObjectRef::from_obj(&*object);
    // A reconcile that was requeued by its own timer waits for its turn like all others.
    let Some(_turn) = running.queue.begin(&name) else { return Ok(Action::await_change()) };
    let result = running.reconciler.reconcile(object).await;
    if result.is_ok() {
        running.failures.forget(&name_of(&name));
    }
    result
}

#[expect(clippy::needless_pass_by_value, reason = "the controller calls it so")]
fn on_error<R: Reconcile>(object: Arc<R::Kind>, error: &R::Error, running: Arc<Running<R>>) -> Action {
    let (namespace, name) = (object.namespace(), object.name_any());
    tracing::warn!(controller = R::NAME, namespace, name, %error, "a reconcile failed; trying again");
    Action::requeue(running.failures.wait(&name_of(&ObjectRef::from_obj(&*object))))
}

/// The key by which failures are counted.
fn name_of<K: Resource<DynamicType = ()>>(object: &ObjectRef<K>) -> String {
    format!("{}/{}", object.namespace.as_deref().unwrap_or_default(), object.name)
}
