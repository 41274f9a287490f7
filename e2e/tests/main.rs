//! What is true on a real cluster.
//!
//! Every test has a namespace of its own on the cluster that `POSTERN_CLUSTER` names ("test" when it isn't set), or a
//! cluster of its own where it breaks one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod admission;
mod api;
mod cluster_lifecycle;
mod cluster_promises;
mod cost;
mod install;
mod installed;
mod isolation;
mod leaks;
mod operator;
mod operator_process;
mod sender_checking;
mod sender_inward;
mod sender_pod;
mod sender_receivers;
mod sender_resolving;
mod tier_status;
