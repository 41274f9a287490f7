//! The schedules themselves: `observe → validate → assess → apply → status → report`.

pub(crate) mod apply;
pub(crate) mod assess;
pub(crate) mod context;
pub(crate) mod controller;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod observe;
pub(crate) mod reconcile;
pub(crate) mod report;
pub(crate) mod status;
