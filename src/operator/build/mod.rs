//! Turns a valid schedule into the objects that carry it out, as values. Nothing here asks an API server.
//!
//! Every object is written out in full, with the values that the API server would fill in. So what is read back equals what was
//! built unless somebody changed it, and `apply` can detect that.

pub(crate) mod canary_job;
pub(crate) mod check_job;
pub(crate) mod cron_job;
pub(crate) mod early_job;
pub(crate) mod namespace;
pub(crate) mod network_policy;
pub(crate) mod pod;

pub use canary_job::canary_job;
pub use check_job::check_job;
pub use cron_job::{cron_job, triggered_job};
pub(crate) use early_job::early_job;
pub use namespace::{NamespaceChildren, namespace_children};

#[cfg(test)]
mod tests;
