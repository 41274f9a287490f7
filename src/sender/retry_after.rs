//! `Retry-After` (RFC 9110, 10.2.3).

use std::time::{Duration, SystemTime};

use crate::delivery::MAX_RETRY_AFTER_SECONDS;

/// A number above this many seconds is not meant as a wait in seconds: it is milliseconds, or a Unix time.
const ABSURD_SECONDS: u64 = 86_400;

/// How long the receiver asks to wait, at most [`MAX_RETRY_AFTER_SECONDS`]; `None` when the value can't be understood or asks for
/// more than a day. A fraction of a second counts as a whole second, and a date in the past asks for no wait.
pub(super) fn retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let asked_for = match seconds(text) {
        Some(seconds) => Duration::from_secs(seconds),
        None => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    let absurd = asked_for > Duration::from_secs(ABSURD_SECONDS);
    (!absurd).then(|| asked_for.min(Duration::from_secs(MAX_RETRY_AFTER_SECONDS)))
}

/// Digits, possibly with a fraction; `None` for anything else.
fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    // A number with too many digits to parse is absurd.
    let whole = whole.parse().unwrap_or(u64::MAX);
    let part = u64::from(fraction.bytes().any(|digit| digit != b'0'));
    Some(whole.saturating_add(part))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn reads_seconds_and_the_three_forms_of_a_date() {
        // 1994-11-06T08:49:37Z, the example of RFC 9110, 5.6.7.
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777 - 90);
        assert_eq!(retry_after(b"120", now), Some(Duration::from_mins(2)));
        assert_eq!(retry_after(b" 0 ", now), Some(Duration::ZERO));
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(retry_after(date.as_bytes(), now), Some(Duration::from_secs(90)), "{date}");
        }
    }

    #[test]
    fn asks_for_no_more_than_the_cap_and_no_less_than_nothing() {
        let late = UNIX_EPOCH + Duration::from_secs(784_111_777 + 1);
        assert_eq!(retry_after(b"Sun, 06 Nov 1994 08:49:37 GMT", late), Some(Duration::ZERO));
        for value in ["3601", "86400", "Mon, 07 Nov 1994 08:49:38 GMT"] {
            assert_eq!(retry_after(value.as_bytes(), late), Some(Duration::from_hours(1)), "{value}");
        }
    }

    #[test]
    fn counts_a_part_of_a_second_as_a_whole_one() {
        for (value, seconds) in [("1.5", 2), ("0.25", 1), ("120.0", 120), ("7.", 7)] {
            assert_eq!(retry_after(value.as_bytes(), UNIX_EPOCH), Some(Duration::from_secs(seconds)), "{value}");
        }
    }

    #[test]
    fn ignores_what_nobody_means() {
        let late = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for value in ["86401", "120000", "784111900", "99999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(retry_after(value.as_bytes(), late), None, "{value}");
        }
    }

    #[test]
    fn makes_nothing_of_what_it_cannot_read() {
        for value in ["", " ", ".", ".5", "-1", "+1", "1.5.2", "1,5", "1e3", "120s", "soon", "1994-11-06T08:49:37Z"] {
            assert_eq!(retry_after(value.as_bytes(), UNIX_EPOCH), None, "{value:?}");
        }
        assert_eq!(retry_after(b"\xff", UNIX_EPOCH), None);
    }
}
