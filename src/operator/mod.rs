//! The operator: a `WebhookSchedule` becomes a CronJob, and what its pods say becomes status.
//!
//! The pipeline is `dereference → validate → build → apply → status`; `reconcile` is where it can be read in one
//! screen. [`validate`] turns what was written, with the tier that it falls under, into a type that can't be wrong, and
//! [`build`] turns that into objects: neither asks an API server. Nothing here decides where a delivery may go (`egress`)
//! or when it is due (`cron`), and nothing here ever reads a Secret.

mod apply;
pub mod build;
mod controller;
mod dereference;
mod events;
mod missed;
pub mod names;
mod outcomes;
mod reconcile;
mod record;
mod retry;
pub mod settings;
mod status;
mod sweep;
mod trigger;
pub mod validate;
mod watches;

#[cfg(test)]
mod testdata;

pub use controller::run;
