//! The smallest gap between two consecutive deliveries, and the most deliveries in any hour: exact, without visiting every
//! delivery of 400 years.
//!
//! Away from changes of the clocks, the deliveries are the matching local times, and those repeat: the same times on each
//! matching day. So there the smallest gap is either within a day, or from the last time of a day to the first of the next
//! matching day. Only days have to be visited, and not even those once the gap can't get smaller. Near a change of the clocks,
//! the deliveries are what [`Search`] finds, one by one; that is computed once for all changes around which the days match alike.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calendar::{CYCLE_DAYS, DAY, HOUR, Local, date, weekday};
use super::field::Fields;
use super::next::{Search, whole_second};
use super::offsets::{Offsets, Transition};
use super::pattern::{Pattern, smallest_difference};

/// How close an expression's deliveries get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tightest {
    /// Seconds between the two consecutive deliveries that are closest to each other.
    pub min_gap_seconds: u64,
    /// The most deliveries in any 3,600 seconds, where the first instant counts and the last doesn't: `[t, t + 3600)`, for any
    /// `t`.
    pub max_per_hour: u32,
}

/// Seconds after which the calendar repeats.
pub(super) const FULL_CYCLE: i64 = CYCLE_DAYS * DAY;

/// The closest deliveries among those from `from` to `from + span` (seconds), each compared with the following delivery.
pub(super) fn tightest(fields: &Fields, zone: &TimeZone, from: Timestamp, span: i64) -> Option<Tightest> {
    if !fields.ever_match() {
        return None;
    }
    let from = whole_second(from);
    let until = from + span;
    let offsets = Offsets::new(zone, from, until);
    let pattern = Pattern::new(fields);
    let survey = Survey {
        search: Search { fields, offsets: &offsets },
        smallest_local: pattern.within_day.min(pattern.over_midnight),
        pattern,
        until,
        known: HashMap::new(),
        found: Found::NOTHING,
    };
    let Found { gap, most } = survey.run(from);
    let min_gap_seconds = u64::try_from(gap).ok().filter(|_| gap != i64::MAX)?;
    Some(Tightest { min_gap_seconds, max_per_hour: most })
}

/// What has been found so far.
#[derive(Clone, Copy)]
struct Found {
    /// The smallest gap, in seconds.
    gap: i64,
    /// The most deliveries in an hour.
    most: u32,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.gap = self.gap.min(other.gap);
        self.most = self.most.max(other.most);
    }
}

impl Found {
    const NOTHING: Self = Self { gap: i64::MAX, most: 0 };
}

/// The deliveries around a change of the clocks.
struct Passage {
    found: Found,
    /// The last delivery that was looked at, in seconds after the change.
    end: i64,
}

/// A change of the clocks, as seen by a search that neither starts nor ends more than [`DAYS_ABOUT`] days away. A search passes
/// two equal ones in the same way.
#[derive(PartialEq, Eq, Hash)]
struct Situation {
    /// The delivery that the search starts from, in seconds after the change.
    start: i64,
    /// The second of the day at which the clocks are changed.
    second: i64,
    before: i64,
    after: i64,
    days: [Day; DAYS],
}

/// What a search by dates needs to know of a day.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Day {
    first_of_month: bool,
    in_month: bool,
    fits: bool,
}

/// How many days on either side of a change of the clocks are looked at together with it.
const DAYS_ABOUT: i64 = 3;

/// Those days, the day of the change, and one more on either side, since a reading of the clock moves with the offset.
const DAYS: usize = 9;

struct Survey<'a> {
    search: Search<'a>,
    pattern: Pattern<'a>,
    /// A lower bound for the gaps between matching local times.
    smallest_local: i64,
    /// The survey ends with the first delivery at or after this time.
    until: i64,
    known: HashMap<Situation, Passage>,
    found: Found,
}

/// After a search that found nothing, the next one starts a year later.
const YEAR: i64 = 366 * DAY;

/// A search that starts at a delivery doesn't find another that is this much later.
const BEYOND_HORIZON: i64 = 6 * YEAR;

