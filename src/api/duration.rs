//! A span of time, written as Kubernetes users write it.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A span of time in whole seconds, written as `720h`, `15m` or `1h30m`.
///
/// Every text that it accepts has the same meaning in Go's `time.ParseDuration`, as in `metav1.Duration`. Go accepts more: signs,
/// fractions and units below the second are of no use here, and repeated or unordered units are mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(std::time::Duration);

/// The text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m")]
pub struct ParseDurationError;

const UNITS: [(char, u64); 3] = [('h', 3_600), ('m', 60), ('s', 1)];
/// The number of digits that the longest duration needs for its hours.
const MAX_DIGITS: usize = 6;
/// More than a century, which Go's 64 bits of nanoseconds can hold.
const MAX_SECONDS: u64 = 999_999 * 3_600;

impl Duration {
    /// The texts that can be read, as an RE2 regular expression.
    pub(super) const PATTERN: &str =
        "^([0-9]{1,6}h([0-9]{1,6}m)?([0-9]{1,6}s)?|[0-9]{1,6}m([0-9]{1,6}s)?|[0-9]{1,6}s)$";

    /// A whole number of hours.
    #[must_use]
    pub const fn from_hours(hours: u32) -> Duration {
        Duration(std::time::Duration::from_secs(hours as u64 * 3_600))
    }

    /// The duration in seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// The duration in seconds, for arithmetic with times.
    #[must_use]
    pub fn seconds(self) -> i64 {
        i64::try_from(self.as_secs()).unwrap_or(i64::MAX)
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Duration, ParseDurationError> {
        let mut seconds = 0;
        let mut rest = text;
        for (unit, factor) in UNITS {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            if digits == 0 || digits > MAX_DIGITS || !rest[digits..].starts_with(unit) {
                continue;
            }
            let number: u64 = rest[..digits].parse().map_err(|_| ParseDurationError)?;
            seconds += number * factor;
            rest = &rest[digits + 1..];
        }
        if text.is_empty() || !rest.is_empty() || seconds > MAX_SECONDS {
            return Err(ParseDurationError);
        }
        Ok(Duration(std::time::Duration::from_secs(seconds)))
    }
}

/// The shortest form: `90m` is printed as `1h30m`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.as_secs();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Duration {
    type Error = ParseDurationError;

    fn try_from(text: String) -> Result<Duration, ParseDurationError> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> String {
        duration.to_string()
    }
}

/// Only the form; each field adds its own range.
impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 32, "pattern": Duration::PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hours_minutes_and_seconds_and_prints_the_shortest_form() {
        for (text, seconds, printed) in [
            ("720h", 2_592_000, "720h"),
            ("15m", 900, "15m"),
            ("899s", 899, "14m59s"),
            ("1h30m", 5_400, "1h30m"),
            ("1h5s", 3_605, "1h5s"),
            ("90m", 5_400, "1h30m"),
            ("007m", 420, "7m"),
            ("0s", 0, "0s"),
            ("0h", 0, "0s"),
            ("999999h", 3_599_996_400, "999999h"),
            ("999m999s", 60_939, "16h55m39s"),
        ] {
            let read: Duration = text.parse().unwrap();
            assert_eq!(read.as_secs(), seconds, "{text}");
            assert_eq!(read.to_string(), printed);
            assert_eq!(printed.parse(), Ok(read));
        }
    }

    #[test]
    fn refuses_what_go_refuses_and_what_has_no_use_here() {
        for text in [
            "", "h", "1", "1d", "1h1h", "1m1h", "1 h", " 1h", "1h ", "+1h", "-1h", "1.5h", ".5h", "1ms", "1us", "1H",
            "1000000h", "0", "1h30", "٣h", "PT1H",
        ] {
            assert_eq!(text.parse::<Duration>(), Err(ParseDurationError), "{text:?}");
        }
    }
}
