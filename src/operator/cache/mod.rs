//! What watches read from the API server, within bounds: tenants decide how much they write, but not how much of it is kept.

pub mod api_server;
pub(crate) mod bounded;
pub(crate) mod caches;
pub(crate) mod crowd;
pub(crate) mod deleted_jobs;
pub(crate) mod indexed;
pub(crate) mod lean;
pub(crate) mod load_balancers;
pub(crate) mod oldest;
pub mod own_addresses;
mod packed;
pub(crate) mod prune;
mod recent;
pub(crate) mod texts;
pub(crate) mod unlisted;
pub(crate) mod watches;
pub(crate) mod work_queues;

pub(crate) use bounded::{Cut, Rules};
pub(crate) use crowd::{Crowds, MOST};
pub(crate) use lean::{Lean, needed};
pub(crate) use oldest::{MOST_SCHEDULES, Oldest};
pub(crate) use texts::{MOST_BYTES, Texts};
