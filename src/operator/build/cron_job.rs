//! The CronJob of a schedule.

use k8s_openapi::api::batch::v1::{
    CronJob, CronJobSpec, JobSpec, JobTemplateSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::pod::pod;
use crate::api::ConcurrencyPolicy;
use crate::delivery::OutcomeClass;
use crate::operator::names;
use crate::operator::settings::Settings;
use crate::operator::validate::Valid;

/// How many ended Jobs of each kind are kept. The operator catches up with what ended while it was away by reading them.
const KEPT_JOBS: i32 = 3;
/// How often a Job makes a new pod when one was lost with its node.
const LOST_PODS: i32 = 3;

/// The CronJob, with everything below it.
///
/// # Errors
/// When the delivery can't be written as JSON; no delivery is known to be so.
pub fn cron_job(valid: &Valid, settings: &Settings) -> serde_json::Result<CronJob> {
    let labels = names::labels(&valid.name);
    let job = JobSpec {
        backoff_limit: Some(LOST_PODS),
        completion_mode: Some("NonIndexed".into()),
        completions: Some(1),
        manual_selector: Some(false),
        parallelism: Some(1),
        pod_failure_policy: Some(failure_policy()),
        pod_replacement_policy: Some("Failed".into()),
        suspend: Some(false),
        template: pod(valid, settings)?,
        ..JobSpec::default()
    };
    let template_metadata = ObjectMeta { labels: Some(labels.clone()), ..ObjectMeta::default() };
    Ok(CronJob {
        metadata: ObjectMeta {
            name: Some(names::cron_job(&valid.name)),
            namespace: Some(valid.namespace.clone()),
            labels: Some(labels),
            owner_references: Some(vec![valid.owner.clone()]),
            ..ObjectMeta::default()
        },
        spec: CronJobSpec {
            concurrency_policy: Some(concurrency_policy(valid.concurrency_policy).into()),
            failed_jobs_history_limit: Some(KEPT_JOBS),
            job_template: JobTemplateSpec { metadata: Some(template_metadata), spec: Some(job) },
            schedule: valid.expression.resolved().into(),
            starting_deadline_seconds: Some(valid.starting_deadline_seconds.into()),
            successful_jobs_history_limit: Some(KEPT_JOBS),
            suspend: Some(valid.suspended),
            time_zone: Some(valid.zone_name.clone()),
        },
        status: None,
    })
}

fn concurrency_policy(policy: ConcurrencyPolicy) -> &'static str {
    match policy {
        ConcurrencyPolicy::Allow => "Allow",
        ConcurrencyPolicy::Forbid => "Forbid",
        ConcurrencyPolicy::Replace => "Replace",
    }
}

/// What the sender has tried is done with; a pod that was lost with its node has tried nothing to the end, so it
/// doesn't count and another takes its place.
fn failure_policy() -> PodFailurePolicy {
    let mut final_codes: Vec<i32> =
        OutcomeClass::ALL.iter().map(|class| class.exit_code().into()).filter(|code| *code != 0).collect();
    // A sender that was called wrongly or could not start.
    final_codes.extend([1, 2]);
    final_codes.sort_unstable();
    PodFailurePolicy {
        rules: vec![
            PodFailurePolicyRule {
                action: "Ignore".into(),
                on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
                    status: Some("True".into()),
                    type_: "DisruptionTarget".into(),
                }]),
                ..PodFailurePolicyRule::default()
            },
            PodFailurePolicyRule {
                action: "FailJob".into(),
                on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
                    container_name: Some(super::pod::CONTAINER.into()),
                    operator: "In".into(),
                    values: final_codes,
                }),
                ..PodFailurePolicyRule::default()
            },
        ],
    }
}
