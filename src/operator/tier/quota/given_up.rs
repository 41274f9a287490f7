//! Deliveries that count for a while although no schedule's share covers them: those from a share that was given up, and
//! triggered ones. Pure, and bounded however many there are.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::Age;

/// Above this many entries, it is no longer recorded which schedule made them.
pub(super) const MANY: usize = 200;
/// Deliveries of one schedule that expire within the same interval, in seconds, are one entry, which expires with the last of
/// them.
const GRAIN: i64 = 60;

/// Deliveries that still count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(Option<Age>, u32, i64)", into = "(Option<Age>, u32, i64)")]
pub(super) struct Entry {
    /// When they expire, in Unix seconds.
    pub(super) until: i64,
    /// The schedule that made them, where that is known.
    pub(super) by: Option<Age>,
    pub(super) count: u32,
}

impl From<(Option<Age>, u32, i64)> for Entry {
    fn from((by, count, until): (Option<Age>, u32, i64)) -> Self {
        Self { until, by, count }
    }
}

impl From<Entry> for (Option<Age>, u32, i64) {
    fn from(Entry { until, by, count }: Entry) -> Self {
        (by, count, until)
    }
}

/// All entries of a namespace.
#[derive(Default)]
pub(super) struct GivenUp(Vec<Entry>);

impl GivenUp {
    pub(super) fn of(entries: Vec<Entry>) -> Self {
        Self(entries)
    }

    /// Adds deliveries that a schedule made.
    pub(super) fn add(&mut self, by: Option<&Age>, count: u32, until: i64, now: i64) {
        if count == 0 || until <= now {
            return;
        }
        self.0.retain(|entry| entry.until > now);
        self.merge(Entry { until, by: by.cloned(), count });
        if self.0.len() > MANY {
            for entry in std::mem::take(&mut self.0) {
                self.merge(Entry { by: None, ..entry });
            }
        }
    }

    fn merge(&mut self, new: Entry) {
        let grain = |entry: &Entry| entry.until.div_euclid(GRAIN);
        match self.0.iter_mut().find(|entry| entry.by == new.by && grain(entry) == grain(&new)) {
            Some(entry) => {
                entry.count = entry.count.saturating_add(new.count);
                entry.until = entry.until.max(new.until);
            }
            None => self.0.push(new),
        }
    }

    /// Takes back one delivery that was added with this expiry.
    pub(super) fn take_back(&mut self, by: &Age, until: i64) {
        let grain = until.div_euclid(GRAIN);
        let is_it = |entry: &&mut Entry| entry.by.as_ref() == Some(by) && entry.until.div_euclid(GRAIN) == grain;
        if let Some(entry) = self.0.iter_mut().find(is_it) {
            entry.count = entry.count.saturating_sub(1);
        }
        self.0.retain(|entry| entry.count > 0);
    }

    /// The entries that still count, in their own order.
    pub(super) fn taken(&self, now: i64) -> Vec<Entry> {
        let mut taken: Vec<_> = self.0.iter().filter(|entry| entry.until > now).cloned().collect();
        taken.sort();
        taken
    }

    /// When at most `room` deliveries count, in Unix seconds; deliveries of exempt schedules are ignored.
    pub(super) fn leaves_room_at(&self, room: u32, is_exempt: impl Fn(&Age) -> bool, now: i64) -> i64 {
        let counts = |entry: &&Entry| entry.until > now && !entry.by.as_ref().is_some_and(&is_exempt);
        let mut taken: Vec<_> = self.0.iter().filter(counts).collect();
        taken.sort_by_key(|entry| Reverse(entry.until));
        let mut sum = 0_u32;
        // The entries that expire last still count when the others have expired.
        let first_too_many = taken.iter().find(|entry| {
            sum = sum.saturating_add(entry.count);
            sum > room
        });
        first_too_many.map_or(now, |entry| entry.until)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(uid: &str) -> Age {
        Age { created: 0, uid: uid.into() }
    }

    #[test]
    fn what_ends_in_the_same_minute_is_one_entry_and_ends_with_the_last() {
        let mut given_up = GivenUp::default();
        given_up.add(Some(&age("a")), 1, 121, 0);
        given_up.add(Some(&age("a")), 2, 150, 0);
        given_up.add(Some(&age("b")), 1, 122, 0);
        given_up.add(Some(&age("a")), 1, 180, 0);
        given_up.add(Some(&age("a")), 9, 0, 0);
        let entry = |by, count, until| Entry { until, by: Some(age(by)), count };
        assert_eq!(given_up.taken(0), [entry("b", 1, 122), entry("a", 3, 150), entry("a", 1, 180)]);
        given_up.take_back(&age("b"), 122);
        given_up.take_back(&age("b"), 122);
        assert_eq!(given_up.taken(150), [entry("a", 1, 180)]);
    }

    #[test]
    fn however_many_there_are_they_stay_few_and_none_is_lost() {
        let mut given_up = GivenUp::default();
        for number in 0..50_000 {
            given_up.add(Some(&age(&number.to_string())), 1, 1 + number % 3_600, 0);
            assert!(given_up.0.len() <= MANY);
        }
        let taken = given_up.taken(0);
        assert_eq!(taken.iter().map(|entry| entry.count).sum::<u32>(), 50_000);
        assert!(given_up.leaves_room_at(0, |_| true, 0) > 3_500, "whose they were is no longer known, so all count");
    }
}
