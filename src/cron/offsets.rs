//! A zone's offsets from UTC over a stretch of time, as a table. Look-ups are cheap, and next times and gaps need nothing else of
//! a zone.

use std::cell::Cell;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calendar::DAY;

/// A change of the offset from UTC. Times are in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transition {
    /// The first second of the new offset.
    pub(super) at: i64,
    pub(super) before: i64,
    pub(super) after: i64,
}

impl Transition {
    /// How far the clocks are moved, in either direction.
    pub(super) fn shift(&self) -> i64 {
        (self.after - self.before).abs()
    }
}

/// The offsets from some time on. Before that time, the first offset holds.
#[derive(Clone, Debug)]
pub(super) struct Offsets {
    first: i64,
    transitions: Vec<Transition>,
    /// The last answer of `index_after`: most look-ups are close to the previous one.
    near: Cell<usize>,
}

/// A search for a next time first goes back to the start of its month.
const REACH_BACK: i64 = 40 * DAY;

impl Offsets {
    /// The offsets for everything that a search starting in `from..=until` looks at. It ends within six years of its start.
    pub(super) fn new(zone: &TimeZone, from: i64, until: i64) -> Self {
        let start = timestamp(from - REACH_BACK);
        let until = until.saturating_add(7 * 366 * DAY);
        let first = i64::from(zone.to_offset(start).seconds());
        let mut before = first;
        let mut transitions = Vec::new();
        for change in zone.following(start) {
            let at = change.timestamp().as_second();
            if at > until {
                break;
            }
            let after = i64::from(change.offset().seconds());
            if after != before {
                transitions.push(Transition { at, before, after });
            }
            before = after;
        }
        Self { first, transitions, near: Cell::new(0) }
    }

    /// The offset at an instant, in seconds east of UTC.
    pub(super) fn at(&self, instant: i64) -> i64 {
        match self.index_after(instant) {
            0 => self.first,
            index => self.transitions[index - 1].after,
        }
    }

    pub(super) fn transitions(&self) -> &[Transition] {
        &self.transitions
    }

    /// The index of the first transition later than `instant`.
    pub(super) fn index_after(&self, instant: i64) -> usize {
        let holds = |&index: &usize| {
            let previous = index.checked_sub(1).and_then(|index| self.transitions.get(index));
            previous.is_none_or(|previous| previous.at <= instant)
                && self.transitions.get(index).is_none_or(|next| instant < next.at)
        };
        let near = self.near.get();
        let guess = [near, (near + 1).min(self.transitions.len())].into_iter().find(holds);
        let search = || self.transitions.partition_point(|transition| transition.at <= instant);
        let index = guess.unwrap_or_else(search);
        self.near.set(index);
        index
    }
}

/// The instant, or the nearest one that jiff can represent (years -9999 to 9999).
fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(if second < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
