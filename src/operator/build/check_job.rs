//! The Job of a check: what the CronJob's Jobs are, with a sender that only judges.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::cron_job::{job_of, of_generation};
use super::pod::check_pod;
use crate::api::CHECK_ANNOTATION;
use crate::operator::names;
use crate::operator::settings::Settings;
use crate::operator::validate::ValidatedSchedule;

/// Seconds for which a check that has ended is kept: time for the operator to read what it came to, and for people to see.
const KEPT_SECONDS: i32 = 120;

/// The Job of a check of this name, for this value of the annotation `postern.dev/check`. It belongs to the schedule: the CronJob controller, which counts the Jobs of its CronJob, doesn't see it.
///
/// # Errors
/// When the delivery can't be written as JSON; no delivery is known to be so.
pub fn check_job(
    valid: &ValidatedSchedule,
    name: &str,
    value: Option<&str>,
    settings: &Settings,
) -> serde_json::Result<Job> {
    let mut annotations = of_generation(valid);
    annotations.insert(CHECK_ANNOTATION.into(), value.unwrap_or_default().into());
    let spec = JobSpec { ttl_seconds_after_finished: Some(KEPT_SECONDS), ..job_of(check_pod(valid, settings)?) };
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(name.into()),
            namespace: Some(valid.namespace.clone()),
            labels: Some(names::labels(&valid.name)),
            annotations: Some(annotations),
            owner_references: Some(vec![valid.owner.clone()]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
        status: None,
    })
}
