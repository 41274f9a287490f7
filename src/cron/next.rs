//! The next time after an instant, as the `CronJob` controller finds it.
//!
//! The controller's library doesn't look for the next matching local time. It walks: by months and days as dates, and by hours,
//! minutes and seconds as durations, and it starts again at the month whenever a field wraps round. Where the clocks change, the
//! walk and the set of matching times differ, and the controller follows the walk:
//!
//! - an hour that occurs twice fires twice; one that is skipped doesn't fire;
//! - where midnight is skipped, the walk may pass over the whole day;
//! - where the clocks move by half an hour, the walk by hours is off by half an hour for the rest of the day.
//!
//! This code walks in the same way, except in two cases in which the controller gets stuck. First, where a whole day was skipped
//! (Apia had no 30 December 2011), the controller's walk never ends when it arrives there by days; this one goes on after the
//! change of the clocks. Second, where the clocks go back at a time that is not a full hour (Chatham at 03:45), the time after a
//! given one can be the same or an earlier one, since a walk first goes back to the start of the hour; this one then starts again
//! a minute later.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calendar::{DAY, Date, HOUR, Local, MINUTE, date, first_of_month, weekday};
use super::field::Fields;
use super::offsets::Offsets;

/// The search ends with the fifth calendar year after the year in which it starts.
const HORIZON_YEARS: i64 = 5;

/// An expression and a zone to search in. All times are in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) fields: &'a Fields,
    pub(super) offsets: &'a Offsets,
}

/// Whether the walk goes on, or starts again from the month.
enum Step {
    On,
    Again,
}

/// The state of a walk.
struct Walk {
    at: i64,
    /// Whether the walk has left its starting point. The first step clears the smaller units before it moves.
    moved: bool,
}

impl Search<'_> {
    /// The first time later than `from`, or `None` when the horizon has none.
    pub(super) fn after(self, from: i64) -> Option<i64> {
        let mut walk = Walk { at: from + 1, moved: false };
        let last_year = self.date(walk.at).year + HORIZON_YEARS;
        let stages = [Self::to_month, Self::to_day, Self::to_hour, Self::to_minute, Self::to_second];
        while self.date(walk.at).year <= last_year {
            if stages.iter().all(|stage| matches!(stage(self, &mut walk), Step::On)) {
                return if walk.at > from { Some(walk.at) } else { self.after(from + MINUTE) };
            }
        }
        None
    }

    fn to_month(self, walk: &mut Walk) -> Step {
        loop {
            let mut local = self.local(walk.at);
            let today = date(local.days);
            if self.fields.months.has(today.month) {
                return Step::On;
            }
            if walk.start_moving() {
                walk.at = self.instant(first_of_month(today.year, i64::from(today.month)), 0);
                local = self.local(walk.at);
            }
            let Date { year, month, day } = date(local.days);
            let days = first_of_month(year, i64::from(month) + 1) + i64::from(day) - 1;
            walk.at = self.instant(days, local.second);
            if self.date(walk.at).month == 1 {
                return Step::Again;
            }
        }
    }

    fn to_day(self, walk: &mut Walk) -> Step {
        loop {
            let days = self.local(walk.at).days;
            if self.fields.day_fits(date(days).day, weekday(days)) {
                return Step::On;
            }
            if walk.start_moving() {
                walk.at = self.instant(days, 0);
            }
            self.to_following_day(walk);
            if self.date(walk.at).day == 1 {
                return Step::Again;
            }
        }
    }

    /// Moves one date further at the same reading of the clock, then to midnight if that reading was not midnight.
    fn to_following_day(self, walk: &mut Walk) {
        let from = walk.at;
        let local = self.local(from);
        walk.at = self.instant(local.days + 1, local.second);
        match self.local(walk.at).hour() {
            0 => {}
            hour @ 1..=12 => walk.at -= hour * HOUR,
            hour => walk.at += (24 - hour) * HOUR,
        }
        if walk.at <= from {
            walk.at = match self.offsets.transitions().get(self.offsets.index_after(from)) {
                Some(transition) => transition.at,
                None => from + DAY,
            };
        }
    }

    fn to_hour(self, walk: &mut Walk) -> Step {
        loop {
            let local = self.local(walk.at);
            if self.fields.hours.has(small(local.hour())) {
                return Step::On;
            }
            if walk.start_moving() {
                walk.at = self.instant(local.days, local.hour() * HOUR);
            }
            let hour = self.local(walk.at).hour();
            let target = self.fields.hours.at_or_after(small(hour + 1)).map_or(24, i64::from);
            self.advance(walk, (target - hour) * HOUR, HOUR);
            if self.local(walk.at).hour() == 0 {
                return Step::Again;
            }
        }
    }

    fn to_minute(self, walk: &mut Walk) -> Step {
        loop {
            let minute = self.local(walk.at).minute();
            if self.fields.minutes.has(small(minute)) {
                return Step::On;
            }
            if walk.start_moving() {
                // A minute of UTC, not of local time: they differ where the offset has seconds.
                walk.at -= walk.at.rem_euclid(MINUTE);
            }
            let target = self.fields.minutes.at_or_after(small(minute)).map_or(60, i64::from);
            self.advance(walk, (target - minute) * MINUTE, MINUTE);
            if self.local(walk.at).minute() == 0 {
                return Step::Again;
            }
        }
    }

    fn to_second(self, walk: &mut Walk) -> Step {
        let second = |at| self.local(at).second % MINUTE;
        if second(walk.at) == 0 {
            return Step::On;
        }
        walk.moved = true;
        while second(walk.at) != 0 {
            self.advance(walk, MINUTE - second(walk.at), 1);
        }
        Step::Again
    }

    /// Moves forward by `duration` at once if the clocks don't change on the way, else by one `unit` only.
    fn advance(self, walk: &mut Walk, duration: i64, unit: i64) {
        let still = self.offsets.index_after(walk.at) == self.offsets.index_after(walk.at + duration);
        walk.at += if still { duration } else { unit };
    }

    fn local(self, instant: i64) -> Local {
        Local::of(instant + self.offsets.at(instant))
    }

    fn date(self, instant: i64) -> Date {
        date(self.local(instant).days)
    }

    /// The instant of a reading of the clock, as Go's `time.Date` picks it. Of two instants, it is the one whose offset holds at
    /// that reading taken as UTC. For a skipped reading, it is as far before or after the gap as the reading is from the gap's
    /// other side.
    fn instant(self, days: i64, second: i64) -> i64 {
        let reading = days * DAY + second;
        reading - self.offsets.at(reading - self.offsets.at(reading))
    }
}

