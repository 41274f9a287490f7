//! Where a NetworkPolicy lets senders go. Policies add up: what one of them opens, none of the others closes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::operator::names;

/// The port of name servers. Senders may ask them, so a policy that opens this port alone adds nothing.
const DNS: i32 = 53;
/// Blocks of another policy that are looked at, those that it takes out of others counted.
const MAX_BLOCKS: usize = 100;

/// What the senders' own policy opens and closes, by address.
pub(super) struct Own<'a> {
    rules: &'a [NetworkPolicyEgressRule],
    /// Blocks that it opens, and what is taken out of each: the world's, and those that the tier allows.
    blocks: Vec<(IpNet, Vec<IpNet>)>,
}

impl<'a> Own<'a> {
    pub(super) fn of(spec: &'a NetworkPolicySpec) -> Self {
        let rules = spec.egress.as_deref().unwrap_or_default();
        let of_deliveries = rules.iter().filter(|rule| !is_dns(rule.ports.as_deref().unwrap_or_default()));
        let blocks = of_deliveries.flat_map(ip_blocks).filter_map(read).collect();
        Self { rules, blocks }
    }

    /// Whether the policy itself lets senders there.
    pub(super) fn opens(&self, to: SocketAddr) -> bool {
        let port = |rule: &NetworkPolicyEgressRule| {
            let ports = rule.ports.as_deref().unwrap_or_default();
            ports.iter().any(|port| port.port == Some(IntOrString::Int(to.port().into())))
        };
        let address = |block: &IPBlock| {
            let opens = |(cidr, except): (IpNet, Vec<IpNet>)| {
                cidr.contains(&to.ip()) && !except.iter().any(|except| except.contains(&to.ip()))
            };
            read(block).is_some_and(opens)
        };
        self.rules.iter().any(|rule| port(rule) && ip_blocks(rule).any(address))
    }

    /// Whether another policy lets senders where this one doesn't.
    pub(super) fn is_widened_by(&self, other: &NetworkPolicy) -> bool {
        let Some(spec) = &other.spec else { return false };
        let rules = spec.egress.iter().flatten();
        may_let_out(spec) && rules.into_iter().any(|rule| self.is_wider(rule))
    }

    fn is_wider(&self, rule: &NetworkPolicyEgressRule) -> bool {
        if is_dns(rule.ports.as_deref().unwrap_or_default()) {
            return false;
        }
        match rule.to.as_deref().unwrap_or_default() {
            [] => true,
            // Pods are inside, wherever they are.
            peers => peers.iter().any(|peer| peer.ip_block.as_ref().is_none_or(|block| self.is_inward(block))),
        }
    }

    /// Whether a block holds anything that the own policy closes.
    fn is_inward(&self, block: &IPBlock) -> bool {
        let Some((cidr, except)) = read(block) else { return true };
        let except = IpNet::aggregate(&except);
        let is_taken_out = |net: &IpNet| except.iter().any(|out| out.contains(net));
        // What of a block that the own policy opens, and this one too, is taken out of the one and not of the other.
        let is_opened_by = |(own, closed): &(IpNet, Vec<IpNet>)| {
            let common = closed.iter().filter_map(|closed| overlap(closed, &cidr));
            own.contains(&cidr) && common.into_iter().all(|net| is_taken_out(&net) || self.is_opened(&net))
        };
        !self.blocks.iter().any(is_opened_by)
    }

    /// Whether the own policy opens all of a block by one of its own.
    fn is_opened(&self, net: &IpNet) -> bool {
        let opens = |(own, closed): &(IpNet, Vec<IpNet>)| {
            own.contains(net) && !closed.iter().any(|closed| overlap(closed, net).is_some())
        };
        self.blocks.iter().any(opens)
    }
}

/// What another policy may open to senders, in few words and as [`Own::is_widened_by`] sees it; `None` when it is nothing.
/// More blocks than [`MAX_BLOCKS`] count as everything.
pub(crate) fn what_it_opens(spec: &NetworkPolicySpec) -> Option<NetworkPolicySpec> {
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

/// Whether a policy is one of egress and may be one of senders.
fn may_let_out(spec: &NetworkPolicySpec) -> bool {
    let is_of_egress = match spec.policy_types.as_deref() {
        None | Some([]) => spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()),
        Some(types) => types.iter().any(|of| of == "Egress"),
    };
    is_of_egress && may_select(spec.pod_selector.as_ref())
}

/// The smaller of two blocks that overlap: one of them lies within the other.
fn overlap(one: &IpNet, other: &IpNet) -> Option<IpNet> {
    if one.contains(other) { Some(*other) } else { other.contains(one).then_some(*one) }
}

fn ip_blocks(rule: &NetworkPolicyEgressRule) -> impl Iterator<Item = &IPBlock> {
    rule.to.iter().flatten().filter_map(|peer| peer.ip_block.as_ref())
}

/// The API server admits no other blocks than such as can be read.
fn read(block: &IPBlock) -> Option<(IpNet, Vec<IpNet>)> {
    let except = block.except.iter().flatten().filter_map(|net| net.parse().ok());
    Some((block.cidr.parse().ok()?, except.collect()))
}

fn is_dns(ports: &[NetworkPolicyPort]) -> bool {
    let is_dns = |port: &NetworkPolicyPort| {
        port.port == Some(IntOrString::Int(DNS)) && port.end_port.is_none_or(|end| end == DNS)
    };
    !ports.is_empty() && ports.iter().all(is_dns)
}

/// Whether a selector selects a sender's pod, or may: some labels of a pod are its Job's and its schedule's.
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
        // A newer API server's.
        _ => true,
    }
}

fn may_be_in(labels: &BTreeMap<String, String>, key: &str, values: &[String]) -> bool {
    labels.get(key).map_or_else(|| varies(key), |value| values.contains(value))
}

/// Whether a sender's pod has a label of this key whose value is one of its own.
fn varies(key: &str) -> bool {
    const BY_JOB: [&str; 4] =
        ["batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"];
    key == names::SCHEDULE_LABEL || key == names::CANARY_LABEL || BY_JOB.contains(&key)
}

#[cfg(test)]
mod tests;
