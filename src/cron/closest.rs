//! The closest usual schedule that keeps a gap, to name to somebody whose own is too close.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Expression;

/// From close to far, as people write them.
const USUAL: [&str; 22] = [
    "* * * * *",
    "*/2 * * * *",
    "*/3 * * * *",
    "*/4 * * * *",
    "*/5 * * * *",
    "*/6 * * * *",
    "*/10 * * * *",
    "*/12 * * * *",
    "*/15 * * * *",
    "*/20 * * * *",
    "*/30 * * * *",
    "0 * * * *",
    "0 */2 * * *",
    "0 */3 * * *",
    "0 */4 * * *",
    "0 */6 * * *",
    "0 */8 * * *",
    "0 */12 * * *",
    "0 0 * * *",
    "0 0 * * 0",
    "0 0 1 * *",
    "0 0 1 1 *",
];

/// The first of the usual schedules whose deliveries never come closer than so many seconds in `zone`, from `from` on.
/// `None` when even a yearly one does.
#[must_use]
pub fn closest_usual(min_gap_seconds: u64, zone: &TimeZone, from: Timestamp) -> Option<&'static str> {
    USUAL.into_iter().find(|text| {
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
    fn takes_changes_of_the_clocks_into_account() {
        assert_eq!(closest(86_400, "Europe/Berlin"), Some("0 0 * * 0"), "a day in spring has 23 hours");
    }
}
