//! Kinds that the operator can do without: where it may not read one, or there is none, it goes on and says so.

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

/// A kind can't be read: for want of a right, or since the API server doesn't serve it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Watches {
    /// Watches a kind that no namespace has. `on_news` is told all objects that there are, after each change.
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

    /// Watches a kind in all of the cluster, without a cache. `on_event` is told that it can't be read when nothing was read since it
    /// was last tried.
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
                        // It was logged, and the watch goes on.
                        Err(_) => {}
                    }
                }
                // An API server that starts may refuse for a moment what it gave before.
                if !was_read {
                    on_event(Err(Unreadable));
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}
