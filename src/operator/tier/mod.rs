//! Tiers: which namespace is in which, what it uses of it, and what the tier itself says in its status.

pub(crate) mod controller;
pub(crate) mod egress_rules;
pub(crate) mod membership;
pub mod quota;
