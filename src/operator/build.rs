//! From a valid schedule to the objects that carry it out, as values. Nothing here asks an API server.
//!
//! Every object is written out in full, with the values that the API server would fill in: so what is read back equals
//! what was built unless somebody changed it, and `apply` can tell.

mod canary_job;
mod check_job;
mod cron_job;
mod namespace;
mod network_policy;
mod pod;

pub use canary_job::canary_job;
pub use check_job::check_job;
pub use cron_job::{KEPT_JOBS, cron_job, triggered_job};
pub use namespace::{NamespaceChildren, namespace_children};
pub use pod::CONTAINER as SENDER_CONTAINER;

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
