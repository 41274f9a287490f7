//! Checks: a sender validates a delivery before it is due, and again after the spec changes.

pub(crate) mod controller;
pub(crate) mod jobs;
pub(crate) mod obstacles;
pub(crate) mod patience;
pub(crate) mod repeats;
pub mod state;
