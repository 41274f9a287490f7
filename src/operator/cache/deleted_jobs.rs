//! Jobs that were deleted before they were over: by hand, or by `concurrencyPolicy: Replace`.
//!
//! Their pods live on for a moment, and report how the delivery ended after the Job that links them to their schedule is
//! deleted. So these Jobs are kept until the status says how they ended. They are kept in memory only: the outcome of Jobs that
//! end while no operator is running isn't known.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use kube::ResourceExt;
use parking_lot::Mutex;

use super::indexed::Indexed;
use crate::operator::kubernetes::job::{due_at, is_over};
use crate::operator::kubernetes::owner::controller_of;

/// How many Jobs of one CronJob are kept; anyone who may make Jobs could make any number.
const MOST: usize = 16;

/// The kept Jobs, by the UID of their CronJob. Only CronJobs in the cache have any, which bounds their number.
#[derive(Default)]
pub(crate) struct DeletedJobs(Mutex<HashMap<String, Vec<Arc<Job>>>>);

impl DeletedJobs {
    /// Keeps a deleted Job, if it wasn't over and belongs to a CronJob that exists. A Job that was made early and is deleted before
    /// its time has delivered nothing: another one of that name follows.
    pub(crate) fn note(&self, job: &Job, cron_jobs: &Indexed<CronJob>, now: i64) {
        if due_at(job).is_some_and(|due| due > now) {
            return;
        }
        let Some(owner) = controller_of(job).filter(|_| !is_over(job)) else { return };
        let cron_job = cron_jobs.get(&job.namespace().unwrap_or_default(), &owner.name);
        if cron_job.is_none_or(|cron_job| cron_job.uid().as_ref() != Some(&owner.uid)) {
            return;
        }
        let mut all = self.0.lock();
        let jobs = all.entry(owner.uid.clone()).or_default();
        if jobs.len() < MOST {
            jobs.push(Arc::new(job.clone()));
        }
    }

    /// The deleted Jobs of a CronJob whose outcome the status doesn't report yet.
    pub(crate) fn of(&self, cron_job: &str) -> Vec<Arc<Job>> {
        self.0.lock().get(cron_job).cloned().unwrap_or_default()
    }

    /// Forgets Jobs whose outcome the status reports.
    pub(crate) fn mark_reported(&self, reported: &[Arc<Job>]) {
        let mut all = self.0.lock();
        for owner in reported.iter().filter_map(|job| controller_of(&**job)) {
            let Some(jobs) = all.get_mut(&owner.uid) else { continue };
            jobs.retain(|job| reported.iter().all(|other| other.uid() != job.uid()));
            if jobs.is_empty() {
                all.remove(&owner.uid);
            }
        }
    }

    /// Forgets the Jobs of a deleted CronJob.
    pub(crate) fn forget(&self, cron_job: &str) {
        self.0.lock().remove(cron_job);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operator::test_support::objects::over;

    fn cron_jobs() -> Indexed<CronJob> {
        let metadata = json!({"namespace": "team-a", "name": "postern-x", "uid": "1"});
        let spec = json!({"schedule": "* * * * *", "jobTemplate": {}});
        Indexed::of(vec![serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()])
    }

    fn job(uid: &str, cron_job: &str, status: &serde_json::Value) -> Job {
        let owner = json!({"apiVersion": "batch/v1", "kind": "CronJob", "name": "postern-x", "uid": cron_job, "controller": true});
        let metadata = json!({"namespace": "team-a", "name": uid, "uid": uid, "ownerReferences": [owner]});
        serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()
    }

    fn names(jobs: &[Arc<Job>]) -> Vec<String> {
        jobs.iter().map(|job| job.name_any()).collect()
    }

    #[test]
    fn a_job_that_is_deleted_before_it_is_over_is_kept_until_it_is_reported() {
        let (deleted, cron_jobs) = (DeletedJobs::default(), cron_jobs());
        deleted.note(&job("a", "1", &json!({})), &cron_jobs, 0);
        deleted.note(&job("b", "1", &over()), &cron_jobs, 0);
        deleted.note(&job("c", "1", &json!({})), &cron_jobs, 0);
        assert_eq!(names(&deleted.of("1")), ["a", "c"]);
        deleted.mark_reported(&deleted.of("1")[..1]);
        assert_eq!(names(&deleted.of("1")), ["c"]);
        assert_eq!(names(&deleted.of("2")), [""; 0], "another CronJob's");
        deleted.mark_reported(&deleted.of("1"));
        assert!(deleted.0.lock().is_empty(), "nothing of it stays");
    }

    #[test]
    fn a_job_that_is_deleted_before_its_time_is_not_kept_since_another_follows() {
        let (deleted, cron_jobs) = (DeletedJobs::default(), cron_jobs());
        let early = job("postern-x-1000", "1", &json!({}));
        deleted.note(&early, &cron_jobs, 59_999);
        assert_eq!(names(&deleted.of("1")), [""; 0]);
        deleted.note(&early, &cron_jobs, 60_000);
        assert_eq!(names(&deleted.of("1")), ["postern-x-1000"], "at its time it may have begun to send");
    }

    #[test]
    fn a_job_of_no_cron_job_that_is_there_is_not_kept_so_nobody_fills_the_memory() {
        let deleted = DeletedJobs::default();
        deleted.note(&job("a", "2", &json!({})), &cron_jobs(), 0);
        deleted.note(&job("a", "1", &json!({})), &Indexed::of(Vec::new()), 0);
        assert!(deleted.0.lock().is_empty());
    }

    #[test]
    fn the_jobs_of_a_cron_job_that_is_no_more_are_forgotten() {
        let deleted = DeletedJobs::default();
        deleted.note(&job("a", "1", &json!({})), &cron_jobs(), 0);
        deleted.forget("1");
        assert_eq!(names(&deleted.of("1")), [""; 0]);
    }

    #[test]
    fn no_more_are_kept_than_a_schedule_can_need() {
        let (deleted, cron_jobs) = (DeletedJobs::default(), cron_jobs());
        for number in 0..100 {
            deleted.note(&job(&number.to_string(), "1", &json!({})), &cron_jobs, 0);
        }
        assert_eq!(deleted.of("1").len(), MOST);
    }
}
