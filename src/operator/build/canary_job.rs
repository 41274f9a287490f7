//! The Job of a canary: a sender's pod that only sees how far it gets.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Resource;

use super::cron_job::job_of;
use super::pod::canary_pod;
use crate::delivery::Probes;
use crate::operator::names;
use crate::operator::settings::Settings;

/// The Job of a canary of this name, and of this hash of what it is about. It belongs to the policy that it tries, and goes with it.
///
/// # Errors
/// When the probes can't be written as JSON; none are known to be so.
pub fn canary_job(
    (name, about): (String, String),
    probes: &Probes,
    policy: &NetworkPolicy,
    settings: &Settings,
) -> serde_json::Result<Job> {
    let owner = policy.controller_owner_ref(&());
    Ok(Job {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: policy.metadata.namespace.clone(),
            labels: Some(names::canary_labels()),
            annotations: Some(BTreeMap::from([(names::CANARY_ANNOTATION.into(), about)])),
            owner_references: owner.map(|owner| vec![OwnerReference { block_owner_deletion: None, ..owner }]),
            ..ObjectMeta::default()
        },
        spec: Some(job_of(canary_pod(probes, settings)?)),
        status: None,
    })
}
