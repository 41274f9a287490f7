//! What was written and is not in the caches yet: statuses, and CronJobs that were made.
//!
//! A watch tells of a write some time after it. A reconcile in between would judge by what was there before, and write once
//! more what is there already; the API server would refuse that, but it would have been asked.

use std::collections::{HashMap, HashSet};

use k8s_openapi::api::batch::v1::CronJob;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use crate::api::WebhookSchedule;

/// The versions of schedules that were replaced, one reconcile's in order, and the schedules whose CronJobs were made.
#[derive(Default)]
pub(crate) struct Written {
    replaced: Mutex<HashMap<ObjectRef<WebhookSchedule>, Vec<String>>>,
    made: Mutex<HashSet<ObjectRef<WebhookSchedule>>>,
}

impl Written {
    /// Notes what was written over a version. What the API server found to be no change, no watch will tell of.
    pub(crate) fn note(&self, replaced: &WebhookSchedule, by: &WebhookSchedule) {
        if let Some(version) =
            replaced.resource_version().filter(|_| replaced.resource_version() != by.resource_version())
        {
            self.replaced.lock().entry(ObjectRef::from_obj(replaced)).or_default().push(version);
        }
    }

    /// Whether a version from the cache was replaced. The next one has a reconcile coming.
    pub(crate) fn is_replaced(&self, cached: &WebhookSchedule) -> bool {
        let mut replaced = self.replaced.lock();
        let schedule = ObjectRef::from_obj(cached);
        let is_among =
            |versions: &Vec<String>| cached.resource_version().is_some_and(|cached| versions.contains(&cached));
        let is_replaced = replaced.get(&schedule).is_some_and(is_among);
        if !is_replaced {
            replaced.remove(&schedule);
        }
        is_replaced
    }

    /// Forgets a schedule that is no more.
    pub(crate) fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.replaced.lock().remove(schedule);
        self.made.lock().remove(schedule);
    }

    /// Notes that a schedule's CronJob was made.
    pub(crate) fn note_made(&self, schedule: &WebhookSchedule) {
        self.made.lock().insert(ObjectRef::from_obj(schedule));
    }

    /// Whether the cache lacks a CronJob only since the watch is late. It is waited for once: what is still not there at the
    /// next look is not there.
    pub(crate) fn is_late(&self, schedule: &WebhookSchedule, cached: Option<&CronJob>) -> bool {
        self.made.lock().remove(&ObjectRef::from_obj(schedule)) && cached.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::test_support::objects::schedule;

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
    fn of_several_writes_in_a_row_only_the_last_is_news() {
        let written = Written::default();
        written.note(&version("1"), &version("2"));
        written.note(&version("2"), &version("3"));
        for replaced in ["1", "2"] {
            assert!(written.is_replaced(&version(replaced)));
        }
        assert!(!written.is_replaced(&version("3")));
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

    #[test]
    fn a_cron_job_that_was_made_is_waited_for_once() {
        let written = Written::default();
        assert!(!written.is_late(&schedule(), None), "it was never made");
        written.note_made(&schedule());
        assert!(written.is_late(&schedule(), None));
        assert!(!written.is_late(&schedule(), None), "it is gone");
        written.note_made(&schedule());
        assert!(!written.is_late(&schedule(), Some(&CronJob::default())), "it is there");
        assert!(!written.is_late(&schedule(), None), "it was there, and is gone");
    }
}
