//! How far the process has come, for readiness probes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How far the process has come. Clones share the same state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// The API server has not answered yet, or its CRDs are too old.
    Starting,
    /// Another process leads.
    Standby,
    /// This process leads, and its caches aren't filled yet.
    Filling,
    /// This process leads and reconciles.
    Leading,
}

impl Readiness {
    /// The API server answered, and serves what this operator needs.
    pub(crate) fn connected(&self) {
        self.reach(Step::Standby);
    }

    /// This process leads from now on.
    pub(crate) fn elected(&self) {
        self.reach(Step::Filling);
    }

    /// Every cache has been filled once.
    pub fn caches_filled(&self) {
        self.reach(Step::Leading);
    }

    /// The last step that was reached.
    #[must_use]
    pub fn step(&self) -> Step {
        match self.0.load(Ordering::Relaxed) {
            0 => Step::Starting,
            1 => Step::Standby,
            2 => Step::Filling,
            _ => Step::Leading,
        }
    }

    fn reach(&self, step: Step) {
        self.0.store(step as u8, Ordering::Relaxed);
    }
}
