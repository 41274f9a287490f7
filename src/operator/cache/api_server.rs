//! The addresses of the API server: its Service and `EndpointSlice`s, named `kubernetes` in the namespace `default`.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::indexed::Indexed;

/// The namespace of the API server's Service.
pub(crate) const NAMESPACE: &str = "default";
/// The field selector of the Service.
pub(crate) const SERVICE: &str = "metadata.name=kubernetes";
/// The label selector value of its `EndpointSlice`s.
pub(crate) const SLICES: &str = "kubernetes.io/service-name=kubernetes";
/// The name of the port on both.
const PORT: &str = "https";

/// The caches of both.
#[derive(Clone)]
pub(crate) struct ApiServerStores {
    pub(crate) service: Indexed<Service>,
    pub(crate) slices: Indexed<EndpointSlice>,
}

/// The API server's addresses, in order. They may be public ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiServer {
    /// The addresses of its Service.
    pub service: Vec<SocketAddr>,
    /// The addresses behind the Service.
    pub endpoints: Vec<SocketAddr>,
}

impl ApiServerStores {
    pub(crate) async fn ready(&self) {
        self.service.wait_until_filled().await;
        self.slices.wait_until_filled().await;
    }

    /// The API server's addresses now.
    pub(crate) fn now(&self) -> ApiServer {
        let (services, slices) = (self.service.all(), self.slices.all());
        ApiServer {
            service: in_order(services.flat_map(|service| of_service(&service)).collect()),
            endpoints: in_order(slices.flat_map(|slice| of_slice(&slice)).collect()),
        }
    }
}

impl ApiServer {
    /// All of its addresses, as blocks.
    #[must_use]
    pub fn blocks(&self) -> Vec<IpNet> {
        let all = self.service.iter().chain(&self.endpoints);
        in_order(all.map(|address| IpNet::from(address.ip())).collect())
    }
}

fn of_service(service: &Service) -> Vec<SocketAddr> {
    let Some(spec) = &service.spec else { return Vec::new() };
    let ports = spec.ports.iter().flatten().filter(|port| port.name.as_deref() == Some(PORT));
    let ports: Vec<i32> = ports.map(|port| port.port).collect();
    addresses(spec.cluster_ips.iter().flatten(), &ports)
}

fn of_slice(slice: &EndpointSlice) -> Vec<SocketAddr> {
    let ports = slice.ports.iter().flatten().filter(|port| port.name.as_deref() == Some(PORT));
    let ports: Vec<i32> = ports.filter_map(|port| port.port).collect();
    addresses(slice.endpoints.iter().flatten().flat_map(|endpoint| &endpoint.addresses), &ports)
}

/// Each address with each port. `None`, the address of a headless Service, is left out.
fn addresses<'a>(ips: impl Iterator<Item = &'a String>, ports: &[i32]) -> Vec<SocketAddr> {
    let ips = ips.filter_map(|ip| ip.parse::<IpAddr>().ok());
    let ports: Vec<u16> = ports.iter().filter_map(|port| u16::try_from(*port).ok()).collect();
    ips.flat_map(|ip| ports.iter().map(move |port| SocketAddr::new(ip, *port)).collect::<Vec<_>>()).collect()
}

fn in_order<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_address_of_the_service_and_of_every_slice_is_known() {
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": "kubernetes", "namespace": "default"},
            "spec": {"clusterIPs": ["10.96.0.1", "fd00:96::1"], "ports": [
                {"name": "https", "port": 443}, {"name": "other", "port": 1},
            ]},
        }))
        .unwrap();
        let slice = |name: &str, ips: &[&str]| -> EndpointSlice {
            serde_json::from_value(json!({
                "metadata": {"name": name, "namespace": "default"},
                "addressType": "IPv4", "ports": [{"name": "https", "port": 6443}],
                "endpoints": ips.iter().map(|ip| json!({"addresses": [ip]})).collect::<Vec<_>>(),
            }))
            .unwrap()
        };
        let slices = vec![slice("a", &["198.51.100.7", "192.0.2.1"]), slice("b", &["198.51.100.7"])];
        let api_server = ApiServerStores { service: Indexed::of(vec![service]), slices: Indexed::of(slices) }.now();
        assert_eq!(api_server.service, ["10.96.0.1:443".parse().unwrap(), "[fd00:96::1]:443".parse().unwrap()]);
        assert_eq!(api_server.endpoints, ["192.0.2.1:6443".parse().unwrap(), "198.51.100.7:6443".parse().unwrap()]);
        let blocks: Vec<_> = api_server.blocks().iter().map(ToString::to_string).collect();
        assert_eq!(blocks, ["10.96.0.1/32", "192.0.2.1/32", "198.51.100.7/32", "fd00:96::1/128"]);
    }
}
