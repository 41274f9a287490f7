//! The objects of a kind that were used last, as they are before they are packed. One reconcile looks at the same namespace and
//! tier several times, and several controllers look at the same schedule; so each is unpacked once.

use std::collections::HashMap;
use std::sync::Arc;

/// How many bytes of JSON the objects of one generation had, at most. Unpacked, they take some times as much.
const ROOM: usize = 128 * 1024;

/// Two generations of objects. When the young one is full, it becomes the old one, and what was not used since is forgotten.
pub(super) struct Recent<K> {
    young: HashMap<Key, Used<K>>,
    old: HashMap<Key, Used<K>>,
    /// How many bytes of JSON the young ones had.
    size: usize,
}

/// A namespace and a name.
type Key = (Box<str>, Box<str>);

struct Used<K> {
    object: Arc<K>,
    /// How many bytes of JSON it had.
    size: usize,
}

impl<K> Recent<K> {
    /// The object of this name, if it was used lately.
    pub(super) fn get(&mut self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let key: Key = (namespace.into(), name.into());
        if let Some(Used { object, .. }) = self.young.get(&key) {
            return Some(Arc::clone(object));
        }
        let Used { object, size } = self.old.remove(&key)?;
        self.put(namespace, name, Arc::clone(&object), size);
        Some(object)
    }

    /// Keeps an object, which had so many bytes of JSON. Without room for it, it is not kept.
    pub(super) fn put(&mut self, namespace: &str, name: &str, object: Arc<K>, size: usize) {
        self.remove(namespace, name);
        if size > ROOM {
            return;
        }
        if self.size + size > ROOM {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += size;
        self.young.insert((namespace.into(), name.into()), Used { object, size });
    }

    /// Forgets an object.
    pub(super) fn remove(&mut self, namespace: &str, name: &str) {
        let key: Key = (namespace.into(), name.into());
        self.old.remove(&key);
        if let Some(Used { size, .. }) = self.young.remove(&key) {
            self.size -= size;
        }
    }
}

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), size: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(recent: &mut Recent<u8>, name: &str, size: usize) {
        recent.put("a", name, Arc::new(1), size);
    }

    #[test]
    fn what_was_not_used_for_two_generations_is_forgotten() {
        let mut recent = Recent::default();
        for name in ["used", "unused"] {
            put(&mut recent, name, 1);
        }
        for name in ["1", "2", "3"] {
            put(&mut recent, name, ROOM - 2);
            assert!(recent.get("a", "used").is_some(), "{name}");
        }
        assert_eq!(recent.get("a", "unused"), None);
        assert!(recent.young.len() + recent.old.len() <= 4);
    }

    #[test]
    fn an_object_is_replaced_forgotten_and_kept_only_if_there_is_room() {
        let mut recent = Recent::default();
        put(&mut recent, "x", ROOM / 2);
        recent.put("a", "x", Arc::new(2), ROOM / 2);
        recent.put("b", "x", Arc::new(3), ROOM / 2);
        assert_eq!((recent.get("a", "x").as_deref(), recent.get("b", "x").as_deref()), (Some(&2), Some(&3)));
        assert!(recent.old.is_empty(), "the replaced one takes no room");
        recent.remove("a", "x");
        assert_eq!(recent.get("a", "x"), None);
        put(&mut recent, "large", ROOM + 1);
        assert_eq!(recent.get("a", "large"), None);
        recent.put("b", "x", Arc::new(4), ROOM + 1);
        assert_eq!(recent.get("b", "x"), None, "an older version must not be found either");
    }
}
