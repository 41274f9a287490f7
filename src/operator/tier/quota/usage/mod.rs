//! What a namespace uses of its tier, as it is recorded for the next operator: to and from JSON. Pure.
//!
//! A record that can't be read counts as if the namespace had just delivered all that its tier allows, so nobody gains by it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::HOUR;
use super::given_up::{Entry, MANY};

/// How many schedules of a namespace can be recorded at most. Others wait.
pub(crate) const MOST_PARTS: usize = 1_000;
/// The largest size of a record, in bytes.
pub(super) const MOST_BYTES: usize = 128 * 1_024;
/// The version that is written and read.
const VERSION: u32 = 1;
/// The longest `minInterval` of a tier, in seconds: 8760 h.
const LONGEST_INTERVAL: i64 = 8_760 * HOUR;

/// What a namespace uses of its tier. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    /// The smallest gap that its tier allows, in seconds.
    pub(super) min_interval: i64,
    /// The shares of schedules, by UID.
    pub(super) schedules: BTreeMap<String, Part>,
    /// Deliveries that count for a while.
    pub(super) given_up: Vec<Entry>,
    /// When a deleted schedule last delivered.
    pub(super) deleted_last: Option<i64>,
}

/// The share of one schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u32, Option<i64>, u64, Option<i64>)", into = "(u32, Option<i64>, u64, Option<i64>)")]
pub(super) struct Part {
    /// The most that its expression delivers in an hour.
    pub(super) takes: u32,
    /// Since when it may deliver; `None` while it waits. Its CronJob may run already if its next time is later than that.
    pub(super) since: Option<i64>,
    /// A hash of the expression and its zone.
    pub(super) asked: u64,
    /// When it was last triggered, while that still matters.
    pub(super) last_triggered: Option<i64>,
}

impl From<(u32, Option<i64>, u64, Option<i64>)> for Part {
    fn from((takes, since, asked, last_triggered): (u32, Option<i64>, u64, Option<i64>)) -> Self {
        Self { takes, since, asked, last_triggered }
    }
}

impl From<Part> for (u32, Option<i64>, u64, Option<i64>) {
    fn from(Part { takes, since, asked, last_triggered }: Part) -> Self {
        (takes, since, asked, last_triggered)
    }
}

/// Why a record can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it has no key usage")]
    Missing,
    #[error("{0} bytes; at most {MOST_BYTES}")]
    TooLong(usize),
    #[error("{0} schedules; at most {MOST_PARTS}")]
    TooMany(usize),
    #[error("version {0}; this operator knows {VERSION}")]
    Version(u64),
    #[error("no JSON of this form: {0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    usage: &'a Usage,
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Usage {
    /// Serializes to JSON: at most [`MOST_BYTES`] for at most [`MOST_PARTS`] schedules.
    pub(super) fn write(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Written { version: VERSION, usage: self })
    }

    /// Parses JSON.
    ///
    /// # Errors
    /// When it was not written by this version.
    pub(super) fn read(text: Option<&str>, now: i64) -> Result<Self, Unreadable> {
        let text = text.ok_or(Unreadable::Missing)?;
        if text.len() > MOST_BYTES {
            return Err(Unreadable::TooLong(text.len()));
        }
        let Versioned { version } = serde_json::from_str(text)?;
        if version != u64::from(VERSION) {
            return Err(Unreadable::Version(version));
        }
        let mut usage: Self = serde_json::from_str(text)?;
        if usage.schedules.len() > MOST_PARTS {
            return Err(Unreadable::TooMany(usage.schedules.len()));
        }
        usage.bound(now);
        Ok(usage)
    }

    /// The usage of a namespace that may have used everything, since nothing is known about it.
    pub(super) fn unknown(now: i64) -> Self {
        Self {
            min_interval: LONGEST_INTERVAL,
            schedules: BTreeMap::new(),
            given_up: vec![Entry { until: now + HOUR, by: None, count: u32::MAX }],
            deleted_last: Some(now),
        }
    }

    /// Bounds the values: the clock of the operator that wrote them may have been ahead.
    fn bound(&mut self, now: i64) {
        self.min_interval = self.min_interval.clamp(0, LONGEST_INTERVAL);
        self.deleted_last = self.deleted_last.map(|last| last.min(now));
        for part in self.schedules.values_mut() {
            part.since = part.since.map(|since| since.min(now));
            part.last_triggered = part.last_triggered.map(|last| last.min(now));
        }
        for entry in &mut self.given_up {
            entry.until = entry.until.min(now + HOUR);
        }
        self.given_up.truncate(2 * MANY);
    }

    /// Drops what no longer matters.
    pub(super) fn at(mut self, now: i64) -> Self {
        let keep = self.keep();
        let matters = |last: &i64| now < last.saturating_add(keep);
        self.given_up.retain(|entry| entry.until > now);
        self.deleted_last = self.deleted_last.filter(matters);
        for part in self.schedules.values_mut() {
            part.last_triggered = part.last_triggered.filter(matters);
        }
        self.schedules.retain(|_, part| part.takes > 0 || part.last_triggered.is_some());
        self
    }

    /// How long past deliveries matter, in seconds.
    fn keep(&self) -> i64 {
        self.min_interval.max(HOUR)
    }

    /// Whether there is nothing to record.
    pub(super) fn is_empty(&self) -> bool {
        self.schedules.is_empty() && self.given_up.is_empty() && self.deleted_last.is_none()
    }

    /// When it becomes empty, if nothing happens before, in Unix seconds; `None` while schedules have shares.
    pub(super) fn ends(&self) -> Option<i64> {
        let given_up = self.given_up.iter().map(|entry| entry.until).max();
        let deleted = self.deleted_last.map(|last| last.saturating_add(self.keep()));
        if self.schedules.is_empty() { given_up.max(deleted) } else { None }
    }
}

#[cfg(test)]
mod tests;
