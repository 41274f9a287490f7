//! The process as a server: who holds its listeners' places, and what ends a process that no longer works.

#[cfg(test)]
pub(super) mod attack;
pub(super) mod places;
mod watchdog;

pub(crate) use watchdog::Watchdog;
