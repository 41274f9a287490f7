//! The Job of a delivery that is not due yet: the one that the CronJob controller would make at the minute, which it then adopts.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

use crate::operator::names::{self, EARLY_ANNOTATION, GENERATION_ANNOTATION};

/// The Job of a CronJob for a due time, in Unix seconds; `None` for a CronJob that isn't in the cluster yet.
///
/// The CronJob is its controller, but doesn't wait for it when it is deleted: `blockOwnerDeletion` would take a right to
/// `cronjobs/finalizers`.
pub(crate) fn early_job(cron_job: &CronJob, schedule: &str, time: i64) -> Option<Job> {
    let template = &cron_job.spec.job_template;
    let owner = OwnerReference { block_owner_deletion: None, ..cron_job.controller_owner_ref(&())? };
    let of_template = template.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
    let made_for = of_template.and_then(|annotations| annotations.get_key_value(GENERATION_ANNOTATION));
    let mut annotations: BTreeMap<_, _> =
        made_for.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    annotations.insert(EARLY_ANNOTATION.into(), cron_job.metadata.generation?.to_string());
    Some(Job {
        metadata: ObjectMeta {
            name: Some(names::job(&cron_job.name_any(), time)),
            namespace: cron_job.namespace(),
            labels: Some(names::labels(schedule)),
            annotations: Some(annotations),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    })
}
