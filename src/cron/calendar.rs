//! The proleptic Gregorian calendar in plain integers.
//!
//! A local time is kept as the seconds that the same reading of the clock would have in UTC since 1970
//! ("local seconds"), so that civil arithmetic is integer arithmetic.

/// Seconds in a minute, an hour and a day.
pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;

/// The days and years after which the calendar, weekdays included, repeats.
pub(super) const CYCLE_DAYS: i64 = 146_097;
const CYCLE_YEARS: i64 = 400;

/// A date. `month` is 1–12 and `day` 1–31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: u8,
    pub(super) day: u8,
}

/// Days from 1970-01-01 to the first of a month. A month beyond 12 is in a following year.
pub(super) fn first_of_month(year: i64, month: i64) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year.
    let months = year * 12 + (month - 1) - 2;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12));
    let (cycle, year) = (year.div_euclid(CYCLE_YEARS), year.rem_euclid(CYCLE_YEARS));
    // From March on, the lengths of months repeat as 31, 30, 31, 30, 31 days: 153 days in each five months.
    let in_year = (153 * month + 2) / 5;
    cycle * CYCLE_DAYS + year * 365 + year / 4 - year / 100 + in_year - DAYS_TO_MARCH_OF_YEAR_0
}

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_TO_MARCH_OF_YEAR_0: i64 = 719_468;

/// The date `days` after 1970-01-01.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the remainders are within a month and a year"
)]
pub(super) fn date(days: i64) -> Date {
    let days = days + DAYS_TO_MARCH_OF_YEAR_0;
    let (cycle, days) = (days.div_euclid(CYCLE_DAYS), days.rem_euclid(CYCLE_DAYS));
    // Leap days that have passed are subtracted, so that each year is 365 days long.
    let year = (days - days / 1_460 + days / 36_524 - days / 146_096) / 365;
    let in_year = days - (year * 365 + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let (carry, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    Date { year: cycle * CYCLE_YEARS + year + carry, month: month as u8, day: day as u8 }
}

/// The weekday of the day `days` after 1970-01-01, which was a Thursday; Sunday is 0.
#[expect(clippy::cast_possible_truncation, reason = "a remainder of 7")]
pub(super) fn weekday(days: i64) -> u8 {
    (days + 4).rem_euclid(7) as u8
}

/// A reading of a clock: the day and the second of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Local {
    pub(super) days: i64,
    pub(super) second: i64,
}

impl Local {
    pub(super) fn of(local_seconds: i64) -> Self {
        Self { days: local_seconds.div_euclid(DAY), second: local_seconds.rem_euclid(DAY) }
    }

    pub(super) fn hour(self) -> i64 {
        self.second / HOUR
    }

    pub(super) fn minute(self) -> i64 {
        self.second % HOUR / MINUTE
    }
}
