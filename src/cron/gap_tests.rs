//! The smallest gap and the fullest hour, by hand and by brute force.

use jiff::Timestamp;

use super::calendar::DAY;
use super::gap::{Tightest, tightest};
use super::generate::{Random, expression};
use super::next::{Search, whole_second};
use super::offsets::Offsets;
use super::{Expression, time_zone};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

/// The smallest gap in seconds and the most deliveries in an hour, from the start of 2026.
fn from_2026(schedule: &str, zone: &str) -> Option<(u64, u32)> {
    let expression = Expression::parse(schedule, None).expect("a schedule");
    let zone = time_zone(zone).expect("a zone");
    let found = expression.tightest(&zone, at("2026-01-01T00:00:00Z"))?;
    Some((found.min_gap_seconds, found.max_per_hour))
}

#[test]
fn finds_the_gap_within_a_day() {
    assert_eq!(from_2026("* * * * *", "UTC"), Some((60, 60)));
    assert_eq!(from_2026("*/15 * * * *", "UTC"), Some((900, 4)));
    assert_eq!(from_2026("0,59 * * * *", "UTC"), Some((60, 2)));
    assert_eq!(from_2026("5,7 3 * * *", "UTC"), Some((120, 2)));
    assert_eq!(from_2026("*/7 * * * *", "UTC"), Some((240, 9)));
    assert_eq!(from_2026("50 1,4,6 * * *", "UTC"), Some((7_200, 1)));
}

#[test]
fn finds_a_gap_that_only_shows_across_midnight() {
    assert_eq!(from_2026("0,59 0,23 * * *", "UTC"), Some((60, 2)));
    assert_eq!(from_2026("0 0,23 * * *", "UTC"), Some((3_600, 1)));
    // Mondays and Wednesdays: no two matching days in a row, so no gap over a single night.
    assert_eq!(from_2026("0 0,23 * * 1,3", "UTC"), Some((23 * 3_600, 1)));
}

#[test]
fn finds_a_gap_that_only_shows_at_the_end_of_a_month() {
    let day = 86_400;
    assert_eq!(from_2026("0 0 1,30 * *", "UTC"), Some((day, 1)));
    assert_eq!(from_2026("0 0 1,29 * *", "UTC"), Some((day, 1)));
    assert_eq!(from_2026("0 0 */30 * *", "UTC"), Some((day, 1)));
    assert_eq!(from_2026("0 0 1 * *", "UTC"), Some((28 * day, 1)));
    // The 13th and Fridays, since both fields are restricted: a Friday the 12th and the Saturday after it are a day apart.
    assert_eq!(from_2026("0 0 13 * 5", "UTC"), Some((day, 1)));
}

#[test]
fn finds_a_gap_that_only_shows_in_leap_years() {
    let day = 86_400;
    assert_eq!(from_2026("0 0 29 2 *", "UTC"), Some((1_461 * day, 1)));
    assert_eq!(from_2026("0 0 1 3 *", "UTC"), Some((365 * day, 1)));
    assert_eq!(from_2026("0 0 29,31 2-3 *", "UTC"), Some((2 * day, 1)));
    assert_eq!(from_2026("0 0 27,29 2 *", "UTC"), Some((2 * day, 1)));
}

#[test]
fn finds_a_gap_that_only_a_change_of_the_clocks_makes() {
    // An hour that occurs twice.
    assert_eq!(from_2026("30 1 * * *", "America/New_York"), Some((3_600, 1)));
    assert_eq!(from_2026("30 2 * * *", "Europe/Berlin"), Some((3_600, 1)));
    // A day of 23 hours.
    assert_eq!(from_2026("0 12 * * *", "Europe/Berlin"), Some((23 * 3_600, 1)));
    assert_eq!(from_2026("0 12 * * 1", "Europe/Berlin"), Some((7 * 86_400 - 3_600, 1)));
    // The clocks go forward on the 8th to the 14th of March: in some years before the 10th, in others after it.
    assert_eq!(from_2026("0 12 10 3 *", "America/New_York"), Some((365 * 86_400 - 3_600, 1)));
    assert_eq!(from_2026("0 12 20 3 *", "America/New_York"), Some((365 * 86_400, 1)));
    assert_eq!(from_2026("0 12 * * *", "Asia/Kolkata"), Some((86_400, 1)));
    // Half an hour occurs twice: the hour around it has the second half of the minutes twice.
    assert_eq!(from_2026("30-59 * * * *", "Australia/Lord_Howe"), Some((60, 60)));
    assert_eq!(from_2026("30-59 * * * *", "Australia/Sydney"), Some((60, 30)));
}

