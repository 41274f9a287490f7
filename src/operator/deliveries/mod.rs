//! What becomes of deliveries, read from their Jobs and pods. Pure.

pub(crate) mod history;
pub(crate) mod missed;
pub(crate) mod outcome;
pub(crate) mod reasons;
pub(crate) mod run;
pub(crate) mod spacing;
pub(crate) mod terms;
pub(crate) mod trigger;
