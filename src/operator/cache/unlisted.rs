//! Namespaces in which some kind could not be listed yet because a permission is missing: an object that isn't known there must
//! not be taken for one that doesn't exist.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// When to check again whether a namespace has been listed.
pub(crate) const UNLISTED: Duration = Duration::from_secs(10);

/// Namespaces, each with the kinds that could not be listed. The admin's `watchNamespaces` bounds it.
#[derive(Clone, Default)]
pub(crate) struct Unlisted(Arc<Mutex<HashSet<(String, String)>>>);

impl Unlisted {
    /// Notes that a kind could not be listed in a namespace.
    pub(crate) fn add(&self, namespace: &str, kind: &str) {
        self.0.lock().insert((namespace.into(), kind.into()));
    }

    /// Notes that a kind was listed in a namespace.
    pub(crate) fn remove(&self, namespace: &str, kind: &str) {
        self.0.lock().remove(&(namespace.into(), kind.into()));
    }

    /// Whether any kind could not be listed in a namespace yet.
    pub(crate) fn has(&self, namespace: &str) -> bool {
        self.0.lock().iter().any(|(unlisted, _)| unlisted == namespace)
    }
}
