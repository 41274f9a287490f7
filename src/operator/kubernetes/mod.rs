//! What any operator needs for Kubernetes: writes, conditions, backoff, the Lease. It knows nothing about webhooks except their
//! types.

pub(crate) mod apply;
pub(crate) mod backoff;
pub(crate) mod condition;
pub(crate) mod consistency;
pub(crate) mod controller;
pub(crate) mod crd_check;
pub(crate) mod defaults;
pub(crate) mod digest;
pub(crate) mod events;
pub(crate) mod fair;
pub(crate) mod job;
pub(crate) mod leader_election;
pub(crate) mod lease;
pub(crate) mod limiter;
pub(crate) mod owner;
pub(crate) mod requeues;
pub(crate) mod server_version;
pub(crate) mod status;
pub(crate) mod text;
