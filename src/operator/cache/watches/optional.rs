//! Kinds that the operator can work without: where it may not read one, or the kind doesn't exist, it goes on and says so.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use kube::Api;
use kube::runtime::reflector::store;
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;

use super::error::is_unreadable;
use super::{Watches, config, events};
use crate::operator::cache::prune::Prune;

/// When to try again whether a kind can be read.
const AGAIN: Duration = Duration::from_secs(30);

/// A kind can't be read: a permission is missing, or the API server doesn't serve the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Watches {
    /// Watches a cluster-scoped kind. Calls `on_news` with all existing objects, after each change.
    pub(crate) fn optional<K>(&mut self, on_news: impl Fn(Result<Vec<Arc<K>>, Unreadable>) + Send + 'static)
    where
        K: Prune + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let (cache, mut writer) = store();
        self.follow(move |event| match event {
            Ok(event) => {
                writer.apply_watcher_event(&event);
                if !matches!(event, Event::Init | Event::InitApply(_)) {
                    on_news(Ok(cache.state()));
                }
            }
            Err(unreadable) => on_news(Err(unreadable)),
        });
    }

    /// Watches a kind in the whole cluster, without a cache. `on_event` gets [`Unreadable`] when nothing was read since the
    /// last try.
    pub(crate) fn follow<K>(&mut self, mut on_event: impl FnMut(Result<Event<K>, Unreadable>) + Send + 'static)
    where
        K: Prune + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let (api, metrics) = (Api::all(self.client.clone()), self.metrics.clone());
        self.tasks.spawn(async move {
            loop {
                let mut was_read = false;
                let mut events = events(api.clone(), &config(), metrics.clone());
                while let Some(event) = events.next().await {
                    match event {
                        Ok(event) => {
                            was_read |= !matches!(event, Event::Init | Event::InitApply(_));
                            on_event(Ok(event));
                        }
                        Err(error) if is_unreadable(&error) => break,
                        // The failure was logged, and the watch goes on.
                        Err(_) => {}
                    }
                }
                // An API server that is starting may refuse for a moment what it allowed before.
                if !was_read {
                    on_event(Err(Unreadable));
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}
