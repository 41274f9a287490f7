//! The CronJob of a schedule, and the Job of a triggered delivery.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{
    CronJob, CronJobSpec, Job, JobSpec, JobTemplateSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

use super::pod::pod;
use crate::api::{ConcurrencyPolicy, TRIGGER_ANNOTATION};
use crate::delivery::{Delivery, OutcomeClass};
use crate::operator::deliveries::missed::KEPT_JOBS;
use crate::operator::deliveries::trigger::Trigger;
use crate::operator::names;
use crate::operator::settings::Settings;
use crate::operator::validate::ValidatedSchedule;

/// How often a Job makes a new pod after one was lost with its node.
const LOST_PODS: i32 = 3;

/// The CronJob, with everything below it. A suspended CronJob starts nothing.
///
/// # Errors
/// When the delivery can't be serialized to JSON; no such delivery is known.
pub fn cron_job(valid: &ValidatedSchedule, suspend: bool, settings: &Settings) -> serde_json::Result<CronJob> {
    let labels = names::labels(&valid.name);
    let job = job_spec(valid, &valid.delivery, settings)?;
    let template_metadata =
        ObjectMeta { labels: Some(labels.clone()), annotations: Some(of_generation(valid)), ..ObjectMeta::default() };
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
            failed_jobs_history_limit: Some(KEPT_JOBS.into()),
            job_template: JobTemplateSpec { metadata: Some(template_metadata), spec: Some(job) },
            schedule: valid.expression.resolved().into(),
            starting_deadline_seconds: Some(valid.starting_deadline_seconds.into()),
            successful_jobs_history_limit: Some(KEPT_JOBS.into()),
            suspend: Some(suspend),
            time_zone: Some(valid.zone_name.clone()),
        },
        status: None,
    })
}

/// The Job of a triggered delivery. The CronJob owns it like its own Jobs, so the CronJob controller keeps and removes it with
/// them.
///
/// # Errors
/// When the delivery can't be serialized to JSON; no such delivery is known.
pub fn triggered_job(
    valid: &ValidatedSchedule,
    trigger: &Trigger,
    cron_job: &CronJob,
    settings: &Settings,
) -> serde_json::Result<Job> {
    let mut delivery = valid.delivery.clone();
    if let Some(run) = trigger.run() {
        delivery.run = run;
    }
    let mut annotations = of_generation(valid);
    annotations.extend([
        (TRIGGER_ANNOTATION.into(), trigger.value.clone()),
        (names::TRIGGERED_AT_ANNOTATION.into(), trigger.time.to_string()),
        (names::DELIVERY_ID_ANNOTATION.into(), trigger.id.to_string()),
    ]);
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(names::triggered_job(&valid.name, &trigger.id)),
            namespace: Some(valid.namespace.clone()),
            labels: Some(names::labels(&valid.name)),
            annotations: Some(annotations),
            owner_references: cron_job
                .controller_owner_ref(&())
                .map(|owner| vec![OwnerReference { block_owner_deletion: None, ..owner }]),
            ..ObjectMeta::default()
        },
        spec: Some(job_spec(valid, &delivery, settings)?),
        status: None,
    })
}

/// Records the generation of the spec, so that the outcome of a delivery can be attributed to it.
pub(super) fn of_generation(valid: &ValidatedSchedule) -> BTreeMap<String, String> {
    BTreeMap::from([(names::GENERATION_ANNOTATION.into(), valid.generation.to_string())])
}

fn job_spec(valid: &ValidatedSchedule, delivery: &Delivery, settings: &Settings) -> serde_json::Result<JobSpec> {
    Ok(job_of(pod(valid, delivery, settings)?))
}

/// The Job for a sender's pod.
pub(super) fn job_of(template: PodTemplateSpec) -> JobSpec {
    JobSpec {
        backoff_limit: Some(LOST_PODS),
        completion_mode: Some("NonIndexed".into()),
        completions: Some(1),
        manual_selector: Some(false),
        parallelism: Some(1),
        pod_failure_policy: Some(failure_policy()),
        pod_replacement_policy: Some("Failed".into()),
        suspend: Some(false),
        template,
        ..JobSpec::default()
    }
}

fn concurrency_policy(policy: ConcurrencyPolicy) -> &'static str {
    match policy {
        ConcurrencyPolicy::Allow => "Allow",
        ConcurrencyPolicy::Forbid => "Forbid",
        ConcurrencyPolicy::Replace => "Replace",
    }
}

/// What the sender has tried is final. A pod that was lost with its node hasn't finished anything, so it doesn't count, and
/// another pod takes its place.
fn failure_policy() -> PodFailurePolicy {
    let mut final_codes: Vec<i32> =
        OutcomeClass::ALL.iter().map(|class| class.exit_code().into()).filter(|code| *code != 0).collect();
    // The sender was called with wrong arguments, or could not start.
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
                    container_name: Some(names::SENDER_CONTAINER.into()),
                    operator: "In".into(),
                    values: final_codes,
                }),
                ..PodFailurePolicyRule::default()
            },
        ],
    }
}
