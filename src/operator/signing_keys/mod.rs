//! The signing keys that Postern makes for a schedule, and when each one begins and ends to sign.

pub(crate) mod backoff;
pub(crate) mod controller;
pub(crate) mod events;
pub(crate) mod key;
pub(crate) mod revocations;
pub(crate) mod rotation;
pub(crate) mod secret;
