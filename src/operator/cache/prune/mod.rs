//! What the caches leave out: no reconcile needs most of an object, and there may be many objects.

pub(crate) mod foreign_policy;

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Pod, Service, ServiceAccount};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicySpec};
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::{Resource, ResourceExt};

use super::{Cut, MOST, MOST_SCHEDULES, Rules};
use crate::api::{
    CHECK_ANNOTATION, ROTATE_ANNOTATION, SUSPEND_ANNOTATION, TRIGGER_ANNOTATION, WebhookSchedule, WebhookTier,
};
use crate::operator::names::{
    CANARY_ANNOTATION, DELIVERY_ID_ANNOTATION, EARLY_ANNOTATION, GENERATION_ANNOTATION, LEFT_OUT_ANNOTATION,
    SENDER_CHILDREN, TRIGGERED_AT_ANNOTATION, WOKEN_ANNOTATION,
};
use foreign_policy::what_it_opens;

/// A kind that is cached.
pub(crate) trait Prune: Resource<DynamicType = ()> {
    /// Which parts of an object are read at all.
    const RULES: Rules;

    /// How many objects of a namespace are kept, the oldest first; `None` without such a bound.
    const MOST: Option<usize> = None;

    /// Leaves out what no reconcile needs, after the object was read. `cut` are the fields that were too large.
    fn prune(&mut self, _cut: &Cut) {}

    /// Whether any of the object is needed.
    fn is_needed(&self) -> bool {
        true
    }

    /// The object that stands in for the others of its namespace when there are more than [`MOST`]; `None` for an object that
    /// is always kept.
    fn others(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// The size of the texts that may be left out, in bytes.
    fn texts(&self) -> usize {
        0
    }

    /// Leaves the texts out, and marks the object.
    fn leave_texts_out(&mut self) {}
}

/// The bound of others' annotations on Postern's own objects that are written again, in bytes.
const OTHERS: usize = 4 * 1024;

impl Prune for WebhookSchedule {
    const RULES: Rules = Rules {
        annotations: &[TRIGGER_ANNOTATION, CHECK_ANNOTATION, ROTATE_ANNOTATION, SUSPEND_ANNOTATION],
        ..Rules::LARGE
    };
    const MOST: Option<usize> = Some(MOST_SCHEDULES);

    fn texts(&self) -> usize {
        let body = self.spec.body.iter().filter_map(|body| body.inline.as_ref());
        let values = self.spec.target.headers.iter().filter_map(|header| header.value.as_ref());
        body.chain(values).map(String::len).sum()
    }

    fn leave_texts_out(&mut self) {
        let body = self.spec.body.iter_mut().filter_map(|body| body.inline.as_mut());
        let values = self.spec.target.headers.iter_mut().filter_map(|header| header.value.as_mut());
        body.chain(values).for_each(|text| *text = String::new());
        self.annotations_mut().insert(LEFT_OUT_ANNOTATION.into(), String::new());
    }
}

impl Prune for WebhookTier {
    const RULES: Rules = Rules::LARGE;
}

impl Prune for PartialObjectMeta<Namespace> {
    const RULES: Rules = Rules { skip: &[&["spec"], &["status"]], ..Rules::SMALL };
}

impl Prune for Service {
    const RULES: Rules = Rules { other_annotations: OTHERS, ..Rules::LARGE };

    /// Whether a Service asks for an address itself can be decided only if it was read whole.
    fn prune(&mut self, cut: &Cut) {
        if !cut.is_empty()
            && let Some(status) = &mut self.status
        {
            status.load_balancer = None;
        }
    }
}

impl Prune for EndpointSlice {
    const RULES: Rules = Rules::LARGE;
}

impl Prune for CronJob {
    const RULES: Rules = Rules { annotations: &[WOKEN_ANNOTATION], other_annotations: OTHERS, ..Rules::LARGE };
}

impl Prune for ServiceAccount {
    const RULES: Rules = Rules { other_annotations: OTHERS, manager: true, ..Rules::SMALL };
}

impl Prune for NetworkPolicy {
    const RULES: Rules = Rules { other_annotations: OTHERS, manager: true, ..Rules::LARGE };

    /// A part that is too large to be read counts as whatever opens most. Of others' policies, only the parts that can affect
    /// senders are kept.
    fn prune(&mut self, cut: &Cut) {
        if let Some(spec) = &mut self.spec {
            if cut.contains("spec.podSelector") {
                spec.pod_selector = None;
            }
            if cut.contains("spec.egress") {
                spec.egress = Some(vec![NetworkPolicyEgressRule::default()]);
            }
        }
        if self.name_any() != SENDER_CHILDREN {
            let ObjectMeta { name, namespace, uid, resource_version, .. } = std::mem::take(&mut self.metadata);
            self.metadata = ObjectMeta { name, namespace, uid, resource_version, ..ObjectMeta::default() };
            self.spec = self.spec.as_ref().and_then(what_it_opens);
        }
    }

    fn is_needed(&self) -> bool {
        self.name_any() == SENDER_CHILDREN || self.spec.is_some()
    }

    /// A policy that opens everything.
    fn others(&self) -> Option<Self> {
        if self.name_any() == SENDER_CHILDREN {
            return None;
        }
        let metadata = ObjectMeta {
            name: Some(format!("(one of more than {MOST})")),
            namespace: self.namespace(),
            ..ObjectMeta::default()
        };
        let egress = Some(vec![NetworkPolicyEgressRule::default()]);
        Some(Self { metadata, spec: Some(NetworkPolicySpec { egress, ..NetworkPolicySpec::default() }) })
    }
}

impl Prune for Job {
    const RULES: Rules = Rules {
        annotations: &[
            TRIGGER_ANNOTATION,
            TRIGGERED_AT_ANNOTATION,
            DELIVERY_ID_ANNOTATION,
            GENERATION_ANNOTATION,
            CHECK_ANNOTATION,
            CANARY_ANNOTATION,
            EARLY_ANNOTATION,
        ],
        skip: &[&["spec", "template"]],
        ..Rules::SMALL
    };
}

impl Prune for Pod {
    const RULES: Rules = Rules { skip: &[&["spec"]], ..Rules::SMALL };
}

impl Prune for ValidatingAdmissionPolicy {
    const RULES: Rules = Rules {
        skip: &[
            &["spec", "auditAnnotations"],
            &["spec", "matchConditions"],
            &["spec", "validations"],
            &["spec", "variables"],
            &["status"],
        ],
        ..Rules::LARGE
    };
}

impl Prune for ValidatingAdmissionPolicyBinding {
    const RULES: Rules = Rules::LARGE;
}

#[cfg(test)]
mod tests;
