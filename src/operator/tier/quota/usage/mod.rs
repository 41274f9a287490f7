//! What a namespace uses of its tier, as it is recorded for the next operator: to and from the data of a ConfigMap. Pure.
//!
//! A record that can't be read counts as if the namespace had just delivered all that its tier allows, so nobody gains by it.

mod parts;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use serde::{Deserialize, Serialize};

use super::HOUR;
use super::given_up::{Entry, MANY};
use crate::operator::cache::MOST_SCHEDULES;
use crate::operator::names::{USAGE_KEY, USAGE_SCHEDULES_KEY};
pub(super) use parts::{Part, ScheduleId};

/// How many schedules of a namespace can be recorded.
pub(super) const MOST_PARTS: usize = MOST_SCHEDULES;
/// The largest size of a record without the parts of its schedules, in bytes.
const MOST_BYTES: usize = 32 * 1_024;
/// The version that is written and read.
const VERSION: u32 = 2;
/// The longest `minInterval` of a tier, in seconds: 8760 h.
const LONGEST_INTERVAL: i64 = 8_760 * HOUR;

/// What a namespace uses of its tier. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    /// The smallest gap that its tier allows, in seconds.
    pub(super) min_interval: i64,
    /// The shares of schedules.
    #[serde(skip)]
    pub(super) schedules: BTreeMap<ScheduleId, Part>,
    /// Deliveries that count for a while.
    pub(super) given_up: Vec<Entry>,
    /// When a deleted schedule last delivered.
    pub(super) deleted_last: Option<i64>,
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
    #[error("{0} bytes of schedules, which is no multiple of {size}", size = parts::SIZE)]
    Torn(usize),
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
    /// A record without metadata. The parts of schedules are bytes, [`parts::SIZE`] for each; the rest is JSON.
    pub(super) fn write(&self) -> serde_json::Result<ConfigMap> {
        let text = serde_json::to_string(&Written { version: VERSION, usage: self })?;
        // The API server may turn an empty value into none.
        let parts = (!self.schedules.is_empty())
            .then(|| BTreeMap::from([(USAGE_SCHEDULES_KEY.into(), ByteString(parts::write(&self.schedules)))]));
        Ok(ConfigMap {
            data: Some(BTreeMap::from([(USAGE_KEY.into(), text)])),
            binary_data: parts,
            ..ConfigMap::default()
        })
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When it was not written by this version.
    pub(super) fn read(record: &ConfigMap, now: i64) -> Result<Self, Unreadable> {
        let text = record.data.as_ref().and_then(|data| data.get(USAGE_KEY)).ok_or(Unreadable::Missing)?;
        if text.len() > MOST_BYTES {
            return Err(Unreadable::TooLong(text.len()));
        }
        let Versioned { version } = serde_json::from_str(text)?;
        if version != u64::from(VERSION) {
            return Err(Unreadable::Version(version));
        }
        let mut usage: Self = serde_json::from_str(text)?;
        if let Some(ByteString(bytes)) = record.binary_data.as_ref().and_then(|data| data.get(USAGE_SCHEDULES_KEY)) {
            usage.schedules = parts::read(bytes)?;
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
            part.last = part.last.map(|last| last.min(now));
        }
        for entry in &mut self.given_up {
            entry.until = entry.until.min(now + HOUR);
        }
        self.given_up.truncate(2 * MANY);
    }

    /// Drops what no longer matters.
    pub(super) fn at(mut self, now: i64) -> Self {
        let keep = self.keep();
        self.given_up.retain(|entry| entry.until > now);
        self.deleted_last = self.deleted_last.filter(|last| now < last.saturating_add(keep));
        let parts = self.schedules.into_iter().filter_map(|(id, part)| Some((id, part.at(now, keep)?)));
        Self { schedules: parts.collect(), ..self }
    }

    /// Whether it holds this part of a schedule.
    pub(super) fn holds(&self, schedule: ScheduleId, part: Part, now: i64) -> bool {
        let matters = |part: Part| part.at(now, self.keep());
        self.schedules.get(&schedule).copied().and_then(matters) == matters(part)
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
