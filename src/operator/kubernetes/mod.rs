//! What any operator needs of Kubernetes: writes, conditions, waits after failures, the Lease. Knows nothing of webhooks but
//! their types.

pub(crate) mod apply;
pub(crate) mod backoff;
pub(crate) mod condition;
pub(crate) mod consistency;
pub(crate) mod crd_check;
pub(crate) mod digest;
pub(crate) mod fair;
pub(crate) mod leader_election;
pub(crate) mod lease;
pub(crate) mod status;
pub(crate) mod text;
