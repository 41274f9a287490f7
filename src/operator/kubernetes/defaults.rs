//! What an API server makes of what it is sent, where that is more than Postern knows of.
//!
//! Objects are built with the values that the API server would fill in, so that what is read back equals what was built. A newer
//! API server may fill in more, and a mutating webhook may change something. Then what was asked for is compared with what was
//! asked for last, and what is there with what was answered: as long as both are the same, nothing is written.

use std::collections::HashMap;
use std::sync::Arc;

use kube::{Resource, ResourceExt};
use parking_lot::Mutex;
use serde_json::Value;

use super::digest::number_of;

/// Hashes of what was asked for and of what was answered, by kind, namespace and name. It holds only objects that were answered
/// with something else than was asked for. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct ServerDefaults(Arc<Mutex<HashMap<Key, (u64, u64)>>>);

type Key = (String, String, String);

impl ServerDefaults {
    /// Notes what was answered when an object was written, and that it isn't what was asked for.
    pub(super) fn note<K: Resource<DynamicType = ()>>(&self, object: &K, asked: &Value, answered: &Value) {
        self.0.lock().insert(key(object), (hash(asked), hash(answered)));
    }

    /// Whether what is there is what this very request was answered with.
    pub(super) fn explain<K: Resource<DynamicType = ()>>(&self, object: &K, asked: &Value, there: &Value) -> bool {
        self.0.lock().get(&key(object)) == Some(&(hash(asked), hash(there)))
    }

    /// Forgets an object that is no more.
    pub(crate) fn forget<K: Resource<DynamicType = ()>>(&self, namespace: &str, name: &str) {
        self.0.lock().remove(&(K::kind(&()).into_owned(), namespace.into(), name.into()));
    }
}

fn key<K: Resource<DynamicType = ()>>(object: &K) -> Key {
    (K::kind(&()).into_owned(), object.namespace().unwrap_or_default(), object.name_any())
}

fn hash(content: &Value) -> u64 {
    number_of(&content.to_string())
}
