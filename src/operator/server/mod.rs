//! The process as a server: its listeners, who gets their connections, and what ends a process that no longer works.

pub(crate) mod authorization;
pub(crate) mod certificate;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod metrics;
pub(crate) mod places;
pub(crate) mod readiness;
pub(crate) mod watchdog;
