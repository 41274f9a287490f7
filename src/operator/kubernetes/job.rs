//! When a Job was due, created and ended. Times are Unix seconds.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use crate::delivery::scheduled_time_of_job;
use crate::operator::names::EARLY_ANNOTATION;

/// The due time that a Job's name claims; `None` for a Job that no CronJob's minute makes.
pub(crate) fn due_at(job: &Job) -> Option<i64> {
    i64::try_from(scheduled_time_of_job(&job.name_any()).ok()?.unix()).ok()
}

/// Whether a Job was made before its due time.
pub(crate) fn is_early(job: &Job) -> bool {
    job.annotations().contains_key(EARLY_ANNOTATION)
}

/// When a Job was created, in Unix seconds.
pub(crate) fn made_at(job: &Job) -> Option<i64> {
    job.creation_timestamp().map(|made| made.0.as_second())
}

/// Whether the job controller is done with a Job.
pub(crate) fn is_over(job: &Job) -> bool {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut ends = conditions.filter(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed"));
    ends.any(|condition| condition.status == "True")
}

/// When a Job ended, if it has.
pub(crate) fn over_at(job: &Job) -> Option<i64> {
    let status = job.status.as_ref()?;
    let failed = status.conditions.iter().flatten().find(|condition| condition.type_ == "Failed");
    let failed = failed.and_then(|condition| condition.last_transition_time.as_ref());
    status.completion_time.as_ref().or(failed).map(|time| time.0.as_second())
}
