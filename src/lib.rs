//! Postern: scheduled webhooks for Kubernetes. Each webhook is one signed HTTPS request to a destination that was proved not to
//! be internal.
//!
//! `delivery`, `egress`, `sender`, `signing` and `values` know nothing about Kubernetes. The sender is built from them alone
//! (`--no-default-features`).

pub mod delivery;
pub mod egress;
pub mod sender;
pub mod signing;
pub mod values;

#[cfg(feature = "operator")]
pub mod api;
#[cfg(feature = "operator")]
pub mod cli;
#[cfg(feature = "operator")]
pub mod cron;
#[cfg(feature = "operator")]
pub mod operator;
