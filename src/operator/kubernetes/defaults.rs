//! Remembers how an API server changed what it was sent, beyond the defaults that Postern knows.
//!
//! Objects are built with the values that the API server would fill in, so that what is read back equals what was built. A
//! newer API server may fill in more, and a mutating webhook may change something. Then the request is compared with the last
//! request, and the current object with the last answer: as long as both are the same, nothing is written.

use std::collections::HashMap;
use std::sync::Arc;

use kube::{Resource, ResourceExt};
use parking_lot::Mutex;
use serde_json::Value;

use super::digest::number_of;

/// Hashes of requests and answers, by kind, namespace and name. It holds only objects whose answer differed from the request.
/// Clones share the same data.
#[derive(Clone, Default)]
pub(crate) struct ServerDefaults(Arc<Mutex<HashMap<Key, (u64, u64)>>>);

type Key = (String, String, String);

impl ServerDefaults {
    /// Notes the answer to a write that differs from the request.
    pub(super) fn note<K: Resource<DynamicType = ()>>(&self, object: &K, asked: &Value, answered: &Value) {
        self.0.lock().insert(key(object), (hash(asked), hash(answered)));
    }

    /// Whether the current object is what this very request was answered with.
    pub(super) fn explain<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        asked_and_there: impl FnOnce() -> (Value, Value),
    ) -> bool {
        // Most objects have no entry, and need no hash.
        self.0.lock().get(&key(object)).is_some_and(|noted| {
            let (asked, there) = asked_and_there();
            *noted == (hash(&asked), hash(&there))
        })
    }

    /// Forgets a deleted object.
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
