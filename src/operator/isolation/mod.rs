//! Canaries: whether the senders of a namespace are proved to be isolated from the inside of the cluster.

pub(crate) mod controller;
pub(crate) mod policy_reach;
pub(crate) mod probes;
pub(crate) mod reported;
pub mod verdict;
pub(crate) mod verdicts;
