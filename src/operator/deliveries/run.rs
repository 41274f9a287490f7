//! One run of a sender: a Job and its pods.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::operator::cache::caches::Caches;

/// How long before its time a Job that was made early is final, in seconds: it isn't withdrawn any more, whatever changes. The
/// CronJob controller would make it again, and the pods of both would run.
pub(crate) const FINAL: i64 = 5;

/// A Job of the schedule or of its CronJob, and its pods. They are found by owner UIDs; an object that only has the labels
/// isn't included.
pub(crate) struct Run {
    pub(crate) job: Arc<Job>,
    /// Whether it was deleted before it was over.
    pub(crate) is_deleted: bool,
    pub(crate) pods: Vec<Arc<Pod>>,
}

impl Run {
    /// The runs whose Jobs are controlled by the object with this UID.
    pub(crate) fn all_of(caches: &Caches, namespace: &str, owner: &str) -> Vec<Self> {
        let jobs = caches.jobs.controlled_by(namespace, owner);
        jobs.into_iter().map(|job| Self::of(caches, namespace, job, false)).collect()
    }

    /// The run of a Job.
    pub(crate) fn of(caches: &Caches, namespace: &str, job: Arc<Job>, is_deleted: bool) -> Self {
        let pods = caches.pods.controlled_by(namespace, &job.uid().unwrap_or_default());
        Self { job, is_deleted, pods }
    }
}
