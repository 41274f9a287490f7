//! Queues in which namespaces take turns, so that however much one of them wants, it keeps no other one waiting for more than
//! one turn. Only names wait, each once: what waits is bounded by what there is.
//!
//! What runs at the same time, and whether a namespace may have more of it, is decided by who takes from them.

mod round_robin;
mod work_queue;

pub(crate) use round_robin::RoundRobin;
pub(crate) use work_queue::WorkQueue;
