//! How several watches look after they are merged.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;
use kube::runtime::reflector;

use super::*;

fn object(namespace: &str, name: &str) -> ConfigMap {
    let metadata = ObjectMeta { namespace: Some(namespace.into()), name: Some(name.into()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

/// The merged events of two namespaces, and the cache that they fill.
struct Two {
    merged: Merged<ConfigMap>,
    writer: reflector::store::Writer<ConfigMap>,
}

impl Two {
    fn new() -> Self {
        let (cache, writer) = reflector::store();
        let listings = vec![Listing::new(Some("a".into())), Listing::new(Some("b".into()))];
        Self { merged: Merged { listings, first: Some(HashMap::new()), cache, unlisted: Unlisted::default() }, writer }
    }

    /// The merged events after an event of the first or second namespace.
    fn take(&mut self, index: usize, event: Event<ConfigMap>) -> Vec<Event<ConfigMap>> {
        let events = self.merged.take(index, event);
        for event in &events {
            self.writer.apply_watcher_event(event);
        }
        events
    }

    fn listed() -> Self {
        let mut two = Self::new();
        two.take(0, Event::Init);
        two.take(0, Event::InitApply(object("a", "one")));
        two.take(0, Event::InitDone);
        two.take(1, Event::Init);
        two.take(1, Event::InitApply(object("b", "one")));
        two.take(1, Event::InitDone);
        two
    }

    fn cached(&self) -> Vec<String> {
        let objects = self.merged.cache.state();
        let name = |object: &ConfigMap| {
            object.metadata.clone().namespace.unwrap() + "/" + object.metadata.name.as_ref().unwrap()
        };
        let mut names: Vec<_> = objects.iter().map(|object| name(object)).collect();
        names.sort();
        names
    }
}

#[test]
fn nothing_is_known_before_every_namespace_was_listed() {
    let mut two = Two::new();
    two.take(0, Event::Init);
    two.take(0, Event::InitApply(object("a", "one")));
    two.take(0, Event::InitDone);
    // One namespace changes while the other is still being listed.
    two.take(0, Event::Apply(object("a", "two")));
    two.take(0, Event::Delete(object("a", "one")));
    assert!(two.cached().is_empty());
    two.take(1, Event::Init);
    two.take(1, Event::InitApply(object("b", "one")));
    two.take(1, Event::InitDone);
    assert_eq!(two.cached(), ["a/two", "b/one"]);
}

#[test]
fn a_first_listing_that_starts_over_forgets_what_it_had() {
    let mut two = Two::new();
    two.take(0, Event::Init);
    two.take(0, Event::InitApply(object("a", "one")));
    two.take(0, Event::Init);
    two.take(0, Event::InitDone);
    two.take(1, Event::Init);
    two.take(1, Event::InitDone);
    assert!(two.cached().is_empty());
}

#[test]
fn a_later_listing_deletes_what_has_vanished_from_its_own_namespace_alone() {
    let mut two = Two::listed();
    two.take(0, Event::Init);
    two.take(0, Event::InitApply(object("a", "two")));
    let deleted = two.take(0, Event::InitDone);
    assert!(matches!(&deleted[..], [Event::Delete(gone)] if gone.metadata.name.as_deref() == Some("one")));
    assert_eq!(two.cached(), ["a/two", "b/one"]);
}

#[test]
fn a_namespace_that_cannot_be_listed_holds_no_other_one_back() {
    let mut two = Two::new();
    two.take(0, Event::Init);
    two.take(0, Event::InitApply(object("a", "one")));
    two.take(0, Event::InitDone);
    for event in two.merged.do_without(1) {
        two.writer.apply_watcher_event(&event);
    }
    assert_eq!(two.cached(), ["a/one"]);
    assert!(two.merged.unlisted.has("b") && !two.merged.unlisted.has("a"), "what it holds isn't known");
    // Once the namespace can be listed, its objects are there too.
    two.take(1, Event::Init);
    two.take(1, Event::InitApply(object("b", "one")));
    assert!(two.merged.unlisted.has("b"), "not before its listing is done");
    two.take(1, Event::InitDone);
    assert!(!two.merged.unlisted.has("b"));
    assert_eq!(two.cached(), ["a/one", "b/one"]);
    assert!(two.merged.do_without(1).is_empty());
    assert!(!two.merged.unlisted.has("b"), "what was listed once is known, if not the latest of it");
}

#[test]
fn a_whole_cluster_that_cannot_be_listed_is_waited_for() {
    let (cache, _writer) = reflector::store();
    let mut merged: Merged<ConfigMap> = Merged {
        listings: vec![Listing::new(None)],
        first: Some(HashMap::new()),
        cache,
        unlisted: Unlisted::default(),
    };
    assert!(merged.do_without(0).is_empty());
}
