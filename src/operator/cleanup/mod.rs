//! Removes what belongs to no schedule any more.

pub(crate) mod controller;
