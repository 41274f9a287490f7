//! The local times that an expression matches. Away from changes of the clocks, these are its deliveries.

use super::calendar::{DAY, Date, HOUR, Local, MINUTE, date, first_of_month, weekday};
use super::field::Fields;

/// The local times at which an expression matches.
pub(super) struct Pattern<'a> {
    pub(super) fields: &'a Fields,
    /// Seconds of the day, ascending. Never empty.
    pub(super) times: Vec<i64>,
    /// The smallest gap between two of `times`; `i64::MAX` when there is only one.
    pub(super) within_day: i64,
    /// The gap from the last of `times` to the first on the day after.
    pub(super) over_midnight: i64,
    /// How many deliveries there are in an hour that has any.
    pub(super) per_hour: u32,
    /// The weekdays as bits, Sunday first, repeated.
    weekdays: u64,
}

impl<'a> Pattern<'a> {
    pub(super) fn new(fields: &'a Fields) -> Self {
        let minutes =
            |hour| fields.minutes.iter().map(move |minute| i64::from(hour) * HOUR + i64::from(minute) * MINUTE);
        let times: Vec<i64> = fields.hours.iter().flat_map(minutes).collect();
        let weekdays = (0..57).step_by(7).fold(0, |weeks, shift| weeks | fields.weekdays.set.bits() << shift);
        let within_day = smallest_difference(&times);
        let ends = times.first().zip(times.last());
        let over_midnight = ends.map_or(i64::MAX, |(first, last)| DAY + first - last);
        Self { fields, times, within_day, over_midnight, per_hour: fields.minutes.len(), weekdays }
    }

    fn day_fits(&self, days: i64) -> bool {
        self.fields.date_fits(date(days), weekday(days))
    }

    pub(super) fn fits(&self, local_seconds: i64) -> bool {
        let local = Local::of(local_seconds);
        self.day_fits(local.days) && self.times.binary_search(&local.second).is_ok()
    }

    /// The matching days later than `days`, in order, without end. At least one must exist.
    pub(super) fn days_after(&self, days: i64) -> impl Iterator<Item = i64> {
        let Date { year, month, day } = date(days);
        let mut month = year * 12 + i64::from(month) - 1;
        let mut first = days - i64::from(day) + 1;
        let mut matching = self.days_of(month, first) & (!0 << day);
        std::iter::from_fn(move || {
            while matching == 0 {
                first = first_of_month(0, month + 2);
                month += 1;
                matching = self.days_of(month, first);
            }
            let days = first + i64::from(matching.trailing_zeros());
            matching &= matching - 1;
            Some(days)
        })
    }

    /// The matching days of a month as bits, with the first day as bit 0. The month is counted from January of year 0, and
    /// `first` is its first day.
    fn days_of(&self, month: i64, first: i64) -> u64 {
        let number = month.rem_euclid(12) + 1;
        if self.fields.months.bits() >> number & 1 == 0 {
            return 0;
        }
        let length = first_of_month(0, month + 2) - first;
        let days = self.fields.days.set.bits() >> 1;
        let weekdays = self.weekdays >> weekday(first);
        let matching = if self.fields.days_and_weekdays() { days & weekdays } else { days | weekdays };
        matching & !(!0 << length)
    }

    /// The last matching local time at or before `limit` but not before `earliest`, which matches.
    pub(super) fn last_until(&self, limit: i64, earliest: i64) -> i64 {
        let Local { mut days, mut second } = Local::of(limit);
        while days * DAY + second > earliest {
            if self.day_fits(days)
                && let Some(index) = self.times.partition_point(|&time| time <= second).checked_sub(1)
            {
                return days * DAY + self.times[index];
            }
            let today = date(days);
            let month_fits = self.fields.months.has(today.month);
            days = if month_fits { days } else { first_of_month(today.year, i64::from(today.month)) } - 1;
            second = DAY - 1;
        }
        earliest
    }
}

/// The smallest difference between neighbours; `i64::MAX` when there are none.
pub(super) fn smallest_difference(ascending: &[i64]) -> i64 {
    ascending.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(i64::MAX)
}
