//! What the operator does on a real cluster. In most tests it works only in the test's namespace; `cost`, `tier_status` and
//! `without_enforcement` have a cluster of their own.

mod children;
mod cost;
mod deliveries;
mod fields;
mod isolation;
mod keys;
mod never_ran;
mod on_the_dot;
mod overlaps;
mod preflight;
mod process;
mod restarts;
mod tier_status;
mod tiers;
mod triggers;
mod without_enforcement;
