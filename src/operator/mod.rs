//! The operator: it turns a `WebhookSchedule` into a CronJob, and what the sender's pods report into status.
//!
//! The pipeline is `observe → validate → assess → apply → status → report`: read it in `schedule::reconcile`. [`validate`]
//! turns the written spec and its tier into a type that can't be wrong, and [`build`] turns that into objects; neither asks an
//! API server. Nothing here decides where a delivery may go (`egress`) or when it is due (`cron`), and nothing here ever reads
//! a Secret.
//!
//! Each of the seven controllers has a room: `schedule`, `signing_keys`, `preflight`, `early_jobs`, `isolation`, `tier` and
//! `cleanup`. `docs/architecture.md` says what the other rooms are for and who may import whom.

pub(crate) mod admission;
pub mod build;
pub(crate) mod cache;
pub(crate) mod cleanup;
pub(crate) mod controllers;
pub(crate) mod deliveries;
pub(crate) mod early_jobs;
pub(crate) mod isolation;
pub(crate) mod kubernetes;
pub mod manager;
pub mod metrics;
pub mod names;
pub(crate) mod preflight;
pub(crate) mod schedule;
pub(crate) mod server;
pub mod settings;
pub(crate) mod signing_keys;
#[cfg(test)]
pub(crate) mod test_support;
pub(crate) mod tier;
pub mod uninstall;
pub mod validate;

pub use controllers::run as run_controllers;
pub use kubernetes::crd_check::CrdError;
pub use kubernetes::leader_election::LeaseLost;
pub use server::readiness::{Readiness, Step};
