//! Watches and the caches that they keep, over the whole cluster or over the namespaces that the admin names.
//!
//! However many watches there are of a kind, they fill one cache, so nothing else needs to know.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;

use futures::channel::mpsc::{self, UnboundedReceiver, UnboundedSender};
use futures::stream::{self, BoxStream, SelectAll};
use futures::{Stream, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use kube::core::{PartialObjectMeta, PartialObjectMetaExt as _};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::metrics::Metrics;
use super::names::{MANAGED_BY_LABEL, MANAGER};

/// What was touched, in the order in which it was.
pub(super) type Touched<T> = UnboundedReceiver<T>;

/// Objects of a page of a listing: until they are in the cache they are held whole.
const PAGE: u32 = 100;

type Watch<K> = BoxStream<'static, watcher::Result<Event<K>>>;

/// Starts watches, each in a task of its own: caches fill before the first reconcile, and whatever the reconciles are
/// waiting for. The tasks end with this value.
pub(super) struct Watches {
    client: Client,
    namespaces: Vec<String>,
    metrics: Metrics,
    tasks: JoinSet<()>,
}

impl Watches {
    /// For the objects of these namespaces, or of all when there are none.
    pub(super) fn new(client: Client, namespaces: Vec<String>, metrics: Metrics) -> Self {
        Self { client, namespaces, metrics, tasks: JoinSet::new() }
    }

    /// Watches an object of the cluster, which no namespace has.
    pub(super) fn cluster<K, const N: usize>(&mut self) -> (Store<K>, [Touched<K>; N])
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        self.start(vec![Api::all(self.client.clone())], &config(), |_| {}, |object| object)
    }

    /// Watches what tenants write.
    pub(super) fn tenants<K, const N: usize>(&mut self) -> (Store<K>, [Touched<K>; N])
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        self.start(self.apis(), &config(), |_| {}, |object| object)
    }

    /// Watches what carries Postern's label, and tells whose metadata was touched. `forget` takes from an object what nobody
    /// will ask the cache for.
    pub(super) fn ours<K, const N: usize>(
        &mut self,
        forget: fn(&mut K),
    ) -> (Store<K>, [Touched<PartialObjectMeta<K>>; N])
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let labelled = config().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));
        let metadata = |mut object: K| std::mem::take(object.meta_mut()).into_response_partial::<K>();
        self.start(self.apis(), &labelled, forget, metadata)
    }

    fn apis<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> Vec<Api<K>> {
        if self.namespaces.is_empty() {
            return vec![Api::all(self.client.clone())];
        }
        self.namespaces.iter().map(|namespace| Api::namespaced(self.client.clone(), namespace)).collect()
    }

    /// Fills a cache, and hands what is to be told of each object that is touched, deletions too, to each of the receivers.
    fn start<K, T, const N: usize>(
        &mut self,
        apis: Vec<Api<K>>,
        config: &watcher::Config,
        forget: fn(&mut K),
        tell: fn(K) -> T,
    ) -> (Store<K>, [Touched<T>; N])
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        T: Clone + Send + 'static,
    {
        let (store, writer) = reflector::store();
        let watches = apis.into_iter().map(|api| {
            let namespace = api.namespace().map(str::to_owned);
            let (kind, metrics) = (K::kind(&()), self.metrics.clone());
            let events = watch(api, config.clone()).default_backoff().modify(move |object| {
                // Often more than all the rest, and asked for only where an object is not in a cache.
                object.meta_mut().managed_fields = None;
                forget(object);
            });
            let events = events.inspect(move |event| {
                if let Err(error) = event {
                    metrics.watch_restarted(kind.clone());
                    tracing::warn!(%kind, %error, "a watch failed; it is tried again");
                }
            });
            (namespace, events.boxed())
        });
        let merged = merge(watches.collect(), store.clone());
        let mut seen = Box::pin(reflector::reflector(writer, merged).touched_objects());
        // Without a bound, since nobody reads before every cache is full.
        let (senders, receivers): (Vec<UnboundedSender<_>>, Vec<_>) = (0..N).map(|_| mpsc::unbounded()).unzip();
        self.tasks.spawn(async move {
            // What failed was logged, and the watch goes on.
            while let Some(event) = seen.next().await {
                let Ok(told) = event.map(tell) else { continue };
                for sender in &senders {
                    // Who no longer listens is on its way out.
                    let _ = sender.unbounded_send(told.clone());
                }
            }
        });
        let Ok(receivers) = receivers.try_into() else { unreachable!("N were made") };
        (store, receivers)
    }
}

