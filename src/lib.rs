//! Postern: scheduled webhooks for Kubernetes, each one signed HTTPS request to a destination that was proved not
//! to be internal.
//!
//! The modules below `operator` in the picture know nothing of Kubernetes; the sender is built from them alone
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
