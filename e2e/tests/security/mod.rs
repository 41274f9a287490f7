//! What must not get out, what nobody has the right to do, and what tenants do on purpose to the operator and to each other.
//!
//! The guard against requests that are turned inward is in `sender::inward`, the policies are in `admission`.

mod flood;
mod leaks;
mod load_balancers;
mod memory;
mod rbac;
