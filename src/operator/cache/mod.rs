//! What watches read from the API server, within bounds: tenants decide how much they write, and not how much of it is kept.

mod bounded;
mod crowd;
mod lean;
mod texts;

pub(super) use bounded::{Cut, Rules};
pub(super) use crowd::{Crowds, MOST};
pub(super) use lean::{Lean, needed};
pub(super) use texts::{MOST_BYTES, Texts};
