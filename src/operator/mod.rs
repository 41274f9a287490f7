//! The operator: a `WebhookSchedule` becomes a CronJob, and what its pods say becomes status.
//!
//! The pipeline is `dereference → validate → build → apply → status`. What stands here so far are its two pure steps:
//! [`validate`] turns what was written, with the tier that it falls under, into a type that can't be wrong, and [`build`]
//! turns that into objects. Neither asks an API server, and nothing here decides where a delivery may go (`egress`) or
//! when it is due (`cron`).

mod apply;
pub mod build;
mod controller;
mod dereference;
pub mod names;
mod outcomes;
mod reconcile;
pub mod settings;
mod status;
pub mod validate;

#[cfg(test)]
mod testdata;

pub use controller::run;
