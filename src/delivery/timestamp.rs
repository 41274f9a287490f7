//! Points in time as the contract and receivers see them.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const DAY: u64 = 86_400;
/// 9999-12-31T23:59:59Z: RFC 3339 has four digits for the year.
const LAST: u64 = 253_402_300_799;

/// A whole second between 1970 and 9999, written as RFC 3339 in UTC: `2025-12-03T02:24:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(u64);

/// The text is not exactly of the form `2025-12-03T02:24:00Z`, or names a time that doesn't exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is written as 2025-12-03T02:24:00Z")]
pub struct TimestampMalformed;

impl Timestamp {
    /// The time at these Unix seconds; `None` after the year 9999.
    #[must_use]
    pub fn from_unix(seconds: u64) -> Option<Timestamp> {
        (seconds <= LAST).then_some(Timestamp(seconds))
    }

    /// The second that a system clock shows. For a clock out of range, it is the nearest end of the range.
    #[must_use]
    pub fn of(time: SystemTime) -> Timestamp {
        Timestamp(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).min(LAST))
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn unix(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.0 / DAY);
        let second = self.0 % DAY;
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl FromStr for Timestamp {
    type Err = TimestampMalformed;

    fn from_str(text: &str) -> Result<Timestamp, TimestampMalformed> {
        let number = |from: usize, to: usize| -> Option<u64> {
            let digits = text.get(from..to)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let seconds = || {
            let days = days_before(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
            Some(days * DAY + number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?)
        };
        // Text that is out of range or has other separators differs from how the time is written.
        seconds().and_then(Timestamp::from_unix).filter(|time| time.to_string() == text).ok_or(TimestampMalformed)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampMalformed;

    fn try_from(text: String) -> Result<Timestamp, TimestampMalformed> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn month_lengths(year: u64) -> [u64; 12] {
    [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// Days from 1970-01-01 to the first of January of the year.
fn days_before_year(year: u64) -> u64 {
    let leap_days = |years: u64| years / 4 - years / 100 + years / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let months = month_lengths(year).into_iter().zip(1..month).map(|(length, _)| length).sum::<u64>();
    Some(days_before_year(year) + months + day - 1)
}

fn date_of(days: u64) -> (u64, u64, u64) {
    // No year is longer than 366 days, so this year is never too late; the loop adds a few years at most.
    let mut year = 1970 + days / 366;
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let mut day = days - days_before_year(year);
    let mut month = 1;
    for length in month_lengths(year) {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    (year, month, day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_known_times() {
        // date -u -d @SECONDS +%FT%TZ
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (1_764_728_640, "2025-12-03T02:24:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (LAST, "9999-12-31T23:59:59Z"),
        ] {
            let time = Timestamp::from_unix(seconds).unwrap();
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse::<Timestamp>().unwrap(), time);
        }
        assert_eq!(Timestamp::from_unix(LAST + 1), None);
    }

    #[test]
    fn agrees_with_httpdate_on_every_day_of_four_centuries() {
        for days in 0..146_097 {
            let http = httpdate::fmt_http_date(UNIX_EPOCH + std::time::Duration::from_secs(days * DAY));
            let (year, _, day) = date_of(days);
            assert_eq!(http[5..7].parse::<u64>().unwrap(), day);
            assert_eq!(http[12..16].parse::<u64>().unwrap(), year);
            let text = Timestamp::from_unix(days * DAY).unwrap().to_string();
            assert_eq!(text.parse::<Timestamp>().unwrap().unix(), days * DAY);
        }
    }

    #[test]
    fn reads_no_other_form() {
        for text in [
            "",
            "2025-12-03",
            "2025-12-03T02:24:00",
            "2025-12-03T02:24:00+00:00",
            "2025-12-03t02:24:00z",
            "2025-12-03T02:24:00.0Z",
            "2025-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-01T00:00:00Z",
            "2025-01-00T00:00:00Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:60:00Z",
            "2025-01-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "+025-01-01T00:00:00Z",
            "2025/01/01T00:00:00Z",
            "２025-01-01T00:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampMalformed), "{text:?}");
        }
    }
}
