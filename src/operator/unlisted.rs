//! Namespaces of which some kind could not be listed yet, for want of a right: what isn't known there must not be taken for
//! what isn't there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When to look again whether a namespace has been listed.
pub(super) const UNLISTED: Duration = Duration::from_secs(10);

/// Namespaces with kinds of theirs. What the admin names in `watchNamespaces` bounds it.
#[derive(Clone, Default)]
pub(super) struct Unlisted(Arc<Mutex<HashSet<(String, String)>>>);

impl Unlisted {
    /// Notes that a kind could not be listed in a namespace.
    pub(super) fn add(&self, namespace: &str, kind: &str) {
        self.kinds().insert((namespace.into(), kind.into()));
    }

    /// Notes that a kind was listed in a namespace.
    pub(super) fn remove(&self, namespace: &str, kind: &str) {
        self.kinds().remove(&(namespace.into(), kind.into()));
    }

    /// Whether any kind has not been listed in a namespace.
    pub(super) fn has(&self, namespace: &str) -> bool {
        self.kinds().iter().any(|(unlisted, _)| unlisted == namespace)
    }

    fn kinds(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        // The set is whole between any two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
