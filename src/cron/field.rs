//! The five fields of an expression as sets of small numbers, and which days they match.

use super::calendar::{Date, first_of_month};
use super::kind::KINDS;

/// A set of numbers from 0 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(u64);

impl Set {
    /// Every `step`-th number from `first` to `last`.
    pub(super) fn range(first: u8, last: u8, step: u64) -> Self {
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        Self((first..=last).step_by(step).fold(0, |bits, number| bits | 1 << number))
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) fn has(self, number: u8) -> bool {
        self.0 >> number & 1 == 1
    }

    /// The members as bits.
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |&number| self.has(number))
    }

    /// The smallest member that is `number` or more.
    #[expect(clippy::cast_possible_truncation, reason = "a u64 has at most 64 trailing zeros")]
    pub(super) fn at_or_after(self, number: u8) -> Option<u8> {
        let rest = self.0 >> number;
        (rest != 0).then(|| number + rest.trailing_zeros() as u8)
    }
}

/// What one field says: the numbers it matches, and whether it was written with a star.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) set: Set,
    /// Decides how days of the month and weekdays are combined. `*/2` doesn't count as a star; `*/1` and `1,*` do.
    pub(super) star: bool,
}

/// An expression's five fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) minutes: Set,
    pub(super) hours: Set,
    pub(super) days: Field,
    pub(super) months: Set,
    /// Sunday is 0.
    pub(super) weekdays: Field,
}

impl Fields {
    /// Whether the day of the month and the weekday must both fit: they must if either field has a star. Else one that fits is
    /// enough.
    pub(super) fn days_and_weekdays(&self) -> bool {
        self.days.star || self.weekdays.star
    }

    /// Whether the day of the month and the weekday fit.
    pub(super) fn day_fits(&self, day: u8, weekday: u8) -> bool {
        let (by_day, by_weekday) = (self.days.set.has(day), self.weekdays.set.has(weekday));
        if self.days_and_weekdays() { by_day && by_weekday } else { by_day || by_weekday }
    }

    /// Whether this is a date on which the expression fires.
    pub(super) fn date_fits(&self, date: Date, weekday: u8) -> bool {
        self.months.has(date.month) && self.day_fits(date.day, weekday)
    }

    /// The name of a field that matches no number at all, such as a field of commas alone.
    pub(super) fn empty(&self) -> Option<&'static str> {
        let sets = [self.minutes, self.hours, self.days.set, self.months, self.weekdays.set];
        KINDS.iter().zip(sets).find(|(_, set)| set.is_empty()).map(|(kind, _)| kind.name)
    }

    /// Whether any local time in the calendar matches.
    pub(super) fn ever_match(&self) -> bool {
        // A leap year has every date there is. Over the cycle, each date falls on each weekday that the weekday field could ask
        // for; a star in one field means that the other alone decides.
        let some_date = || {
            self.months.iter().any(|month| {
                let month = i64::from(month);
                let length = first_of_month(2000, month + 1) - first_of_month(2000, month);
                self.days.set.iter().any(|day| i64::from(day) <= length)
            })
        };
        let some_weekday = !self.weekdays.set.is_empty();
        let some_day = if self.days_and_weekdays() {
            some_weekday && some_date()
        } else {
            some_weekday && !self.months.is_empty() || some_date()
        };
        !self.minutes.is_empty() && !self.hours.is_empty() && some_day
    }
}
