//! What a watch reports.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::runtime::reflector;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::operator::test_support::fake_api;

#[test]
fn tells_what_an_object_was_before_once_the_cache_says_what_it_is() {
    let (cache, mut writer) = reflector::store();
    let indexed = Indexed::new(cache.clone());
    let told = std::cell::RefCell::new(Vec::new());
    let version = |version: &str| {
        let mut object = ConfigMap::default();
        object.metadata.name = Some("one".into());
        object.metadata.resource_version = Some(version.into());
        object
    };
    let on_touch = |object: &ConfigMap, change: Change<ConfigMap>| {
        let of = |object: &ConfigMap| object.metadata.resource_version.clone();
        let cached = cache.get(&ObjectRef::from_obj(object));
        told.borrow_mut().push((
            cached.and_then(|cached| of(&cached)),
            change.before().and_then(of),
            change.is_deleted(),
        ));
    };
    for event in [Event::Apply(version("1")), Event::Apply(version("2")), Event::Delete(version("3"))] {
        keep(event, &mut writer, &indexed, &on_touch);
    }
    let some = |version: &str| Some(version.to_owned());
    assert_eq!(*told.borrow(), [(some("1"), None, false), (some("2"), some("1"), false), (None, None, true)]);
}

#[tokio::test]
async fn a_listing_of_many_objects_lets_others_run_in_between() {
    let (cache, writer) = reflector::store();
    let turns = Arc::new(AtomicUsize::new(0));
    let (touched_in, noted) = (Arc::<Mutex<BTreeSet<usize>>>::default(), Arc::clone(&turns));
    let touched = Arc::clone(&touched_in);
    let on_touch = move |_: &ConfigMap, _: Change<ConfigMap>| {
        touched.lock().insert(noted.load(Ordering::Relaxed));
    };
    let objects = (0..1_000).map(|number| {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(number.to_string());
        Ok(Event::Apply(object))
    });
    let other = tokio::spawn(async move {
        loop {
            turns.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    });
    tokio::spawn(keep_all(stream::iter(objects), writer, Indexed::new(cache), on_touch)).await.unwrap();
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
