//! The cluster's own addresses, in addition to the blocks that the admin names.

use std::net::IpAddr;

use super::api_server::ApiServer;

/// Addresses of the cluster itself, which may be public ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnAddresses {
    /// The API server's addresses.
    pub api_server: ApiServer,
    /// The addresses that the cluster gave to its load balancers, in order, 256 at most.
    pub load_balancers: Vec<IpAddr>,
}
