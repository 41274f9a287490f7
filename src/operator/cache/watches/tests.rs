//! What a watch reports.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::reflector;

use super::*;

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
