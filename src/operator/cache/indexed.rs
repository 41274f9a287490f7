//! A cache of one kind, in little memory. It finds objects by namespace and by the UID of their controller, so nothing has to scan
//! all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::packed::{Packed, Packer};
use super::recent::Recent;
use crate::operator::kubernetes::fair::object_of;
use crate::operator::kubernetes::owner::controller_of;

/// A cache of one kind, with its indexes. Clones share the same cache.
pub(crate) struct Indexed<K>(Arc<Shared<K>>);

struct Shared<K> {
    objects: RwLock<Objects>,
    /// Locked after `objects` by whoever locks both.
    recent: Mutex<Recent<K>>,
    packer: Packer,
    is_filled: watch::Sender<bool>,
    /// How many objects were handed out, for the test that bounds how many objects a reconcile reads.
    #[cfg(test)]
    handed_out: std::sync::atomic::AtomicUsize,
}

#[derive(Default)]
struct Objects {
    by_namespace: HashMap<Box<str>, BTreeMap<Box<str>, Packed>>,
    /// Namespaces, the UIDs of controllers in them, and the names of their objects; objects without a controller come under an
    /// empty UID. A UID counts in its own namespace only: anyone who knows a UID may write it into their own objects.
    by_controller: BTreeSet<(Box<str>, Box<str>, Box<str>)>,
}

impl<K> Indexed<K>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned,
{
    /// Puts an object into the cache, and returns what it was before. Only one task may write to a cache.
    pub(super) fn apply(&self, object: &Arc<K>) -> Option<Arc<K>> {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let Some(packed) = self.0.packer.pack(&**object) else {
            tracing::error!(kind = %K::kind(&()), namespace, name, "an object can't be written as JSON, so it isn't kept");
            return None;
        };
        let before = self.peek(&namespace, &name);
        let mut objects = self.0.objects.write();
        if let Some(before) = &before {
            objects.by_controller.remove(&by_controller(&**before));
        }
        objects.by_controller.insert(by_controller(&**object));
        self.0.recent.lock().put(&namespace, &name, Arc::clone(object), packed.length);
        objects.by_namespace.entry(namespace.into()).or_default().insert(name.into(), packed);
        before
    }

    /// Removes an object, and returns what it was.
    pub(super) fn remove(&self, object: &ObjectRef<K>) -> Option<Arc<K>> {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let before = self.peek(namespace, &object.name);
        let mut objects = self.0.objects.write();
        if let Some(before) = &before {
            objects.by_controller.remove(&by_controller(&**before));
        }
        if let Some(names) = objects.by_namespace.get_mut(namespace) {
            names.remove(object.name.as_str());
            if names.is_empty() {
                objects.by_namespace.remove(namespace);
            }
        }
        self.0.recent.lock().remove(namespace, &object.name);
        before
    }

    /// Notes that everything was listed once.
    pub(super) fn set_filled(&self) {
        self.0.is_filled.send_replace(true);
    }

    /// Waits until everything was listed once.
    pub(crate) async fn wait_until_filled(&self) {
        // Ignore the error: the sender lives as long as this cache.
        let _ = self.0.is_filled.subscribe().wait_for(|is_filled| *is_filled).await;
    }

    /// The object with this name.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        #[cfg(test)]
        self.0.handed_out.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.peek(namespace, name)
    }

    fn peek(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let recent = self.0.recent.lock().get(namespace, name);
        recent.or_else(|| {
            let objects = self.0.objects.read();
            let packed = objects.by_namespace.get(namespace)?.get(name)?;
            let object = Arc::new(self.0.packer.unpack(packed)?);
            self.0.recent.lock().put(namespace, name, Arc::clone(&object), packed.length);
            Some(object)
        })
    }

    /// The object that a reference names.
    pub(crate) fn get_ref(&self, object: &ObjectRef<K>) -> Option<Arc<K>> {
        self.get(object.namespace.as_deref().unwrap_or_default(), &object.name)
    }

    /// The objects of a namespace, by name. Each is unpacked when its turn comes, so they are not all in memory at once.
    pub(crate) fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = Arc<K>> + use<'_, K> {
        self.refs_in_namespace(namespace).into_iter().filter_map(|object| self.get_ref(&object))
    }

    /// The references of the objects of a namespace, by name.
    pub(crate) fn refs_in_namespace(&self, namespace: &str) -> Vec<ObjectRef<K>> {
        let objects = self.0.objects.read();
        let names = objects.by_namespace.get(namespace).into_iter().flat_map(BTreeMap::keys);
        names.map(|name| object_of(namespace, name)).collect()
    }

    /// The objects of a namespace whose controller has this UID, by name; with an empty UID, those that have no controller.
    pub(crate) fn controlled_by(&self, namespace: &str, uid: &str) -> Vec<Arc<K>> {
        let first = (namespace.into(), uid.into(), "".into());
        let objects = self.0.objects.read();
        let of_uid =
            objects.by_controller.range(first..).take_while(|(of, owner, _)| (&**of, &**owner) == (namespace, uid));
        let names: Vec<_> = of_uid.map(|(_, _, name)| name.clone()).collect();
        drop(objects);
        names.iter().filter_map(|name| self.get(namespace, name)).collect()
    }

    /// The namespaces that have at least one object.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        self.0.objects.read().by_namespace.keys().map(ToString::to_string).collect()
    }

    /// The references of all objects.
    pub(crate) fn refs(&self) -> Vec<ObjectRef<K>> {
        let objects = self.0.objects.read();
        let all =
            objects.by_namespace.iter().flat_map(|(namespace, names)| names.keys().map(move |name| (namespace, name)));
        all.map(|(namespace, name)| object_of(namespace, name)).collect()
    }

    /// All objects. Each is unpacked when its turn comes.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<K>> + use<'_, K> {
        self.refs().into_iter().filter_map(|object| self.get_ref(&object))
    }
}

