//! The parts that schedules take, as bytes: so few for each that 10,000 of them leave a ConfigMap two thirds empty.

use std::collections::BTreeMap;

use super::{MOST_PARTS, Unreadable};
use crate::operator::kubernetes::digest::number_of;

/// The bytes of one schedule: its id, the hash of its expression, what it takes, since when, and its last delivery, all
/// big-endian. Times are Unix seconds, until 2106; 0 is none.
pub(super) const SIZE: usize = 8 + 8 + 4 + 4 + 4;

/// A schedule, by a hash of its UID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::operator::tier::quota) struct ScheduleId(u64);

impl ScheduleId {
    pub(in crate::operator::tier::quota) fn of(uid: &str) -> Self {
        Self(number_of(uid))
    }
}

/// What one schedule takes of its namespace's hour. Times are Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::operator::tier::quota) struct Part {
    /// The most that its CronJob delivers in an hour.
    pub(in crate::operator::tier::quota) takes: u32,
    /// Since when it may deliver; `None` while it waits. Its CronJob may run already if its next time is later than that.
    pub(in crate::operator::tier::quota) since: Option<i64>,
    /// A hash of the expression and its zone.
    pub(in crate::operator::tier::quota) asked: u64,
    /// When it was last triggered, or last delivered from a share that it no longer has, while that still matters.
    pub(in crate::operator::tier::quota) last: Option<i64>,
}

impl Part {
    /// What matters of it now, if past deliveries matter for so many seconds.
    pub(in crate::operator::tier::quota) fn at(self, now: i64, keep: i64) -> Option<Self> {
        let last = self.last.filter(|last| now < last.saturating_add(keep));
        (self.takes > 0 || last.is_some()).then_some(Self { last, ..self })
    }
}

pub(super) fn write(parts: &BTreeMap<ScheduleId, Part>) -> Vec<u8> {
    let seconds = |time: Option<i64>| time.map_or(0, |time| u32::try_from(time.max(0)).unwrap_or(u32::MAX));
    let mut bytes = Vec::with_capacity(parts.len() * SIZE);
    for (ScheduleId(id), Part { takes, since, asked, last }) in parts {
        bytes.extend(id.to_be_bytes());
        bytes.extend(asked.to_be_bytes());
        bytes.extend(takes.to_be_bytes());
        bytes.extend(seconds(*since).to_be_bytes());
        bytes.extend(seconds(*last).to_be_bytes());
    }
    bytes
}

pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<ScheduleId, Part>, Unreadable> {
    let (all, rest) = bytes.as_chunks::<SIZE>();
    if !rest.is_empty() {
        return Err(Unreadable::Torn(bytes.len()));
    }
    if all.len() > MOST_PARTS {
        return Err(Unreadable::TooMany(all.len()));
    }
    Ok(all.iter().map(read_one).collect())
}

fn read_one(bytes: &[u8; SIZE]) -> (ScheduleId, Part) {
    let number = |from, to| bytes[from..to].iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let seconds = |from| i64::try_from(number(from, from + 4)).ok().filter(|time| *time != 0);
    let takes = u32::try_from(number(16, 20)).unwrap_or(u32::MAX);
    let part = Part { takes, since: seconds(20), asked: number(8, 16), last: seconds(24) };
    (ScheduleId(number(0, 8)), part)
}
