//! What a canary tries to reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::policy_reach::EgressPolicy;
use crate::delivery::{MAX_PROBES, Place, Probe, Probes};
use crate::operator::cache::api_server::ApiServer;
use crate::operator::settings::{OperatorAddresses, Settings};

const HTTPS: u16 = 443;
const KUBELET: u16 = 10_250;
const DNS: u16 = 53;
/// The port on which the name servers of most clusters serve metrics.
const DNS_METRICS: u16 = 9_153;
/// The addresses where clouds serve a node's credentials: by IPv4 and, in one cloud, by IPv6.
const CLOUD_METADATA: [&str; 2] = ["169.254.169.254:80", "[fd00:ec2::254]:80"];

/// The addresses that a sender must not reach, except those that the tier opens, and the addresses that it must reach. `here`
/// are the operator's own addresses.
pub(super) fn probes(
    own: &EgressPolicy<'_>,
    api_server: &ApiServer,
    settings: &Settings,
    here: &OperatorAddresses,
) -> Probes {
    let mut closed = Vec::new();
    let mut add = |place, ip: IpAddr, port: u16| {
        let address = SocketAddr::new(ip, port);
        let is_known = closed.iter().any(|probe: &Probe| probe.address == address);
        if !is_known && !own.opens(address) {
            closed.push(Probe { place, address });
        }
    };
    for address in api_server.service.iter().chain(&api_server.endpoints) {
        add(Place::ApiServer, address.ip(), address.port());
    }
    for node in &here.node_ips {
        add(Place::Kubelet, *node, KUBELET);
    }
    for endpoint in &api_server.endpoints {
        add(Place::Kubelet, endpoint.ip(), KUBELET);
    }
    for server in &settings.name_servers {
        add(Place::NameServer, *server, HTTPS);
        add(Place::NameServer, *server, DNS_METRICS);
    }
    for metadata in CLOUD_METADATA.iter().filter_map(|address| address.parse::<SocketAddr>().ok()) {
        add(Place::CloudMetadata, metadata.ip(), metadata.port());
    }
    for pod in &here.pod_ips {
        // The operator's NetworkPolicy opens only this port. If another port were closed, that would prove nothing about the
        // senders' policy.
        add(Place::OtherPod, *pod, settings.metrics.address.port());
    }
    for block in &settings.cluster_cidrs {
        add(Place::ClusterBlock, first(*block), HTTPS);
        add(Place::ClusterBlock, first(*block), KUBELET);
    }
    let open: Vec<_> = settings.name_servers.iter().map(|ip| SocketAddr::new(*ip, DNS)).collect();
    closed.truncate(MAX_PROBES.saturating_sub(open.len()));
    Probes { version: Probes::VERSION, closed, open }
}

/// The first address of a block that a host may have: often that of the API server's Service, a node or a router.
fn first(block: IpNet) -> IpAddr {
    match block.network() {
        // The network address isn't a host's, unless the block is too small for others.
        IpAddr::V4(ip) if block.prefix_len() < 31 => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() + 1)),
        IpAddr::V6(ip) if block.prefix_len() < 127 => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() + 1)),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Rules;
    use crate::operator::build::namespace_children;
    use crate::operator::test_support::objects::settings;

    /// What a canary tries in a namespace whose tier allows these blocks.
    fn tried(allowed: &[&str]) -> Vec<String> {
        let here =
            OperatorAddresses { pod_ips: vec![[10, 244, 0, 7].into()], node_ips: vec![[192, 168, 77, 10].into()] };
        let settings = settings();
        let api_server = ApiServer {
            service: vec!["10.96.0.1:443".parse().unwrap()],
            endpoints: vec!["198.51.100.7:6443".parse().unwrap()],
        };
        let allowed_cidrs = allowed.iter().map(|net| net.parse().unwrap()).collect();
        let rules = Rules { denied_cidrs: settings.cluster_cidrs.clone(), allowed_cidrs, ..Rules::default() };
        let policy = namespace_children("team-a", &rules, &settings).network_policy.spec.unwrap();
        let probes = probes(&EgressPolicy::of(&policy), &api_server, &settings, &here);
        assert_eq!(probes.open, ["10.96.0.10:53".parse().unwrap()]);
        probes.closed.iter().map(|probe| format!("{} {:?}", probe.address, probe.place)).collect()
    }

    #[test]
    fn a_canary_tries_what_is_inside_each_address_once() {
        assert_eq!(
            tried(&[]),
            [
                "10.96.0.1:443 ApiServer",
                "198.51.100.7:6443 ApiServer",
                "192.168.77.10:10250 Kubelet",
                "198.51.100.7:10250 Kubelet",
                "10.96.0.10:443 NameServer",
                "10.96.0.10:9153 NameServer",
                "169.254.169.254:80 CloudMetadata",
                "[fd00:ec2::254]:80 CloudMetadata",
                "10.244.0.7:8443 OtherPod",
                "10.244.0.1:443 ClusterBlock",
                "10.244.0.1:10250 ClusterBlock",
                "10.96.0.1:10250 ClusterBlock",
                "[fd00:244::1]:443 ClusterBlock",
                "[fd00:244::1]:10250 ClusterBlock",
                "198.51.100.1:443 ClusterBlock",
                "198.51.100.1:10250 ClusterBlock",
            ]
        );
    }

    #[test]
    fn what_the_tier_allows_is_not_tried() {
        let tried = tried(&["10.244.0.0/16"]);
        assert!(!tried.contains(&"10.244.0.1:443 ClusterBlock".to_owned()), "{tried:?}");
        assert!(tried.contains(&"10.244.0.1:10250 ClusterBlock".to_owned()), "{tried:?}");
    }
}
