//! Whether the admission policies that protect schedules are in force.

pub(crate) mod seen;
pub(crate) mod status;