#[test]
fn says_that_an_expression_never_fires() {
    for schedule in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", ", * * * *", "0 , * * *", "0 0 , * *", "0 0 1 , *", "0 0 , 1 ,"]
    {
        assert_eq!(from_2026(schedule, "Europe/Berlin"), None, "{schedule}");
        let expression = Expression::parse(schedule, None).expect("a schedule");
        assert!(!expression.ever_fires(), "{schedule}");
        let zone = time_zone("Europe/Berlin").expect("a zone");
        assert_eq!(expression.upcoming(&zone, at("2026-01-01T00:00:00Z")).next(), None, "{schedule}");
    }
}

#[test]
fn leaves_past_changes_of_the_clocks_out() {
    // Russia last changed its clocks in 2014.
    assert_eq!(from_2026("30 1 * * *", "Europe/Moscow"), Some((86_400, 1)));
    let expression = Expression::parse("30 1 * * *", None).expect("a schedule");
    let zone = time_zone("Europe/Moscow").expect("a zone");
    let found = expression.tightest(&zone, at("2014-01-01T00:00:00Z")).expect("deliveries");
    assert_eq!(found.min_gap_seconds, 3_600);
}

/// Visits every delivery in `span` seconds, one by one. After a search that finds nothing, the next starts a year later.
fn by_brute_force(expression: &Expression, zone: &str, from: Timestamp, span: i64) -> Option<Tightest> {
    let zone = time_zone(zone).expect("a zone");
    let from = whole_second(from);
    let until = from + span;
    let offsets = Offsets::new(&zone, from, until);
    let search = Search { fields: &expression.fields, offsets: &offsets };
    let mut deliveries = Vec::new();
    let (mut start, mut gap) = (from, i64::MAX);
    let mut last: Option<i64> = None;
    while start < until {
        let Some(next) = search.after(start) else {
            (start, last) = (start + 366 * DAY, None);
            continue;
        };
        if let Some(last) = last {
            gap = gap.min(next - last);
        }
        deliveries.push(next);
        (start, last) = (next, Some(next));
    }
    let mut first = 0;
    let in_hour = |last: usize| {
        while deliveries[first] <= deliveries[last] - 3_600 {
            first += 1;
        }
        last - first + 1
    };
    let most = (0..deliveries.len()).map(in_hour).max().unwrap_or(0);
    let min_gap_seconds = u64::try_from(gap).ok().filter(|_| gap != i64::MAX)?;
    Some(Tightest { min_gap_seconds, max_per_hour: u32::try_from(most).expect("few") })
}

const ZONES: [&str; 16] = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Europe/Dublin",
    "America/St_Johns",
    "Pacific/Apia",
    "Antarctica/Troll",
    "America/Havana",
    "America/Santiago",
    "Asia/Beirut",
    "Africa/Cairo",
    "Atlantic/Azores",
    "America/Nuuk",
    "Asia/Gaza",
];

#[test]
fn agrees_with_brute_force_over_twelve_years() {
    let cases: u32 = std::env::var("POSTERN_GAP_CASES").map_or(60, |cases| cases.parse().expect("a number"));
    let mut random = Random(20_260_101);
    let mut from_changes = 0;
    for _ in 0..cases {
        let schedule = expression(&mut random);
        let zone = *random.pick(&ZONES);
        let from = random.between(0, 130 * 365) * DAY + random.between(0, DAY);
        let from = Timestamp::from_second(from).expect("in range");
        let expression = Expression::parse(&schedule, None).expect(&schedule);
        let span = 12 * 366 * DAY;
        let time_zone = time_zone(zone).expect("a zone");
        let found = tightest(&expression.fields, &time_zone, from, span);
        let expected = by_brute_force(&expression, zone, from, span);
        assert_eq!(found, expected, "{schedule:?} in {zone} from {from}");
        let in_utc = tightest(&expression.fields, &jiff::tz::TimeZone::UTC, from, span);
        from_changes += u32::from(in_utc != found);
    }
    println!(
        "{cases} expressions agree with brute force over 12 years; changes of the clocks made {from_changes} of the answers"
    );
}

#[test]
fn agrees_with_brute_force_over_the_full_cycle() {
    let schedules =
        ["0 12 10 3 *", "0 2 29 2 *", "30 1 * 3,11 0", "0 0 13 * 5", "15,45 0,23 */10 * *", "30 2 25-31 3,10 *"];
    let from = at("2026-11-24T00:00:00Z");
    for schedule in schedules {
        for zone in ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "America/Havana"]
        {
            let expression = Expression::parse(schedule, None).expect("a schedule");
            let found = expression.tightest(&time_zone(zone).expect("a zone"), from);
            assert_eq!(found, by_brute_force(&expression, zone, from, super::gap::FULL_CYCLE), "{schedule} in {zone}");
        }
    }
}
