//! How tests, benches and the demo reach a cluster: its networks, its DNS, the hosts of its internet, its commands.
//!
//! This part needs no Kubernetes client, and the demo is built without one. The feature `kubernetes`, which is on by default,
//! adds [`Cluster`], with which tests use the API server, pods, tenants and operators.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that can't go on fails, and says where"
)]
#![allow(clippy::must_use_candidate, reason = "tests alone call it")]

mod handle;
mod internet;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod network;
mod repository;
mod wait;

pub use handle::ClusterHandle;
pub use internet::{DnsAnswer, Host};
#[cfg(feature = "kubernetes")]
pub use kubernetes::*;
pub use network::Network;
pub use postern_e2e_receiver::{self as receiver, Certificates, OK, Receiver, Stream};
pub use repository::{program, repository};
pub use wait::eventually;
