//! The parts of another's NetworkPolicy that can affect senders: policies are additive, so what one of them opens, no other can
//! close.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::operator::names;

/// The port of name servers. Senders may query them, so a policy that opens only this port adds nothing.
const DNS: i32 = 53;
/// How many blocks of another policy are looked at, exceptions included.
const MAX_BLOCKS: usize = 100;

/// What another policy may open to senders, in a short form that the isolation proof reads; `None` when it opens nothing. More
/// blocks than [`MAX_BLOCKS`] count as everything.
pub(super) fn what_it_opens(spec: &NetworkPolicySpec) -> Option<NetworkPolicySpec> {
    let rules = spec.egress.iter().flatten();
    let rules: Vec<_> = rules.filter(|rule| !is_dns(rule.ports.as_deref().unwrap_or_default())).collect();
    if !may_let_out(spec) || rules.is_empty() {
        return None;
    }
    let peers = || rules.iter().flat_map(|rule| rule.to.iter().flatten());
    let blocks: Vec<_> = peers().filter_map(|peer| peer.ip_block.as_ref()).collect();
    let size: usize = blocks.iter().map(|block| 1 + block.except.as_ref().map_or(0, Vec::len)).sum();
    let is_all = rules.iter().any(|rule| rule.to.as_ref().is_none_or(Vec::is_empty));
    let is_known = !is_all && blocks.len() == peers().count() && size <= MAX_BLOCKS;
    let peer = |block: &IPBlock| NetworkPolicyPeer { ip_block: Some(block.clone()), ..NetworkPolicyPeer::default() };
    let to = is_known.then(|| blocks.into_iter().map(peer).collect());
    Some(NetworkPolicySpec {
        egress: Some(vec![NetworkPolicyEgressRule { ports: None, to }]),
        ingress: None,
        pod_selector: None,
        policy_types: Some(vec!["Egress".into()]),
    })
}

/// Whether a policy applies to egress and may select senders.
pub(crate) fn may_let_out(spec: &NetworkPolicySpec) -> bool {
    let is_of_egress = match spec.policy_types.as_deref() {
        None | Some([]) => spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()),
        Some(types) => types.iter().any(|of| of == "Egress"),
    };
    is_of_egress && may_select(spec.pod_selector.as_ref())
}

/// Whether these are only the ports of name servers.
pub(crate) fn is_dns(ports: &[NetworkPolicyPort]) -> bool {
    let is_dns = |port: &NetworkPolicyPort| {
        port.port == Some(IntOrString::Int(DNS)) && port.end_port.is_none_or(|end| end == DNS)
    };
    !ports.is_empty() && ports.iter().all(is_dns)
}

/// Whether a selector selects a sender's pod, or may select one: some labels of a pod depend on its Job and its schedule.
fn may_select(selector: Option<&LabelSelector>) -> bool {
    let Some(LabelSelector { match_labels, match_expressions }) = selector else { return true };
    let labels = names::sender_labels();
    let pairs = match_labels.iter().flatten().all(|(key, value)| may_be_in(&labels, key, std::slice::from_ref(value)));
    pairs && match_expressions.iter().flatten().all(|requirement| may_meet(&labels, requirement))
}

fn may_meet(labels: &BTreeMap<String, String>, requirement: &LabelSelectorRequirement) -> bool {
    let LabelSelectorRequirement { key, operator, values } = requirement;
    let values = values.as_deref().unwrap_or_default();
    match operator.as_str() {
        "In" => may_be_in(labels, key, values),
        "NotIn" => labels.get(key).is_none_or(|value| !values.contains(value)),
        "Exists" => labels.contains_key(key) || varies(key),
        "DoesNotExist" => !labels.contains_key(key),
        // An operator that only a newer API server knows.
        _ => true,
    }
}

fn may_be_in(labels: &BTreeMap<String, String>, key: &str, values: &[String]) -> bool {
    labels.get(key).map_or_else(|| varies(key), |value| values.contains(value))
}

/// Whether the value of this label differs between senders' pods.
fn varies(key: &str) -> bool {
    const BY_JOB: [&str; 4] =
        ["batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"];
    key == names::SCHEDULE_LABEL || key == names::CANARY_LABEL || BY_JOB.contains(&key)
}
