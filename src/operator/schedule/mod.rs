//! The schedules themselves: `observe → validate → build → apply → status`.

pub(crate) mod events;
pub(crate) mod observe;
pub(crate) mod reconcile;
pub(crate) mod starting;
pub(crate) mod status;
