//! One run of a sender: a Job and its pods.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::operator::cache::caches::Caches;

/// A Job of the schedule or of its CronJob and its pods, by the chain of owners' UIDs: what only has the labels is not among them.
pub(crate) struct Run {
    pub(crate) job: Arc<Job>,
    /// It was deleted before it was over.
    pub(crate) is_deleted: bool,
    pub(crate) pods: Vec<Arc<Pod>>,
}

impl Run {
    /// What the Jobs have come to whose controller has this UID.
    pub(crate) fn all_of(caches: &Caches, namespace: &str, owner: &str) -> Vec<Self> {
        let jobs = caches.jobs.controlled_by(namespace, owner);
        jobs.into_iter().map(|job| Self::of(caches, namespace, job, false)).collect()
    }

    /// What a Job has come to.
    pub(crate) fn of(caches: &Caches, namespace: &str, job: Arc<Job>, is_deleted: bool) -> Self {
        let pods = caches.pods.controlled_by(namespace, &job.uid().unwrap_or_default());
        Self { job, is_deleted, pods }
    }
}