impl Survey<'_> {
    fn run(mut self, from: i64) -> Found {
        let Some(first) = self.after(from) else {
            return self.found;
        };
        let mut delivery = self.walk(first, i64::MAX);
        while delivery < self.until {
            // From here to the next change of the clocks, the deliveries are the matching local times.
            let transitions = self.search.offsets.transitions();
            let next = transitions.get(self.search.offsets.index_after(delivery)).copied();
            let limit = next.map_or(self.until, |next| (next.at - margin(&next)).min(self.until));
            let offset = self.search.offsets.at(delivery);
            let last = self.pattern.last_until(limit + offset, delivery + offset) - offset;
            self.add_local(delivery + offset, last + offset);
            if limit == self.until {
                // The gap from the last delivery to the following one still has to be looked at.
                let Some(following) = self.search.after(last) else {
                    break;
                };
                if last < self.until {
                    self.found.gap = self.found.gap.min(following - last);
                }
                break;
            }
            delivery = match next {
                Some(next) => self.pass(last, &next),
                None => break,
            };
        }
        self.found
    }

    /// The first delivery after `instant`, even if it is years later than the search's horizon.
    fn after(&self, instant: i64) -> Option<i64> {
        (0..)
            .map(|years| instant + years * YEAR)
            .take_while(|&start| start < self.until)
            .find_map(|start| self.search.after(start))
    }

    /// Goes from the last delivery before a change of the clocks to the first one well behind it.
    fn pass(&mut self, last: i64, transition: &Transition) -> i64 {
        let mut start = last;
        if last < transition.at - DAYS_ABOUT * DAY {
            // The stretch from here to the following delivery doesn't look the same around each change.
            let Some(following) = self.search.after(last) else {
                return self.walk(last, i64::MAX);
            };
            self.found.add(Found { gap: following - last, most: 1 });
            if following >= self.until || self.is_plain(following) {
                return following;
            }
            start = following;
        }
        let Some(situation) = self.situation(start, transition) else {
            return self.walk(start, i64::MAX);
        };
        let end = if let Some(passage) = self.known.get(&situation) {
            self.found.add(passage.found);
            transition.at + passage.end
        } else {
            let outside = std::mem::replace(&mut self.found, Found::NOTHING);
            let end = self.walk(start, transition.at + DAYS_ABOUT * DAY);
            let found = std::mem::replace(&mut self.found, outside);
            self.found.add(found);
            let passage = Passage { found, end: end - transition.at };
            self.known.insert(situation, passage);
            end
        };
        if end > start && self.is_plain(end) { end } else { self.walk(end, i64::MAX) }
    }

    /// Everything that decides how a change of the clocks is passed, if only the days around it matter.
    fn situation(&self, start: i64, transition: &Transition) -> Option<Situation> {
        let Transition { at, before, after } = *transition;
        let offsets = self.search.offsets;
        let following = offsets.transitions().get(offsets.index_after(at));
        let alone_until = following.map_or(self.until, |following| self.until.min(following.at - margin(following)));
        if (start - at).abs() > DAYS_ABOUT * DAY || alone_until < at + (DAYS_ABOUT + 1) * DAY {
            return None;
        }
        let reading = Local::of(at + before);
        let mut days = [Day::default(); DAYS];
        for (day, number) in days.iter_mut().zip(reading.days - DAYS_ABOUT - 1..) {
            let today = date(number);
            *day = Day {
                first_of_month: today.day == 1,
                in_month: self.pattern.fields.months.has(today.month),
                fits: self.pattern.fields.day_fits(today.day, weekday(number)),
            };
        }
        Some(Situation { start: start - at, second: reading.second, before, after, days })
    }

    /// Follows the deliveries one by one from `start`, until one is a matching local time far from any change of the clocks, or
    /// is past the end, or is the last before `limit`.
    fn walk(&mut self, start: i64, limit: i64) -> i64 {
        let mut delivery = start;
        let mut hour = std::collections::VecDeque::from([start]);
        loop {
            let following = self.search.after(delivery);
            if limit < following.unwrap_or(i64::MAX) {
                return delivery;
            }
            if let Some(following) = following {
                self.found.gap = self.found.gap.min(following - delivery);
            }
            let Some(following) = following.or_else(|| self.after(delivery)) else {
                return self.until;
            };
            while hour.front().is_some_and(|&first| first <= following - HOUR) {
                hour.pop_front();
            }
            hour.push_back(following);
            self.found.most = self.found.most.max(u32::try_from(hour.len()).unwrap_or(u32::MAX));
            delivery = following;
            if delivery >= self.until || self.is_plain(delivery) {
                return delivery;
            }
        }
    }

    /// Whether the deliveries from this one to the next change of the clocks are the matching local times.
    fn is_plain(&self, delivery: i64) -> bool {
        let offsets = self.search.offsets;
        let index = offsets.index_after(delivery);
        let behind = index.checked_sub(1).and_then(|index| offsets.transitions().get(index));
        let ahead = offsets.transitions().get(index);
        behind.is_none_or(|transition| delivery >= transition.at + margin(transition))
            && ahead.is_none_or(|transition| delivery <= transition.at - margin(transition))
            && self.pattern.fits(delivery + offsets.at(delivery))
    }

    /// Adds the gaps between the matching local times from `first` to `last`, both of which match.
    fn add_local(&mut self, first: i64, last: i64) {
        let pattern = &self.pattern;
        let first_of_last_hour = last - last.rem_euclid(HOUR) + pattern.times[0] % HOUR;
        if first_of_last_hour >= first {
            self.found.most = self.found.most.max(pattern.per_hour);
        }
        let (mut now, end) = (Local::of(first), Local::of(last));
        let mut days = pattern.days_after(now.days);
        while self.found.gap > self.smallest_local {
            let from = pattern.times.partition_point(|&time| time < now.second);
            let to = if now.days == end.days {
                pattern.times.partition_point(|&time| time <= end.second)
            } else {
                pattern.times.len()
            };
            let times = &pattern.times[from..to];
            let within =
                if times.len() == pattern.times.len() { pattern.within_day } else { smallest_difference(times) };
            self.found.gap = self.found.gap.min(within);
            if now.days >= end.days {
                break;
            }
            let Some(following) = days.next() else { break };
            let gap = (following - now.days - 1) * DAY + pattern.over_midnight;
            if gap < BEYOND_HORIZON {
                self.found.gap = self.found.gap.min(gap);
            }
            now = Local { days: following, second: 0 };
        }
    }
}

/// How far, in seconds, from a change of the clocks it can still mislead a search: the amount by which the clocks are moved,
/// since readings in that stretch are skipped or occur twice, plus the hour that a search goes back at its start.
fn margin(transition: &Transition) -> i64 {
    transition.shift() + 2 * HOUR
}
