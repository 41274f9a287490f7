//! Secrets that must not leak, rights that nobody must have, and what tenants do on purpose to the operator and to each other.
//!
//! `sender::inward` tests the guard against requests to internal addresses; `admission` tests the policies.

mod flood;
mod leaks;
mod load_balancers;
mod memory;
mod rbac;
