//! How the tests reach a cluster: its networks, its API server, its pods, the DNS of its internet. Nothing here knows
//! Postern; it serves the tests of every feature.

mod cluster;
mod internet;
mod network;
mod pod;
mod wait;

pub use cluster::{Cluster, dir_of, on_cluster, pid_of};
pub use internet::{DnsAnswer, Host};
use network::Network;
pub use pod::Pod;
pub use wait::eventually;