fn config() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}

/// The watches of several namespaces, as if they were one.
fn merge<K>(
    watches: Vec<(Option<String>, Watch<K>)>,
    cache: Store<K>,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let listings = watches.iter().map(|(namespace, _)| Listing::new(namespace.clone())).collect();
    let mut merged = Merged { listings, first: Some(HashMap::new()), cache };
    let numbered = watches.into_iter().enumerate();
    let all: SelectAll<_> = numbered
        .map(|(index, (_, events))| events.map(move |event| event.map(|event| (index, event))).boxed())
        .collect();
    all.flat_map(move |event| {
        let events = match event {
            Err(error) => vec![Err(error)],
            Ok((index, event)) => merged.take(index, event).into_iter().map(Ok).collect(),
        };
        stream::iter(events)
    })
}

struct Merged<K: Resource<DynamicType = ()> + 'static> {
    listings: Vec<Listing<K>>,
    /// What is known while the first listings are under way: the cache is filled once they all are done.
    first: Option<HashMap<ObjectRef<K>, K>>,
    cache: Store<K>,
}

/// The listing of one namespace, or of all.
struct Listing<K: Resource<DynamicType = ()>> {
    namespace: Option<String>,
    done: bool,
    seen: HashSet<ObjectRef<K>>,
}

impl<K: Resource<DynamicType = ()>> Listing<K> {
    fn new(namespace: Option<String>) -> Self {
        Self { namespace, done: false, seen: HashSet::new() }
    }

    fn covers(&self, namespace: Option<&str>) -> bool {
        self.namespace.is_none() || self.namespace.as_deref() == namespace
    }
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Merged<K> {
    fn take(&mut self, index: usize, event: Event<K>) -> Vec<Event<K>> {
        let listing = &mut self.listings[index];
        let Some(known) = &mut self.first else {
            return relist(listing, event, &self.cache);
        };
        match event {
            Event::Init => known.retain(|object, _| !listing.covers(object.namespace.as_deref())),
            Event::Apply(object) | Event::InitApply(object) => {
                known.insert(ObjectRef::from_obj(&object), object);
            }
            Event::Delete(object) => {
                known.remove(&ObjectRef::from_obj(&object));
            }
            Event::InitDone => listing.done = true,
        }
        if !self.listings.iter().all(|listing| listing.done) {
            return Vec::new();
        }
        let objects = self.first.take().unwrap_or_default().into_values().map(Event::InitApply);
        std::iter::once(Event::Init).chain(objects).chain([Event::InitDone]).collect()
    }
}

/// A later listing changes one by one what the cache holds of its namespace: so other namespaces keep theirs, and
/// whoever listens learns what has vanished meanwhile.
fn relist<K: Resource<DynamicType = ()> + Clone + 'static>(
    listing: &mut Listing<K>,
    event: Event<K>,
    cache: &Store<K>,
) -> Vec<Event<K>> {
    match event {
        Event::Init => {
            listing.seen.clear();
            Vec::new()
        }
        Event::InitApply(object) => {
            listing.seen.insert(ObjectRef::from_obj(&object));
            vec![Event::Apply(object)]
        }
        Event::InitDone => {
            let seen = std::mem::take(&mut listing.seen);
            let vanished = cache.state_filter(|object| {
                listing.covers(object.meta().namespace.as_deref()) && !seen.contains(&ObjectRef::from_obj(object))
            });
            vanished.into_iter().map(|object| Event::Delete((*object).clone())).collect()
        }
        event @ (Event::Apply(_) | Event::Delete(_)) => vec![event],
    }
}

#[cfg(test)]
#[path = "watches_tests.rs"]
mod tests;
