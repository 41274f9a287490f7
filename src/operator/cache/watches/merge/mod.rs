//! Merges the watches of several namespaces into one.

use std::collections::{HashMap, HashSet};

use futures::stream::{self, SelectAll};
use futures::{Stream, StreamExt as _};
use kube::Resource;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event};

use super::Watch;
use super::error::is_forbidden;
use crate::operator::cache::unlisted::Unlisted;

/// Merges the watches of several namespaces into one.
pub(super) fn merge<K>(
    watches: Vec<(Option<String>, Watch<K>)>,
    cache: Store<K>,
    unlisted: Unlisted,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let listings = watches.iter().map(|(namespace, _)| Listing::new(namespace.clone())).collect();
    let mut merged = Merged { listings, first: Some(HashMap::new()), cache, unlisted };
    let numbered = watches.into_iter().enumerate();
    let all: SelectAll<_> =
        numbered.map(|(index, (_, events))| events.map(move |event| (index, event)).boxed()).collect();
    all.flat_map(move |event| {
        let events = match event {
            (index, Ok(event)) => merged.take(index, event).into_iter().map(Ok).collect(),
            (index, Err(error)) if is_forbidden(&error) => {
                merged.do_without(index).into_iter().map(Ok).chain([Err(error)]).collect()
            }
            (_, Err(error)) => vec![Err(error)],
        };
        stream::iter(events)
    })
}

struct Merged<K: Resource<DynamicType = ()> + 'static> {
    listings: Vec<Listing<K>>,
    /// The objects seen while the first listings are under way: the cache is filled once they are all done.
    first: Option<HashMap<ObjectRef<K>, K>>,
    cache: Store<K>,
    unlisted: Unlisted,
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
        if let (Event::InitDone, Some(namespace)) = (&event, &listing.namespace) {
            // By now the cache holds the whole listing; only vanished objects are still to be removed from it.
            self.unlisted.remove(namespace, &K::kind(&()));
        }
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
        self.fill()
    }

    /// A namespace that can't be listed because a permission is missing doesn't hold up the others.
    fn do_without(&mut self, index: usize) -> Vec<Event<K>> {
        let listing = &mut self.listings[index];
        if let Some(namespace) = listing.namespace.as_ref().filter(|_| !listing.done) {
            self.unlisted.add(namespace, &K::kind(&()));
            listing.done = true;
        }
        self.fill()
    }

    /// Fills the cache once every first listing is done.
    fn fill(&mut self) -> Vec<Event<K>> {
        if self.first.is_none() || !self.listings.iter().all(|listing| listing.done) {
            return Vec::new();
        }
        let objects = self.first.take().unwrap_or_default().into_values().map(Event::InitApply);
        std::iter::once(Event::Init).chain(objects).chain([Event::InitDone]).collect()
    }
}

/// A later listing updates the objects of its namespace one by one. So other namespaces keep theirs, and listeners learn which
/// objects have vanished meanwhile.
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
mod tests;
