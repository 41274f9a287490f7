//! The NetworkPolicy of senders: it blocks the same addresses as the guard, one layer below.
//!
//! A NetworkPolicy can't see the IPv4 addresses that are embedded in IPv6 ones, so only the guard checks those.

use ipnet::{IpNet, Ipv4Net};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::egress::Rules;
use crate::egress::registry::{GLOBAL_UNICAST, blocks};
use crate::operator::names;
use crate::operator::settings::Settings;

/// All IPv4 addresses.
const ALL_IPV4: Ipv4Net = Ipv4Net::new_assert(std::net::Ipv4Addr::UNSPECIFIED, 0);

/// Opens name servers on port 53; and on the tier's ports, the world and the tier's own blocks. It allows no ingress.
pub(super) fn network_policy(rules: &Rules, settings: &Settings) -> NetworkPolicySpec {
    let denied = &rules.denied_cidrs;
    let mut peers: Vec<NetworkPolicyPeer> = [IpNet::V4(ALL_IPV4), IpNet::V6(GLOBAL_UNICAST)]
        .into_iter()
        .map(|world| peer(world, &minimal(blocks().map(|block| block.net).chain(denied.iter().copied()), world)))
        .collect();
    // As in the guard, the more specific block wins.
    peers.extend(rules.allowed_cidrs.iter().map(|allowed| {
        let inside = denied.iter().copied().filter(|own| own.prefix_len() > allowed.prefix_len());
        peer(*allowed, &minimal(inside, *allowed))
    }));
    NetworkPolicySpec {
        pod_selector: Some(LabelSelector { match_labels: Some(names::sender_labels()), match_expressions: None }),
        policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
        ingress: None,
        egress: Some(vec![
            name_servers(settings),
            NetworkPolicyEgressRule { ports: Some(ports(rules)), to: Some(peers) },
        ]),
    }
}

fn name_servers(settings: &Settings) -> NetworkPolicyEgressRule {
    // Most engines see the address of the pod behind a Service, not the Service's own address.
    let behind = settings.name_server_pods.iter().map(|pods| NetworkPolicyPeer {
        namespace_selector: Some(pods.namespace_selector.clone()),
        pod_selector: Some(pods.pod_selector.clone()),
        ip_block: None,
    });
    let named = settings.name_servers.iter().map(|ip| peer(IpNet::from(*ip), &[]));
    NetworkPolicyEgressRule {
        ports: Some(vec![port(53, "UDP"), port(53, "TCP")]),
        to: Some(named.chain(behind).collect()),
    }
}

fn ports(rules: &Rules) -> Vec<NetworkPolicyPort> {
    let mut numbers: Vec<u16> = std::iter::once(443).chain(rules.allowed_ports.iter().copied()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().map(|number| port(number, "TCP")).collect()
}

fn port(number: u16, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort { port: Some(IntOrString::Int(number.into())), protocol: Some(protocol.into()), end_port: None }
}

fn peer(cidr: IpNet, except: &[IpNet]) -> NetworkPolicyPeer {
    let except = (!except.is_empty()).then(|| except.iter().map(ToString::to_string).collect());
    NetworkPolicyPeer { ip_block: Some(IPBlock { cidr: cidr.to_string(), except }), ..NetworkPolicyPeer::default() }
}

/// The smallest sorted list of blocks that covers what lies inside `world`.
fn minimal(nets: impl Iterator<Item = IpNet>, world: IpNet) -> Vec<IpNet> {
    let inside: Vec<IpNet> = nets.map(|net| net.trunc()).filter(|net| *net != world && world.contains(net)).collect();
    IpNet::aggregate(&inside)
}
