//! Statuses that were written and are not in the cache yet.
//!
//! A watch tells of a write some time after it. A reconcile in between would judge by what was there before, and write once
//! more what is there already; the API server would refuse that, but it would have been asked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::api::WebhookSchedule;

/// The versions that were replaced last.
#[derive(Default)]
pub(super) struct Written(Mutex<HashMap<ObjectRef<WebhookSchedule>, String>>);

impl Written {
    /// Notes what was written over a version. What the API server found to be no change, no watch will tell of.
    pub(super) fn note(&self, replaced: &WebhookSchedule, by: &WebhookSchedule) {
        if let Some(version) =
            replaced.resource_version().filter(|_| replaced.resource_version() != by.resource_version())
        {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(ObjectRef::from_obj(replaced), version);
        }
    }

    /// Whether a version from the cache was replaced. The next one has a reconcile coming.
    pub(super) fn is_replaced(&self, cached: &WebhookSchedule) -> bool {
        let mut replaced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let schedule = ObjectRef::from_obj(cached);
        let same = replaced.get(&schedule).is_some_and(|version| cached.resource_version().as_ref() == Some(version));
        if !same {
            replaced.remove(&schedule);
        }
        same
    }

    /// Forgets a schedule that is no more.
    pub(super) fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(schedule);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::testdata::schedule;

    fn version(version: &str) -> WebhookSchedule {
        let mut schedule = schedule();
        schedule.metadata.resource_version = Some(version.into());
        schedule
    }

    #[test]
    fn a_version_is_replaced_from_the_write_until_another_is_seen() {
        let written = Written::default();
        assert!(!written.is_replaced(&version("1")), "nothing was written");
        written.note(&version("1"), &version("2"));
        assert!(written.is_replaced(&version("1")));
        assert!(written.is_replaced(&version("1")), "however often it is looked at");
        assert!(!written.is_replaced(&version("3")), "somebody else wrote too");
        assert!(!written.is_replaced(&version("1")), "it is forgotten");
    }

    #[test]
    fn a_write_that_changed_nothing_replaces_nothing() {
        let written = Written::default();
        written.note(&version("1"), &version("1"));
        assert!(!written.is_replaced(&version("1")));
    }

    #[test]
    fn a_schedule_that_is_no_more_is_forgotten() {
        let written = Written::default();
        written.note(&version("1"), &version("2"));
        written.forget(&ObjectRef::from_obj(&schedule()));
        assert!(!written.is_replaced(&version("1")));
    }
}
