//! The Job of a canary: a sender's pod that only tries what it can reach.

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

/// A canary's Job, by its name and by the hash of what it proves. The policy that it tests owns it, so it is deleted with that
/// policy.
///
/// # Errors
/// When the probes can't be serialized to JSON; no such probes are known.
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
