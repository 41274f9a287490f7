//! The signing keys that Postern makes for a schedule, and when each begins and ends.

pub(crate) mod keeper;
pub(crate) mod key;
pub(crate) mod rotation;
