//! Whether the admission policies that protect schedules are in force.

pub(crate) mod status;
pub(crate) mod watch;
