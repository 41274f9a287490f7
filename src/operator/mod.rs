//! The operator: a `WebhookSchedule` becomes a CronJob, and what its pods say becomes status.
//!
//! The pipeline is `dereference → validate → record → build → apply → status`; `reconcile` is where it can be read in one
//! screen. [`validate`] turns what was written, with the tier that it falls under, into a type that can't be wrong, and
//! [`build`] turns that into objects: neither asks an API server. Nothing here decides where a delivery may go (`egress`)
//! or when it is due (`cron`), and nothing here ever reads a Secret.
//!
//! [`process`] is what runs in a pod: the pipeline in whichever process leads (`leader`), probes (`health`) and
//! [`metrics`] in each.

pub mod api_server;
mod apply;
mod bounded;
pub mod build;
mod cache;
mod caches;
mod checking;
mod controller;
mod crd_check;
mod dereference;
mod digest;
mod events;
mod fact;
mod fair;
mod health;
mod http;
mod isolating;
pub mod isolation;
mod keys;
mod leader;
mod load_balancers;
mod lock;
mod membership;
pub mod metrics;
mod missed;
pub mod names;
mod outcomes;
pub mod own_addresses;
mod pace;
pub mod preflight;
pub mod process;
mod protection;
mod prune;
pub mod quotas;
mod readiness;
mod reconcile;
mod record;
mod retry;
mod running;
mod saved;
pub(crate) mod server;
pub mod settings;
mod starting;
mod status;
mod sweep;
mod tiers;
mod trigger;
pub mod uninstall;
mod unlisted;
pub mod validate;
mod watches;
mod written;

#[cfg(test)]
mod fake_api;
#[cfg(test)]
mod testdata;

pub use controller::run as run_controllers;
pub use crd_check::CrdError;
pub use leader::LeaseLost;
pub use readiness::{Readiness, Step};