impl Walk {
    /// Whether this is the first move.
    fn start_moving(&mut self) -> bool {
        !std::mem::replace(&mut self.moved, true)
    }
}

/// An hour or a minute as a member of a set.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "hours and minutes are 0 to 59")]
fn small(number: i64) -> u8 {
    number as u8
}

/// The times at which an expression fires; see [`super::Expression::upcoming`].
pub struct Upcoming<'a> {
    fields: &'a Fields,
    zone: TimeZone,
    offsets: Offsets,
    /// The latest time at which a search with these offsets may start.
    until: i64,
    /// The latest time given, or the time to start from; `None` after the last.
    at: Option<i64>,
}

/// How far ahead the zone's offsets are read in one go.
const STRETCH: i64 = 366 * DAY;

impl<'a> Upcoming<'a> {
    pub(super) fn new(fields: &'a Fields, zone: TimeZone, from: Timestamp) -> Self {
        let from = whole_second(from);
        let until = from.saturating_add(STRETCH);
        let offsets = Offsets::new(&zone, from, until);
        Self { fields, zone, offsets, until, at: Some(from) }
    }
}

impl Iterator for Upcoming<'_> {
    type Item = Timestamp;

    fn next(&mut self) -> Option<Timestamp> {
        let from = self.at.take()?;
        if from > self.until {
            self.until = from.saturating_add(STRETCH);
            self.offsets = Offsets::new(&self.zone, from, self.until);
        }
        let next = Search { fields: self.fields, offsets: &self.offsets }.after(from)?;
        let timestamp = Timestamp::from_second(next).ok()?;
        self.at = Some(next);
        Some(timestamp)
    }
}

/// The whole second at or before an instant.
pub(super) fn whole_second(instant: Timestamp) -> i64 {
    instant.as_second() - i64::from(instant.subsec_nanosecond() < 0)
}
