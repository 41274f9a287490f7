//! What is the cluster's own beside the blocks that the admin names.

use std::net::IpAddr;

use super::api_server::ApiServer;

/// Addresses of the cluster itself, which may be public ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnAddresses {
    /// Where the API server is.
    pub api_server: ApiServer,
    /// What the cluster gave its load balancers, in order, 256 at most.
    pub load_balancers: Vec<IpAddr>,
}
