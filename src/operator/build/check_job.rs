//! The Job of a check: like the CronJob's Jobs, but its sender only validates and sends nothing.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::cron_job::{job_of, of_generation};
use super::pod::check_pod;
use crate::api::CHECK_ANNOTATION;
use crate::operator::names;
use crate::operator::settings::Settings;
use crate::operator::validate::ValidatedSchedule;

/// How long a finished check is kept, in seconds: time for the operator to read its result, and for people to look at it.
const KEPT_SECONDS: i32 = 120;

/// A check's Job, by its name and by the value of the annotation `postern.dev/check`. The schedule owns it, so the CronJob
/// controller, which counts the Jobs of its CronJob, doesn't see it.
///
/// # Errors
/// When the delivery can't be serialized to JSON; no such delivery is known.
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
