//! Whether the admission policies that protect schedules are in force. Pure: it computes the condition from the policies and
//! bindings that exist.
//!
//! A policy is recognised by its name, to which the chart adds no prefix, and checked for everything that could switch it off.
//! Its expressions are not checked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, ParamRef, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;

use crate::operator::kubernetes::condition::ConditionUpdate;

/// The condition that says whether the policies are in force.
pub(crate) const PROTECTED: &str = "Protected";

/// The policies that together keep one promise.
struct Guarantee {
    policies: &'static [&'static str],
    /// What is possible when one of them is off.
    otherwise: &'static str,
}

/// What tenants are promised. `postern-tier-rules` is not listed, since the operator validates again what that policy refuses.
/// `postern-schedule-size` is not listed either, since the operator stores nothing of what that policy refuses.
const GUARANTEES: [Guarantee; 4] = [
    Guarantee {
        policies: &["postern-readable-secrets"],
        otherwise: "anyone who may create WebhookSchedules can send any Secret of this namespace anywhere",
    },
    Guarantee {
        policies: &["postern-lock-children", "postern-lock-names", "postern-lock-status", "postern-no-orphans"],
        otherwise: "tenants can change, imitate, enter or orphan the objects that Postern makes",
    },
    Guarantee {
        policies: &["postern-confine-operator", "postern-confine-senders", "postern-confine-egress"],
        otherwise: "the operator's account is not confined",
    },
    Guarantee {
        policies: &["postern-tier-label"],
        otherwise: "anyone who may edit this Namespace can choose its tier",
    },
];

/// Why a policy is not in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disabled {
    Missing,
    FailsOpen,
    Narrowed,
    NotBound,
    NotDenying,
    BoundInPart,
}

impl fmt::Display for Disabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::FailsOpen => "its failurePolicy isn't Fail",
            Self::Narrowed => "it matches only some of the requests",
            Self::NotBound => "no binding names it",
            Self::NotDenying => "none of its bindings has the action Deny",
            Self::BoundInPart => "its bindings cover only some of the requests",
        })
    }
}

/// What is known about the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AdmissionStatus {
    /// Each policy, and why it is off.
    Known(Vec<(&'static str, Option<Disabled>)>),
    /// They can't be read.
    Unreadable,
}

impl AdmissionStatus {
    pub(crate) fn of(
        policies: &[Arc<ValidatingAdmissionPolicy>],
        bindings: &[Arc<ValidatingAdmissionPolicyBinding>],
    ) -> Self {
        let names = GUARANTEES.iter().flat_map(|promise| promise.policies);
        Self::Known(names.map(|name| (*name, off(name, policies, bindings))).collect())
    }

    /// Each known policy, and whether it is in force.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = (&'static str, bool)> {
        let known = if let Self::Known(known) = self { &known[..] } else { &[] };
        known.iter().map(|(name, off)| (*name, off.is_none()))
    }

    /// The condition that every schedule gets.
    pub(crate) fn fact(&self) -> ConditionUpdate {
        let Self::Known(known) = self else {
            return ConditionUpdate::new(PROTECTED, "Unknown", "PoliciesUnreadable", UNREADABLE);
        };
        let broken: Vec<_> = GUARANTEES.iter().filter_map(|promise| promise.broken(known)).collect();
        if broken.is_empty() {
            return ConditionUpdate::new(
                PROTECTED,
                "True",
                "PoliciesInForce",
                "Postern's admission policies are in force",
            );
        }
        let message = format!("not in force: {}. {NEXT}", broken.join("; "));
        ConditionUpdate::new(PROTECTED, "False", "PoliciesOff", message)
    }
}

const UNREADABLE: &str = "the operator can't list ValidatingAdmissionPolicies and their bindings, so it can't say \
    whether Postern's are in force: ask an admin of the cluster to give it that right";

const NEXT: &str = "Ask an admin of the cluster to set admissionPolicies.enabled, or to restore the chart's policies";

impl Guarantee {
    /// Which of its policies are off, and what that allows.
    fn broken(&self, known: &[(&'static str, Option<Disabled>)]) -> Option<String> {
        let of_it = known.iter().filter(|(name, _)| self.policies.contains(name));
        let off: Vec<_> = of_it.filter_map(|(name, off)| off.map(|off| format!("{name} ({off})"))).collect();
        (!off.is_empty()).then(|| format!("{}, so that {}", off.join(", "), self.otherwise))
    }
}

fn off(
    name: &str,
    policies: &[Arc<ValidatingAdmissionPolicy>],
    bindings: &[Arc<ValidatingAdmissionPolicyBinding>],
) -> Option<Disabled> {
    let policy = policies.iter().find(|policy| policy.name_any() == name);
    let Some(policy) = policy.and_then(|policy| policy.spec.as_ref()) else { return Some(Disabled::Missing) };
    // The default is Fail.
    if policy.failure_policy.as_ref().is_some_and(|on_failure| on_failure != "Fail") {
        return Some(Disabled::FailsOpen);
    }
    if policy.match_constraints.as_ref().is_some_and(leaves_out) {
        return Some(Disabled::Narrowed);
    }
    let bindings: Vec<_> =
        bindings.iter().map(|binding| &binding.spec).filter(|spec| spec.policy_name == name).collect();
    if bindings.is_empty() {
        return Some(Disabled::NotBound);
    }
    let denies = |binding: &&&ValidatingAdmissionPolicyBindingSpec| {
        binding.validation_actions.iter().any(|action| action == "Deny")
    };
    let denying: Vec<_> = bindings.iter().filter(denies).collect();
    if denying.is_empty() {
        return Some(Disabled::NotDenying);
    }
    let in_part = |rules: &MatchResources| leaves_out(rules) || !is_empty(rules.resource_rules.as_ref());
    let is_in_part = denying.iter().all(|binding| {
        binding.match_resources.as_ref().is_some_and(in_part)
            || policy.param_kind.is_some() && !binding.param_ref.as_ref().is_some_and(names_all_parameters)
    });
    is_in_part.then_some(Disabled::BoundInPart)
}

/// Whether the binding evaluates every parameter, and refuses a request when there is none.
fn names_all_parameters(parameters: &ParamRef) -> bool {
    let ParamRef { name, namespace, parameter_not_found_action, selector } = parameters;
    name.is_none()
        && namespace.is_none()
        && parameter_not_found_action.as_deref() == Some("Deny")
        && selector.as_ref().is_some_and(selects_all)
}

/// Whether the binding excludes something that the rules name.
fn leaves_out(rules: &MatchResources) -> bool {
    !rules.namespace_selector.as_ref().is_none_or(selects_all)
        || !rules.object_selector.as_ref().is_none_or(selects_all)
        || !is_empty(rules.exclude_resource_rules.as_ref())
}

fn selects_all(selector: &LabelSelector) -> bool {
    selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty) && is_empty(selector.match_expressions.as_ref())
}

fn is_empty<T>(list: Option<&Vec<T>>) -> bool {
    list.is_none_or(Vec::is_empty)
}

#[cfg(test)]
mod tests;
