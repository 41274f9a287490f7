//! A cache that finds objects by namespace and by the UID of their controller, so nothing has to scan all of them.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use kube::runtime::reflector::store::WriterDropped;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use parking_lot::Mutex;

use crate::operator::kubernetes::owner::controller_of;

/// A cache of one kind, with its indexes. Clones share the same cache.
pub(crate) struct Indexed<K: Resource<DynamicType = ()> + 'static> {
    store: Store<K>,
    index: Arc<Mutex<Index>>,
    /// How many objects were handed out, for the test that bounds how many objects a reconcile reads.
    #[cfg(test)]
    handed_out: Arc<std::sync::atomic::AtomicUsize>,
}

/// Names of objects. An owner UID counts in the owner's namespace only: anyone who knows a UID may write it into their own
/// objects.
#[derive(Default)]
struct Index {
    by_namespace: HashMap<String, BTreeSet<String>>,
    by_owner: HashMap<(String, String), BTreeSet<String>>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Indexed<K> {
    pub(super) fn new(store: Store<K>) -> Self {
        Self {
            store,
            index: Arc::default(),
            #[cfg(test)]
            handed_out: Arc::default(),
        }
    }

    /// Updates the indexes after a change of the cache: an object was `before` in it, and is `after` now.
    pub(super) fn update(&self, before: Option<&K>, after: Option<&K>) {
        let mut index = self.index.lock();
        if let Some(before) = before {
            index.remove(before);
        }
        if let Some(after) = after {
            index.insert(after);
        }
    }

    /// The object with this name.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.get_ref(&ObjectRef::new(name).within(namespace))
    }

    /// The object that a reference names.
    pub(crate) fn get_ref(&self, object: &ObjectRef<K>) -> Option<Arc<K>> {
        #[cfg(test)]
        self.handed_out.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.store.get(object)
    }

    /// The objects of a namespace, by name.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let names = self.index.lock().by_namespace.get(namespace).cloned().unwrap_or_default();
        names.iter().filter_map(|name| self.get(namespace, name)).collect()
    }

    /// The references of the objects of a namespace, by name.
    pub(crate) fn refs_in_namespace(&self, namespace: &str) -> Vec<ObjectRef<K>> {
        let index = self.index.lock();
        let names = index.by_namespace.get(namespace).into_iter().flatten();
        names.map(|name| ObjectRef::new(name).within(namespace)).collect()
    }

    /// The objects of a namespace whose controller has this UID, by name.
    pub(crate) fn controlled_by(&self, namespace: &str, uid: &str) -> Vec<Arc<K>> {
        let names = self.index.lock().by_owner.get(&(namespace.into(), uid.into())).cloned().unwrap_or_default();
        names.iter().filter_map(|name| self.get(namespace, name)).collect()
    }

    /// The namespaces that have at least one object.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        self.index.lock().by_namespace.keys().cloned().collect()
    }

    /// All objects, in no particular order.
    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.store.state()
    }

    /// Waits until the cache has been filled once.
    ///
    /// # Errors
    /// When the watch has ended.
    pub(crate) async fn wait_until_ready(&self) -> Result<(), WriterDropped> {
        self.store.wait_until_ready().await
    }

    /// The cache without its indexes.
    pub(crate) fn store(&self) -> &Store<K> {
        &self.store
    }
}

impl Index {
    fn insert<K: Resource<DynamicType = ()>>(&mut self, object: &K) {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        if let Some(owner) = controller_of(object) {
            self.by_owner.entry((namespace.clone(), owner.uid.clone())).or_default().insert(name.clone());
        }
        self.by_namespace.entry(namespace).or_default().insert(name);
    }

    fn remove<K: Resource<DynamicType = ()>>(&mut self, object: &K) {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        if let Some(owner) = controller_of(object) {
            remove_from(&mut self.by_owner, &(namespace.clone(), owner.uid.clone()), &name);
        }
        remove_from(&mut self.by_namespace, &namespace, &name);
    }
}

/// Removes a name, and its key when that was the key's last name.
fn remove_from<K: Hash + Eq>(index: &mut HashMap<K, BTreeSet<String>>, key: &K, name: &str) {
    if let Some(names) = index.get_mut(key) {
        names.remove(name);
        if names.is_empty() {
            index.remove(key);
        }
    }
}

impl<K: Resource<DynamicType = ()> + 'static> Clone for Indexed<K>
where
    K::DynamicType: Hash + Eq,
{
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            index: Arc::clone(&self.index),
            #[cfg(test)]
            handed_out: Arc::clone(&self.handed_out),
        }
    }
}

#[cfg(test)]
impl<K: Resource<DynamicType = ()> + Clone + 'static> Indexed<K> {
    /// A cache that holds these objects. It answers although its writer was dropped.
    pub(crate) fn of(objects: Vec<K>) -> Self {
        let mut writer = kube::runtime::reflector::store::Writer::default();
        let cache = Self::new(writer.as_reader());
        for object in objects {
            cache.update(None, Some(&object));
            writer.apply_watcher_event(&kube::runtime::watcher::Event::Apply(object));
        }
        cache
    }

    /// How many objects were handed out so far, counted one by one.
    pub(crate) fn handed_out(&self) -> usize {
        self.handed_out.load(std::sync::atomic::Ordering::Relaxed)
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
        assert_eq!(names(&cache.in_namespace("a")), ["a/1", "a/2"]);
        assert_eq!(names(&cache.controlled_by("a", "x")), ["a/1", "a/2"]);
        assert_eq!(names(&cache.controlled_by("b", "y")), ["b/1"]);
        assert_eq!(names(&cache.controlled_by("b", "x")), [""; 0], "a UID of another namespace");
    }

    #[test]
    fn an_object_that_changes_its_owner_or_goes_leaves_nothing_in_the_indexes() {
        let cache = Indexed::of(vec![job("a", "1", "x")]);
        cache.update(Some(&job("a", "1", "x")), Some(&job("a", "1", "y")));
        assert_eq!(names(&cache.controlled_by("a", "x")), [""; 0]);
        assert_eq!(names(&cache.controlled_by("a", "y")), ["a/1"]);
        cache.update(Some(&job("a", "1", "y")), None);
        let index = cache.index.lock();
        assert!(index.by_owner.is_empty() && index.by_namespace.is_empty());
    }
}
