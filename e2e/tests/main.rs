//! Tests on a real cluster.
//!
//! Most tests have their own namespace on the cluster that `POSTERN_CLUSTER` names ("test" when it isn't set). A test that
//! affects the whole cluster, or breaks it, starts a `DedicatedCluster`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod admission;
mod api;
mod argocd;
mod cluster;
mod install;
mod operator;
mod security;
mod sender;
