//! What a watch reports.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::operator::test_support::fake_api;

fn object(name: &str, version: &str) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.into());
    object.metadata.resource_version = Some(version.into());
    object
}

/// Fills a cache from one watch that shows these events.
async fn fill(
    cache: &Indexed<ConfigMap>,
    events: impl IntoIterator<Item = Event<ConfigMap>>,
    on_touch: impl Fn(&ConfigMap, Change<ConfigMap>) + Send + 'static,
) {
    let events: Vec<_> = events.into_iter().map(Ok).collect();
    let all = vec![Listing::new(None)];
    let listings = Listings { cache: cache.clone(), unlisted: Unlisted::default(), on_touch, all };
    tokio::spawn(keep_all(vec![stream::iter(events).boxed()], listings)).await.unwrap();
}

#[tokio::test]
async fn tells_what_an_object_was_before_once_the_cache_says_what_it_is() {
    let cache = Indexed::default();
    let told = Arc::<Mutex<Vec<_>>>::default();
    let (noted, cached) = (Arc::clone(&told), cache.clone());
    let on_touch = move |touched: &ConfigMap, change: Change<ConfigMap>| {
        let of = |object: &ConfigMap| object.metadata.resource_version.clone();
        let cached = cached.get_ref(&ObjectRef::from_obj(touched));
        noted.lock().push((cached.and_then(|cached| of(&cached)), change.before().and_then(of), change.is_deleted()));
    };
    let events =
        [Event::Apply(object("one", "1")), Event::Apply(object("one", "2")), Event::Delete(object("one", "3"))];
    fill(&cache, events, on_touch).await;
    let some = |version: &str| Some(version.to_owned());
    assert_eq!(*told.lock(), [(some("1"), None, false), (some("2"), some("1"), false), (None, None, true)]);
}

#[tokio::test]
async fn a_listing_of_many_objects_lets_others_run_in_between() {
    let turns = Arc::new(AtomicUsize::new(0));
    let (touched_in, counted) = (Arc::<Mutex<BTreeSet<usize>>>::default(), Arc::clone(&turns));
    let touched = Arc::clone(&touched_in);
    let on_touch = move |_: &ConfigMap, _: Change<ConfigMap>| {
        touched.lock().insert(counted.load(Ordering::Relaxed));
    };
    let other = tokio::spawn(async move {
        loop {
            turns.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    let objects = (0..1_000).map(|number| Event::Apply(object(&number.to_string(), "1")));
    fill(&Indexed::default(), objects, on_touch).await;
    other.abort();
    let turns = touched_in.lock().len();
    assert!(turns > 100, "{turns}");
}

#[tokio::test]
async fn a_listing_is_read_in_pages_of_a_few_objects() {
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let noted = Arc::clone(&asked);
    let client = fake_api::client(move |request| {
        noted.lock().push(request.query.clone());
        if request.query.contains("watch=true") {
            return (0, Value::Null);
        }
        let is_last = request.query.contains("continue=");
        let (name, rest) = if is_last { ("b", "") } else { ("a", "the-rest") };
        let item = json!({"metadata": {"name": name, "namespace": "team-a"}});
        (200, json!({"metadata": {"resourceVersion": "1", "continue": rest}, "items": [item]}))
    });
    let listed = Arc::<Notify>::default();
    let last = Arc::clone(&listed);
    let mut watches = Watches::new(client, Vec::new(), Metrics::new());
    watches.tenants(move |service: &Service, _| {
        if service.metadata.name.as_deref() == Some("b") {
            last.notify_one();
        }
    });
    listed.notified().await;
    let pages = asked.lock().iter().filter(|query| query.contains("limit=10")).count();
    assert_eq!(pages, 2, "{asked:?}");
}
