//! The closest usual schedule that keeps a gap. Messages name it when a schedule's deliveries come too close.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Expression;

/// Schedules as people write them, from close to far, with the seconds between two deliveries where no clock is changed.
const USUAL: [(&str, u64); 22] = [
    ("* * * * *", 60),
    ("*/2 * * * *", 120),
    ("*/3 * * * *", 180),
    ("*/4 * * * *", 240),
    ("*/5 * * * *", 300),
    ("*/6 * * * *", 360),
    ("*/10 * * * *", 600),
    ("*/12 * * * *", 720),
    ("*/15 * * * *", 900),
    ("*/20 * * * *", 1_200),
    ("*/30 * * * *", 1_800),
    ("0 * * * *", 3_600),
    ("0 */2 * * *", 7_200),
    ("0 */3 * * *", 10_800),
    ("0 */4 * * *", 14_400),
    ("0 */6 * * *", 21_600),
    ("0 */8 * * *", 28_800),
    ("0 */12 * * *", 43_200),
    ("0 0 * * *", 86_400),
    ("0 0 * * 0", 604_800),
    ("0 0 1 * *", 2_419_200),
    ("0 0 1 1 *", 31_536_000),
];

/// The first of the usual schedules whose deliveries are never closer than this many seconds in `zone`, from `from` on. `None`
/// when even a yearly schedule's are closer.
#[must_use]
pub fn closest_usual(min_gap_seconds: u64, zone: &TimeZone, from: Timestamp) -> Option<&'static str> {
    let far_enough = USUAL.into_iter().filter(|(_, gap)| *gap >= min_gap_seconds);
    far_enough.map(|(text, _)| text).find(|text| {
        let tightest = Expression::parse(text, None).ok().and_then(|expression| expression.tightest(zone, from));
        tightest.is_some_and(|tightest| tightest.min_gap_seconds >= min_gap_seconds)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cron::time_zone;

    fn closest(seconds: u64, zone: &str) -> Option<&'static str> {
        closest_usual(
            seconds,
            &time_zone(zone).unwrap(),
            Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(500_000),
        )
    }

    #[test]
    fn names_the_first_that_keeps_the_gap() {
        assert_eq!(closest(60, "UTC"), Some("* * * * *"));
        assert_eq!(closest(61, "UTC"), Some("*/2 * * * *"));
        assert_eq!(closest(900, "UTC"), Some("*/15 * * * *"));
        assert_eq!(closest(901, "UTC"), Some("*/20 * * * *"));
        assert_eq!(closest(86_400, "UTC"), Some("0 0 * * *"));
        assert_eq!(closest(366 * 86_400, "UTC"), None);
    }

    #[test]
    fn knows_the_gap_of_each_where_no_clock_is_changed() {
        let zone = time_zone("UTC").unwrap();
        for (text, gap) in USUAL {
            let tightest = Expression::parse(text, None).unwrap().tightest(&zone, Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(tightest.min_gap_seconds, gap, "{text}");
        }
    }

    #[test]
    fn takes_changes_of_the_clocks_into_account() {
        assert_eq!(closest(86_400, "Europe/Berlin"), Some("0 0 * * 0"), "a day in spring has 23 hours");
    }
}
