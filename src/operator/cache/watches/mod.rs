//! Watches, and the caches that they fill, over the whole cluster or over the namespaces that the admin names.
//!
//! However many watches a kind has, they fill one cache, so nothing else needs to know their number.

mod error;
mod listings;
pub(crate) mod optional;

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream, SelectAll};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::indexed::Indexed;
use super::prune::Prune;
use super::unlisted::Unlisted;
use super::{Crowds, Lean, Oldest, Texts, needed};
use crate::operator::metrics::Metrics;
use crate::operator::names::{MANAGED_BY_LABEL, MANAGER};
use error::is_forbidden;
use listings::{Listing, Listings};

/// How many objects a page of a listing has: the text of the whole page is in memory at once, and each object may have
/// megabytes.
const PAGE: u32 = 10;

/// What happened to an object.
pub(crate) enum Change<K> {
    /// It exists, and wasn't known before.
    Added,
    /// It was changed, and was this before.
    From(Arc<K>),
    /// It was deleted.
    Deleted,
}

impl<K> Change<K> {
    /// The previous version, if the object was known and still exists.
    pub(crate) fn before(&self) -> Option<&K> {
        match self {
            Self::From(before) => Some(before),
            Self::Added | Self::Deleted => None,
        }
    }

    /// Whether the object was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        matches!(self, Self::Deleted)
    }
}

type Watch<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// Starts watches, each in a task of its own: caches fill before the first reconcile, and keep filling whatever reconciles wait
/// for. The tasks end when this value is dropped.
pub(crate) struct Watches {
    client: Client,
    namespaces: Vec<String>,
    metrics: Metrics,
    tasks: JoinSet<()>,
    /// The kinds that could not be listed yet.
    pub(crate) unlisted: Unlisted,
}

impl Watches {
    /// Watches the objects of these namespaces, or of all namespaces when the list is empty.
    pub(crate) fn new(client: Client, namespaces: Vec<String>, metrics: Metrics) -> Self {
        Self { client, namespaces, metrics, tasks: JoinSet::new(), unlisted: Unlisted::default() }
    }

    /// Watches a cluster-scoped kind into a cache. Calls `on_touch` with each object that exists, was changed or was deleted,
    /// and with what happened to it, once the cache shows that.
    pub(crate) fn cluster<K>(&mut self, cache: Indexed<K>, on_touch: impl Fn(&K, Change<K>) + Send + 'static)
    where
        K: Prune + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.start(cache, vec![(None, Api::all(self.client.clone()))], &config(), on_touch);
    }

    /// Watches the selected objects of one namespace, regardless of the namespaces that the admin names.
    pub(crate) fn selected<K>(
        &mut self,
        (namespace, config): (&str, &watcher::Config),
        on_touch: impl Fn(&K, Change<K>) + Send + 'static,
    ) -> Indexed<K>
    where
        K: Prune + Resource<Scope = NamespaceResourceScope>,
        K: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let api = Api::namespaced(self.client.clone(), namespace);
        self.start(Indexed::default(), vec![(None, api)], config, on_touch)
    }

    /// Watches objects that tenants write.
    pub(crate) fn tenants<K>(&mut self, on_touch: impl Fn(&K, Change<K>) + Send + 'static) -> Indexed<K>
    where
        K: Prune + Resource<Scope = NamespaceResourceScope>,
        K: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        self.start(Indexed::default(), self.apis(), &config(), on_touch)
    }

    /// Watches what carries Postern's label.
    pub(crate) fn ours<K>(&mut self, on_touch: impl Fn(&K, Change<K>) + Send + 'static) -> Indexed<K>
    where
        K: Prune + Resource<Scope = NamespaceResourceScope>,
        K: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let ours = config().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));
        self.start(Indexed::default(), self.apis(), &ours, on_touch)
    }

    /// Whether the objects of all namespaces are watched.
    pub(crate) fn is_cluster_wide(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// Runs a task beside the watches that processes what one of them shows.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    fn apis<K: Prune + Resource<Scope = NamespaceResourceScope>>(&self) -> Vec<(Option<String>, Api<Lean<K>>)> {
        if self.namespaces.is_empty() {
            return vec![(None, Api::all(self.client.clone()))];
        }
        let api = |namespace: &String| (Some(namespace.clone()), Api::namespaced(self.client.clone(), namespace));
        self.namespaces.iter().map(api).collect()
    }

    /// A listing of a single namespace may fail for a missing permission without holding up the others.
    fn start<K>(
        &mut self,
        cache: Indexed<K>,
        apis: Vec<(Option<String>, Api<Lean<K>>)>,
        config: &watcher::Config,
        on_touch: impl Fn(&K, Change<K>) + Send + 'static,
    ) -> Indexed<K>
    where
        K: Prune + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let (namespaces, apis): (Vec<_>, Vec<_>) = apis.into_iter().unzip();
        let watches = apis.into_iter().map(|api| events(api, config, self.metrics.clone())).collect();
        let all = namespaces.into_iter().map(Listing::new).collect();
        let listings = Listings { cache: cache.clone(), unlisted: self.unlisted.clone(), on_touch, all };
        self.tasks.spawn(keep_all(watches, listings));
        cache
    }
}

/// The pruned events of the needed objects of a kind. Failures are logged and counted.
fn events<K>(api: Api<Lean<K>>, config: &watcher::Config, metrics: Metrics) -> Watch<K>
where
    K: Prune + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let kind = K::kind(&());
    let events = watch(api, config.clone()).default_backoff().inspect(move |event| {
        if let Err(error) = event {
            metrics.watch_restarted(kind.clone());
            tracing::warn!(%kind, %error, "a watch failed; trying again");
        }
    });
    let (mut crowds, mut oldest, mut texts) = (Crowds::default(), Oldest::default(), Texts::default());
    let needed = events.filter_map(async |event| event.map(needed).transpose());
    let bounded = needed.map(move |event| match event {
        Ok(event) => {
            let kept = crowds.bound(event).into_iter().flat_map(|event| oldest.bound(event));
            kept.map(|event| Ok(texts.bound(event))).collect()
        }
        Err(error) => vec![Err(error)],
    });
    bounded.flat_map(stream::iter).boxed()
}

/// Takes the events of all watches of a kind, for ever.
async fn keep_all<K, F>(watches: Vec<Watch<K>>, mut listings: Listings<K, F>)
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Send + 'static,
    F: Fn(&K, Change<K>),
{
    let numbered = watches.into_iter().enumerate();
    let mut all: SelectAll<_> =
        numbered.map(|(index, events)| events.map(move |event| (index, event)).boxed()).collect();
    while let Some((index, event)) = all.next().await {
        match event {
            Ok(event) => listings.take(index, event).await,
            Err(error) if is_forbidden(&error) => listings.do_without(index),
            // The failure was logged, and the watch goes on.
            Err(_) => {}
        }
        // A page of a listing shows all its objects at once, and each may take a while. Let others run in between.
        tokio::task::yield_now().await;
    }
}

pub(crate) fn config() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

#[cfg(test)]
mod tests;
