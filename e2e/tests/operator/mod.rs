//! What the operator does on a real cluster. Each test has an operator of its own, which works in the test's namespace alone.

mod children;
mod deliveries;
mod fields;
mod isolation;
mod keys;
mod never_ran;
mod overlaps;
mod preflight;
mod protection;
mod restarts;
mod tiers;
mod triggers;
