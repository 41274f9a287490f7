//! Limits for one-shot Jobs: how many a namespace may make in an hour, and how many may run at a time.

pub(crate) mod bucket;
pub(crate) mod fair;
