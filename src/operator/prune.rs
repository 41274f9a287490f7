//! What the caches leave out: most of an object is needed by no reconcile, and there may be many of them.

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Pod, PodTemplateSpec, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::core::PartialObjectMeta;
use kube::{Resource, ResourceExt};

use super::names::{CANARY_ANNOTATION, DELIVERY_ID_ANNOTATION, GENERATION_ANNOTATION, TRIGGERED_AT_ANNOTATION};
use crate::api::{CHECK_ANNOTATION, TRIGGER_ANNOTATION, WebhookSchedule, WebhookTier};

/// A kind that is cached.
pub(super) trait Prune: Resource<DynamicType = ()> {
    /// Leaves out what no reconcile needs.
    fn prune(&mut self);
}

/// A second copy of what an object says, by `kubectl apply`.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn without_history(object: &mut impl ResourceExt) {
    object.meta_mut().managed_fields = None;
    object.annotations_mut().remove(LAST_APPLIED);
}

/// Keeps who wrote an object, which tells whose it is, and not which of its fields.
fn without_managed_fields(object: &mut impl ResourceExt) {
    for entry in object.managed_fields_mut() {
        entry.fields_v1 = None;
    }
}

impl Prune for WebhookSchedule {
    fn prune(&mut self) {
        without_history(self);
    }
}

impl Prune for WebhookTier {
    fn prune(&mut self) {
        without_history(self);
    }
}

impl Prune for PartialObjectMeta<Namespace> {
    fn prune(&mut self) {
        without_history(self);
    }
}

impl Prune for Service {
    fn prune(&mut self) {
        without_history(self);
    }
}

impl Prune for EndpointSlice {
    fn prune(&mut self) {
        without_history(self);
    }
}

impl Prune for CronJob {
    fn prune(&mut self) {
        without_history(self);
    }
}

impl Prune for ServiceAccount {
    fn prune(&mut self) {
        without_managed_fields(self);
    }
}

impl Prune for NetworkPolicy {
    fn prune(&mut self) {
        without_managed_fields(self);
        self.annotations_mut().remove(LAST_APPLIED);
    }
}

impl Prune for Job {
    fn prune(&mut self) {
        let needed = [
            TRIGGER_ANNOTATION,
            TRIGGERED_AT_ANNOTATION,
            DELIVERY_ID_ANNOTATION,
            GENERATION_ANNOTATION,
            CHECK_ANNOTATION,
            CANARY_ANNOTATION,
        ];
        self.metadata.managed_fields = None;
        self.annotations_mut().retain(|name, _| needed.contains(&name.as_str()));
        if let Some(spec) = &mut self.spec {
            spec.template = PodTemplateSpec::default();
        }
    }
}

impl Prune for Pod {
    fn prune(&mut self) {
        self.metadata.managed_fields = None;
        self.metadata.annotations = None;
        self.spec = None;
    }
}

impl Prune for ValidatingAdmissionPolicy {
    fn prune(&mut self) {
        without_history(self);
        self.status = None;
        if let Some(spec) = &mut self.spec {
            spec.audit_annotations = None;
            spec.match_conditions = None;
            spec.validations = None;
            spec.variables = None;
        }
    }
}

impl Prune for ValidatingAdmissionPolicyBinding {
    fn prune(&mut self) {
        without_history(self);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_and_its_pods_keep_neither_the_body_that_they_send_nor_who_wrote_them() {
        let large = "x".repeat(60_000);
        let template = json!({"metadata": {"annotations": {"postern.dev/delivery": large}}});
        let managed = json!([{"manager": "m", "fieldsV1": {"f:spec": {}}}]);
        let mut job: Job = serde_json::from_value(json!({
            "metadata": {"annotations": {TRIGGER_ANNOTATION: "now", CHECK_ANNOTATION: "", "other": large}, "managedFields": managed},
            "spec": {"template": template},
        }))
        .unwrap();
        let mut pod: Pod = serde_json::from_value(json!({
            "metadata": {"annotations": {"postern.dev/delivery": large}, "managedFields": managed},
            "spec": {"containers": []},
            "status": {"phase": "Running"},
        }))
        .unwrap();
        job.prune();
        pod.prune();
        assert!(json!([job, pod]).to_string().len() < 300);
        assert_eq!(job.annotations()[TRIGGER_ANNOTATION], "now");
        assert!(job.annotations().contains_key(CHECK_ANNOTATION));
        assert!(pod.status.is_some());
    }

    #[test]
    fn a_service_account_keeps_the_names_of_who_wrote_it() {
        let managed = json!([{"manager": "postern", "fieldsV1": {"f:metadata": {}}}]);
        let mut account: ServiceAccount =
            serde_json::from_value(json!({"metadata": {"managedFields": managed}})).unwrap();
        account.prune();
        assert_eq!(json!(account)["metadata"]["managedFields"], json!([{"manager": "postern"}]));
    }
}
