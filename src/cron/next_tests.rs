//! Next times where the clocks change, as the `CronJob` controller finds them. `differential_tests` compares many more with the
//! controller's own library.

use jiff::Timestamp;

use super::calendar::{Date, date, first_of_month, weekday};
use super::{Expression, time_zone};

/// The next times after a local time, as local times with their offsets.
fn next(schedule: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let expression = Expression::parse(schedule, None).expect("a schedule");
    let time_zone = time_zone(zone).expect("a zone");
    let from: Timestamp = from.parse().expect("a timestamp");
    let local = |time: Timestamp| time.to_zoned_datetime(time_zone.clone()).strftime("%m-%d %H:%M%:z").to_string();
    expression.upcoming(&time_zone, from).take(count).map(local).collect()
}

#[test]
fn fires_twice_in_an_hour_that_occurs_twice() {
    assert_eq!(
        next("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 3),
        ["11-01 01:30-04:00", "11-01 01:30-05:00", "11-02 01:30-05:00"]
    );
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 3),
        ["10-25 02:30+02:00", "10-25 02:30+01:00", "10-26 02:30+01:00"]
    );
}

#[test]
fn does_not_fire_in_an_hour_that_is_skipped() {
    assert_eq!(
        next("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        ["03-28 02:30+01:00", "03-30 02:30+02:00", "03-31 02:30+02:00"]
    );
    assert_eq!(
        next("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 3),
        ["03-29 01:30+01:00", "03-29 03:00+02:00", "03-29 03:30+02:00"]
    );
}

#[test]
fn passes_over_a_day_whose_midnight_is_skipped() {
    // Clocks in Beirut go from Saturday 24:00 to Sunday 01:00 on 29 March 2026.
    assert_eq!(
        next("0 12 * * 0", "Asia/Beirut", "2026-03-23T00:00:00Z", 2),
        ["04-05 12:00+03:00", "04-12 12:00+03:00"]
    );
}

#[test]
fn is_off_by_half_an_hour_for_a_day_where_the_clocks_move_by_that() {
    // The walk by hours arrives at 20:30, after the minute that the expression asks for.
    assert_eq!(
        next("0 20 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
        ["10-03 20:00+10:30", "10-05 20:00+11:00"]
    );
    // The walk by minutes goes from 01:59 to 02:30.
    assert_eq!(
        next("35 1 * * *", "Australia/Lord_Howe", "2026-10-03T14:00:00Z", 2),
        ["10-04 01:35+10:30", "10-04 02:35+11:00"]
    );
}

#[test]
fn goes_on_where_a_time_would_follow_itself() {
    // Clocks in St John's went from 00:01 back to 23:01 on 25 October 1998.
    assert_eq!(
        next("46 */15 * * *", "America/St_Johns", "1998-10-24T20:00:00Z", 3),
        ["10-24 23:46-03:30", "10-25 00:46-03:30", "10-25 15:46-03:30"]
    );
}

#[test]
fn joins_days_of_the_month_and_weekdays_by_their_stars() {
    let from = "2026-11-01T00:00:00Z";
    assert_eq!(next("0 0 13 * 5", "UTC", from, 3), ["11-06 00:00+00:00", "11-13 00:00+00:00", "11-20 00:00+00:00"]);
    assert_eq!(next("0 0 * * 5", "UTC", from, 1), ["11-06 00:00+00:00"]);
    assert_eq!(next("0 0 13 * *", "UTC", from, 1), ["11-13 00:00+00:00"]);
}

#[test]
fn is_later_than_where_it_starts() {
    assert_eq!(next("0 0 * * *", "UTC", "2026-01-01T00:00:00Z", 1), ["01-02 00:00+00:00"]);
    assert_eq!(next("0 0 * * *", "UTC", "2025-12-31T23:59:59.999Z", 1), ["01-01 00:00+00:00"]);
    assert_eq!(next("0 0 * * *", "UTC", "1969-12-31T23:59:59.5Z", 1), ["01-01 00:00+00:00"]);
}

#[test]
fn looks_five_calendar_years_ahead() {
    let found = |from| next("0 0 29 2 *", "UTC", from, 1).len();
    assert_eq!(found("2096-02-28T00:00:00Z"), 1);
    assert_eq!(found("2098-12-31T23:59:58Z"), 0);
    assert_eq!(found("2098-12-31T23:59:59Z"), 1);
}

#[test]
fn ends_with_the_last_year_that_can_be_said() {
    assert_eq!(next("0 0 1 1 *", "UTC", "9998-06-01T00:00:00Z", 3).len(), 1);
}

#[test]
fn knows_the_calendar() {
    let mut expected = Date { year: 1599, month: 12, day: 31 };
    for days in first_of_month(1600, 1)..first_of_month(2001, 1) {
        let length = match expected.month {
            4 | 6 | 9 | 11 => 30,
            2 if expected.year % 4 == 0 && (expected.year % 100 != 0 || expected.year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        };
        expected = match expected {
            Date { day, .. } if day < length => Date { day: day + 1, ..expected },
            Date { year, month: 12, .. } => Date { year: year + 1, month: 1, day: 1 },
            Date { year, month, .. } => Date { year, month: month + 1, day: 1 },
        };
        assert_eq!(date(days), expected);
    }
    assert_eq!(first_of_month(1970, 1), 0);
    assert_eq!(weekday(0), 4);
    assert_eq!(weekday(10_957), 6, "1 January 2000 was a Saturday");
}
