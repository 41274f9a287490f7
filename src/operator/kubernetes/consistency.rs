//! Detects whether a cache is behind what this operator wrote.
//!
//! A watch shows a write some time after it was made. A reconcile in between would decide by the old state and write the same
//! again; the API server would refuse that, but the request would have been made.

use std::any::TypeId;
use std::collections::HashMap;
use std::time::Duration;

use kube::{Resource, ResourceExt};
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long a watch may take to show a created object. After that, an object that it doesn't show doesn't exist.
pub(crate) const LATE: Duration = Duration::from_secs(1);

/// A cache doesn't show yet what this operator wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StaleCache;

/// Writes that the caches don't show yet, by the object that they were made for and by kind.
#[derive(Default)]
pub(crate) struct ConsistencyStore(Mutex<HashMap<Owner, HashMap<TypeId, Write>>>);

/// The namespace and name of the object that something was written for.
type Owner = (String, String);

struct Write {
    /// The resource versions that were replaced, in order; `None` for an object that was created.
    replaced: Vec<Option<String>>,
    at: Instant,
}

impl ConsistencyStore {
    /// Notes what was written for an object, and what it replaced; `None` when it was created. A write that changed nothing is
    /// ignored, since no watch will show it.
    pub(crate) fn wrote_at<K>(&self, owner: &impl ResourceExt, replaced: Option<&K>, written: &K)
    where
        K: Resource<DynamicType = ()> + 'static,
    {
        let version = replaced.and_then(ResourceExt::resource_version);
        if version.is_some() && version == written.resource_version() {
            return;
        }
        let mut all = self.0.lock();
        let of_owner = all.entry(key(owner)).or_default();
        let write =
            of_owner.entry(TypeId::of::<K>()).or_insert_with(|| Write { replaced: Vec::new(), at: Instant::now() });
        write.replaced.push(version);
        write.at = Instant::now();
    }

    /// Checks that the cache shows the last write for an object. `cached` is what it shows.
    ///
    /// # Errors
    /// When it doesn't. A replaced version will be followed by another event; a created object is waited for no longer than
    /// [`LATE`].
    pub(crate) fn ensure_ready<K>(&self, owner: &impl ResourceExt, cached: Option<&K>) -> Result<(), StaleCache>
    where
        K: Resource<DynamicType = ()> + 'static,
    {
        let mut all = self.0.lock();
        let (owner, kind) = (key(owner), TypeId::of::<K>());
        let Some(of_owner) = all.get_mut(&owner) else { return Ok(()) };
        let Some(write) = of_owner.get(&kind) else { return Ok(()) };
        let is_stale = match cached {
            Some(cached) => cached.resource_version().is_some_and(|version| write.replaced.contains(&Some(version))),
            None => write.replaced.contains(&None) && write.at.elapsed() < LATE,
        };
        if is_stale {
            return Err(StaleCache);
        }
        of_owner.remove(&kind);
        if of_owner.is_empty() {
            all.remove(&owner);
        }
        Ok(())
    }

    /// Forgets the writes for a deleted object.
    pub(crate) fn clear(&self, namespace: &str, name: &str) {
        self.0.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }
}

fn key(owner: &impl ResourceExt) -> Owner {
    (owner.namespace().unwrap_or_default(), owner.name_any())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::batch::v1::CronJob;

    use super::*;
    use crate::api::WebhookSchedule;
    use crate::operator::test_support::objects::schedule;

    fn version(version: &str) -> WebhookSchedule {
        let mut schedule = schedule();
        schedule.metadata.resource_version = Some(version.into());
        schedule
    }

    fn is_stale(store: &ConsistencyStore, cached: &str) -> bool {
        store.ensure_ready(&schedule(), Some(&version(cached))).is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_is_stale_from_the_write_until_another_is_seen() {
        let store = ConsistencyStore::default();
        assert!(!is_stale(&store, "1"), "nothing was written");
        store.wrote_at(&schedule(), Some(&version("1")), &version("2"));
        tokio::time::advance(10 * LATE).await;
        assert!(is_stale(&store, "1"));
        assert!(is_stale(&store, "1"), "however often it is looked at");
        assert!(!is_stale(&store, "3"), "somebody else wrote too");
        assert!(!is_stale(&store, "1"), "it is forgotten");
    }

    #[test]
    fn of_several_writes_in_a_row_only_the_last_is_news() {
        let store = ConsistencyStore::default();
        store.wrote_at(&schedule(), Some(&version("1")), &version("2"));
        store.wrote_at(&schedule(), Some(&version("2")), &version("3"));
        assert!(is_stale(&store, "1") && is_stale(&store, "2"));
        assert!(!is_stale(&store, "3"));
    }

    #[test]
    fn a_write_that_changed_nothing_makes_nothing_stale() {
        let store = ConsistencyStore::default();
        store.wrote_at(&schedule(), Some(&version("1")), &version("1"));
        assert!(!is_stale(&store, "1"));
    }

    #[test]
    fn an_object_that_is_no_more_is_forgotten() {
        let store = ConsistencyStore::default();
        store.wrote_at(&schedule(), Some(&version("1")), &version("2"));
        store.clear("team-a", "nightly-report");
        assert!(!is_stale(&store, "1"));
        assert!(store.0.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_was_made_is_waited_for_a_while_and_another_kind_is_not() {
        let (store, cron_job) = (ConsistencyStore::default(), CronJob::default());
        let ready = |cached| store.ensure_ready::<CronJob>(&schedule(), cached);
        assert_eq!(ready(None), Ok(()), "it was never made");
        store.wrote_at(&schedule(), None, &cron_job);
        assert!(!is_stale(&store, "1"), "the schedule itself");
        assert_eq!((ready(None), ready(None)), (Err(StaleCache), Err(StaleCache)));
        tokio::time::advance(LATE).await;
        assert_eq!(ready(None), Ok(()), "it is gone");
        store.wrote_at(&schedule(), None, &cron_job);
        let mut seen = cron_job.clone();
        seen.metadata.resource_version = Some("1".into());
        assert_eq!(ready(Some(&seen)), Ok(()), "it is there");
        assert_eq!(ready(None), Ok(()), "it was there, and is gone");
    }
}
