//! Fills a cache from the watches of several namespaces, or from that of the whole cluster.
//!
//! A listing updates the objects of its namespace one by one. So other namespaces keep theirs, and listeners learn which objects
//! have vanished meanwhile.

use std::collections::HashSet;
use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Change;
use crate::operator::cache::indexed::Indexed;
use crate::operator::cache::unlisted::Unlisted;

/// What fills the cache of a kind, and what is told of each change once the cache shows it.
pub(super) struct Listings<K, F> {
    pub(super) cache: Indexed<K>,
    pub(super) unlisted: Unlisted,
    pub(super) on_touch: F,
    /// Each watch.
    pub(super) all: Vec<Listing>,
}

/// The listing of one namespace, or of all.
#[derive(Default)]
pub(super) struct Listing {
    namespace: Option<String>,
    /// Whether it ended once, or isn't waited for.
    is_done: bool,
    /// The objects that the listing under way has shown.
    seen: HashSet<(String, String)>,
}

impl Listing {
    pub(super) fn new(namespace: Option<String>) -> Self {
        Self { namespace, ..Self::default() }
    }

    fn covers(&self, namespace: Option<&str>) -> bool {
        self.namespace.is_none() || self.namespace.as_deref() == namespace
    }
}

impl<K, F> Listings<K, F>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned,
    F: Fn(&K, Change<K>),
{
    /// Takes an event of a watch.
    pub(super) async fn take(&mut self, index: usize, event: Event<K>) {
        match event {
            Event::Init => {
                self.seen(index).clear();
            }
            Event::InitApply(object) => {
                self.seen(index).insert((object.namespace().unwrap_or_default(), object.name_any()));
                self.apply(object);
            }
            Event::Apply(object) => self.apply(object),
            Event::Delete(object) => self.delete(&object),
            Event::InitDone => {
                let seen = std::mem::take(self.seen(index));
                self.delete_vanished(index, &seen).await;
                let listing = &mut self.all[index];
                listing.is_done = true;
                if let Some(namespace) = &listing.namespace {
                    self.unlisted.remove(namespace, &K::kind(&()));
                }
                self.fill();
            }
        }
    }

    fn seen(&mut self, index: usize) -> &mut HashSet<(String, String)> {
        &mut self.all[index].seen
    }

    /// Deletes the objects that a listing hasn't shown.
    async fn delete_vanished(&mut self, index: usize, seen: &HashSet<(String, String)>) {
        let mut vanished = self.cache.refs();
        vanished.retain(|object| {
            let name = || (object.namespace.clone().unwrap_or_default(), object.name.clone());
            self.all[index].covers(object.namespace.as_deref()) && !seen.contains(&name())
        });
        for object in vanished {
            if let Some(object) = self.cache.remove(&object) {
                (self.on_touch)(&object, Change::Deleted);
            }
            // There may be many, and each may take a while. Let others run in between.
            tokio::task::yield_now().await;
        }
    }

    /// Doesn't wait for a namespace that can't be listed because a permission is missing.
    pub(super) fn do_without(&mut self, index: usize) {
        let listing = &mut self.all[index];
        if let Some(namespace) = listing.namespace.as_ref().filter(|_| !listing.is_done) {
            self.unlisted.add(namespace, &K::kind(&()));
            listing.is_done = true;
        }
        self.fill();
    }

    fn apply(&self, object: K) {
        let object = Arc::new(object);
        let before = self.cache.apply(&object);
        (self.on_touch)(&object, before.map_or(Change::Added, Change::From));
    }

    fn delete(&self, object: &K) {
        self.cache.remove(&ObjectRef::from_obj(object));
        (self.on_touch)(object, Change::Deleted);
    }

    fn fill(&self) {
        if self.all.iter().all(|listing| listing.is_done) {
            self.cache.set_filled();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use futures::FutureExt as _;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(namespace: &str, name: &str) -> ConfigMap {
        let metadata =
            ObjectMeta { namespace: Some(namespace.into()), name: Some(name.into()), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    fn listings<'a>(
        namespaces: &[Option<&str>],
        touched: &'a RefCell<Vec<String>>,
    ) -> Listings<ConfigMap, impl Fn(&ConfigMap, Change<ConfigMap>) + 'a> {
        let what = |change: &Change<ConfigMap>| match change {
            Change::Added => "+",
            Change::From(_) => "=",
            Change::Deleted => "-",
        };
        Listings {
            cache: Indexed::default(),
            unlisted: Unlisted::default(),
            on_touch: move |object: &ConfigMap, change| {
                touched.borrow_mut().push(format!("{}{}", what(&change), object.name_any()));
            },
            all: namespaces.iter().map(|namespace| Listing::new(namespace.map(Into::into))).collect(),
        }
    }

    fn cached<F>(listings: &Listings<ConfigMap, F>) -> Vec<String> {
        let name = |object: &ObjectRef<ConfigMap>| format!("{}/{}", object.namespace.as_deref().unwrap(), object.name);
        let mut names: Vec<_> = listings.cache.refs().iter().map(name).collect();
        names.sort();
        names
    }

    fn is_filled<F>(listings: &Listings<ConfigMap, F>) -> bool {
        listings.cache.wait_until_filled().now_or_never().is_some()
    }

    #[tokio::test]
    async fn the_cache_is_filled_once_every_namespace_was_listed() {
        let touched = RefCell::default();
        let mut two = listings(&[Some("a"), Some("b")], &touched);
        for event in [Event::Init, Event::InitApply(object("a", "one")), Event::InitDone] {
            two.take(0, event).await;
        }
        // One namespace changes while the other is still being listed.
        two.take(0, Event::Apply(object("a", "two"))).await;
        two.take(0, Event::Delete(object("a", "one"))).await;
        two.take(1, Event::Init).await;
        two.take(1, Event::InitApply(object("b", "one"))).await;
        assert!(!is_filled(&two));
        two.take(1, Event::InitDone).await;
        assert!(is_filled(&two));
        assert_eq!(cached(&two), ["a/two", "b/one"]);
        assert_eq!(*touched.borrow(), ["+one", "+two", "-one", "+one"]);
    }

    #[tokio::test]
    async fn a_listing_that_starts_over_forgets_what_it_had() {
        let touched = RefCell::default();
        let mut one = listings(&[Some("a")], &touched);
        for event in [Event::Init, Event::InitApply(object("a", "one")), Event::Init, Event::InitDone] {
            one.take(0, event).await;
        }
        assert!(is_filled(&one) && cached(&one).is_empty());
    }

    #[tokio::test]
    async fn a_later_listing_deletes_what_has_vanished_from_its_own_namespace_alone() {
        let touched = RefCell::default();
        let mut two = listings(&[Some("a"), Some("b")], &touched);
        for (index, namespace) in ["a", "b"].into_iter().enumerate() {
            for event in [Event::Init, Event::InitApply(object(namespace, "one")), Event::InitDone] {
                two.take(index, event).await;
            }
        }
        touched.borrow_mut().clear();
        for event in [Event::Init, Event::InitApply(object("a", "two")), Event::InitDone] {
            two.take(0, event).await;
        }
        assert_eq!(*touched.borrow(), ["+two", "-one"]);
        assert_eq!(cached(&two), ["a/two", "b/one"]);
    }

    #[tokio::test]
    async fn a_namespace_that_cannot_be_listed_holds_no_other_one_back() {
        let touched = RefCell::default();
        let mut two = listings(&[Some("a"), Some("b")], &touched);
        for event in [Event::Init, Event::InitApply(object("a", "one")), Event::InitDone] {
            two.take(0, event).await;
        }
        two.do_without(1);
        assert!(is_filled(&two));
        assert!(two.unlisted.has("b") && !two.unlisted.has("a"), "what it holds isn't known");
        // Once the namespace can be listed, its objects are there too.
        two.take(1, Event::Init).await;
        two.take(1, Event::InitApply(object("b", "one"))).await;
        assert!(two.unlisted.has("b"), "not before its listing is done");
        two.take(1, Event::InitDone).await;
        assert!(!two.unlisted.has("b"));
        assert_eq!(cached(&two), ["a/one", "b/one"]);
        two.do_without(1);
        assert!(!two.unlisted.has("b"), "what was listed once is known, if not the latest of it");
    }

    #[test]
    fn a_whole_cluster_that_cannot_be_listed_is_waited_for() {
        let touched = RefCell::default();
        let mut all = listings(&[None], &touched);
        all.do_without(0);
        assert!(!is_filled(&all));
    }
}
