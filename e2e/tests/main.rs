//! What is true on a real cluster.
//!
//! Every test has a namespace of its own on the cluster that `POSTERN_CLUSTER` names ("test" when it isn't set), or clusters
//! of its own: those are in `alone`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod alone;
mod api;
mod cluster_promises;
mod install;
mod operator;
mod operator_process;
mod sender_checking;
mod sender_inward;
mod sender_pod;
mod sender_receivers;
mod sender_resolving;