/// The entry of an object.
fn by_controller(object: &impl Resource<DynamicType = ()>) -> (Box<str>, Box<str>, Box<str>) {
    let uid = controller_of(object).map_or("", |owner| &owner.uid);
    (object.namespace().unwrap_or_default().into(), uid.into(), object.name_any().into())
}

impl<K> Default for Indexed<K> {
    fn default() -> Self {
        Self(Arc::new(Shared {
            objects: RwLock::default(),
            recent: Mutex::default(),
            packer: Packer::default(),
            is_filled: watch::Sender::default(),
            #[cfg(test)]
            handed_out: std::sync::atomic::AtomicUsize::default(),
        }))
    }
}

impl<K> Clone for Indexed<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
impl<K> Indexed<K>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned,
{
    /// A cache that holds these objects.
    pub(crate) fn of(objects: Vec<K>) -> Self {
        let cache = Self::default();
        for object in objects {
            cache.apply(&Arc::new(object));
        }
        cache
    }

    /// How many objects were handed out so far, counted one by one.
    pub(crate) fn handed_out(&self) -> usize {
        self.0.handed_out.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::Job;
    use serde_json::json;

    use super::*;

    fn job(namespace: &str, name: &str, owner: &str) -> Job {
        let owner = json!({"apiVersion": "batch/v1", "kind": "CronJob", "name": "x", "uid": owner, "controller": true});
        serde_json::from_value(json!({"metadata": {"namespace": namespace, "name": name, "ownerReferences": [owner]}}))
            .unwrap()
    }

    fn names(jobs: &[Arc<Job>]) -> Vec<String> {
        jobs.iter().map(|job| format!("{}/{}", job.namespace().unwrap(), job.name_any())).collect()
    }

    #[test]
    fn objects_are_found_by_namespace_and_by_the_uid_of_their_controller() {
        let cache = Indexed::of(vec![job("a", "2", "x"), job("a", "1", "x"), job("b", "1", "y")]);
        assert_eq!(names(&cache.in_namespace("a").collect::<Vec<_>>()), ["a/1", "a/2"]);
        assert_eq!(names(&cache.controlled_by("a", "x")), ["a/1", "a/2"]);
        assert_eq!(names(&cache.controlled_by("b", "y")), ["b/1"]);
        assert_eq!(names(&cache.controlled_by("b", "x")), [""; 0], "a UID of another namespace");
    }

    #[test]
    fn an_object_that_was_used_lately_is_not_unpacked_again_and_never_in_an_older_version() {
        let cache = Indexed::of(vec![job("a", "1", "x")]);
        assert!(Arc::ptr_eq(&cache.get("a", "1").unwrap(), &cache.get("a", "1").unwrap()));
        cache.apply(&Arc::new(job("a", "1", "y")));
        assert_eq!(cache.get("a", "1").as_deref(), Some(&job("a", "1", "y")));
        cache.remove(&object_of("a", "1"));
        assert_eq!(cache.get("a", "1"), None);
    }

    #[test]
    fn an_object_that_changes_its_owner_or_goes_leaves_nothing_in_the_indexes() {
        let cache = Indexed::of(vec![job("a", "1", "x")]);
        assert_eq!(cache.apply(&Arc::new(job("a", "1", "y"))).as_deref(), Some(&job("a", "1", "x")));
        assert_eq!(names(&cache.controlled_by("a", "x")), [""; 0]);
        assert_eq!(names(&cache.controlled_by("a", "y")), ["a/1"]);
        assert_eq!(cache.remove(&object_of("a", "1")).as_deref(), Some(&job("a", "1", "y")));
        assert!(cache.remove(&object_of("a", "1")).is_none());
        let orphan: Job = serde_json::from_value(json!({"metadata": {"namespace": "a", "name": "1"}})).unwrap();
        cache.apply(&Arc::new(orphan));
        assert_eq!(names(&cache.controlled_by("a", "")), ["a/1"]);
        cache.remove(&object_of("a", "1"));
        let objects = cache.0.objects.read();
        assert!(objects.by_controller.is_empty() && objects.by_namespace.is_empty());
    }
}
