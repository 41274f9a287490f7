//! Where a NetworkPolicy lets senders go. Policies are additive: what one of them opens, no other can close.

use std::net::SocketAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::operator::cache::prune::foreign_policy::{is_dns, may_let_out};

/// What the senders' own policy opens and closes, by address.
pub(super) struct EgressPolicy<'a> {
    rules: &'a [NetworkPolicyEgressRule],
    /// The blocks that it opens, each with its exceptions: the world, and the blocks that the tier allows.
    blocks: Vec<(IpNet, Vec<IpNet>)>,
}

impl<'a> EgressPolicy<'a> {
    pub(super) fn of(spec: &'a NetworkPolicySpec) -> Self {
        let rules = spec.egress.as_deref().unwrap_or_default();
        let of_deliveries = rules.iter().filter(|rule| !is_dns(rule.ports.as_deref().unwrap_or_default()));
        let blocks = of_deliveries.flat_map(ip_blocks).filter_map(read).collect();
        Self { rules, blocks }
    }

    /// Whether the policy itself lets senders reach an address.
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

    /// Whether another policy lets senders reach anything that this one closes.
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
            // Pods are inside the cluster, whatever their address.
            peers => peers.iter().any(|peer| peer.ip_block.as_ref().is_none_or(|block| self.is_inward(block))),
        }
    }

    /// Whether a block contains anything that the senders' own policy closes.
    fn is_inward(&self, block: &IPBlock) -> bool {
        let Some((cidr, except)) = read(block) else { return true };
        let except = IpNet::aggregate(&except);
        let is_taken_out = |net: &IpNet| except.iter().any(|out| out.contains(net));
        // Both the senders' own policy and the other one may open the block: the exceptions of the own one must be exceptions
        // of the other, or be opened by the own one elsewhere.
        let is_opened_by = |(own, closed): &(IpNet, Vec<IpNet>)| {
            let common = closed.iter().filter_map(|closed| overlap(closed, &cidr));
            own.contains(&cidr) && common.into_iter().all(|net| is_taken_out(&net) || self.is_opened(&net))
        };
        !self.blocks.iter().any(is_opened_by)
    }

    /// Whether one block of the own policy opens all of this block.
    fn is_opened(&self, net: &IpNet) -> bool {
        let opens = |(own, closed): &(IpNet, Vec<IpNet>)| {
            own.contains(net) && !closed.iter().any(|closed| overlap(closed, net).is_some())
        };
        self.blocks.iter().any(opens)
    }
}

/// The smaller of two blocks that overlap: one of them lies within the other.
fn overlap(one: &IpNet, other: &IpNet) -> Option<IpNet> {
    if one.contains(other) { Some(*other) } else { other.contains(one).then_some(*one) }
}

fn ip_blocks(rule: &NetworkPolicyEgressRule) -> impl Iterator<Item = &IPBlock> {
    rule.to.iter().flatten().filter_map(|peer| peer.ip_block.as_ref())
}

/// Parses a block. The API server admits only blocks that can be parsed.
fn read(block: &IPBlock) -> Option<(IpNet, Vec<IpNet>)> {
    let except = block.except.iter().flatten().filter_map(|net| net.parse().ok());
    Some((block.cidr.parse().ok()?, except.collect()))
}

#[cfg(test)]
mod tests;
