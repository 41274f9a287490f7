//! Tiers: which namespace is in which tier, how much it uses, and the tier's own status.

pub(crate) mod controller;
pub(crate) mod egress_rules;
pub(crate) mod membership;
pub mod quota;
