//! Queues in which namespaces take turns: however much one namespace queues, others wait for no more than one of its turns.
//! Only names are queued, each once, so the length of a queue is bounded by the number of objects.
//!
//! The users of a queue decide how much runs at the same time, and whether a namespace may have more of it.

mod round_robin;
mod work_queue;

pub(crate) use round_robin::RoundRobin;
pub(crate) use work_queue::{Name, WorkQueue, name_of, object_of};
