//! The terms that deliveries must keep: what an accepted schedule asks for, and what its tier allows.

use jiff::tz::TimeZone;

use crate::api::ConcurrencyPolicy;
use crate::cron::Expression;

/// The terms of an accepted schedule. Times are Unix seconds.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// When it is due.
    pub(crate) expression: &'a Expression,
    /// The zone that the expression is read in.
    pub(crate) zone: &'a TimeZone,
    /// The zone's name, as the tenant wrote it.
    pub(crate) zone_name: &'a str,
    /// Whether the tenant paused it.
    pub(crate) suspended: bool,
    /// What happens when two deliveries would overlap.
    pub(crate) concurrency_policy: ConcurrencyPolicy,
    /// How late the controller begins a delivery, in seconds.
    pub(crate) deadline: i64,
    /// Seconds after its due time at which a regular delivery begins.
    pub(crate) spread: i64,
    /// The smallest gap that the tier allows, in seconds.
    pub(crate) min_interval: i64,
    /// When this operator last triggered a delivery.
    pub(crate) last_triggered: Option<i64>,
    /// When the first delivery may begin, at the earliest.
    pub(crate) not_before: Option<i64>,
    /// When the namespace's hour has room for one more delivery; `None` when its schedules take all of it.
    pub(crate) room_at: Option<i64>,
}
