//! When a Job was created and ended. Times are Unix seconds.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

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
