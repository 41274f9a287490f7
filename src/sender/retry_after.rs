//! `Retry-After` (RFC 9110, 10.2.3).

use std::time::{Duration, SystemTime};

use crate::delivery::MAX_RETRY_AFTER_SECONDS;

/// How long the receiver asks to wait, at most [`MAX_RETRY_AFTER_SECONDS`]; `None` when it says nothing that can be
/// understood. A date that has passed asks for no wait.
pub(super) fn retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let most = Duration::from_secs(MAX_RETRY_AFTER_SECONDS);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds ask for more than the most.
        return Some(text.parse().map_or(most, Duration::from_secs).min(most));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(most))
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
        for value in ["3601", "99999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(retry_after(value.as_bytes(), late), Some(Duration::from_hours(1)), "{value}");
        }
    }

    #[test]
    fn makes_nothing_of_what_it_cannot_read() {
        for value in ["", " ", "-1", "1.5", "soon", "1994-11-06T08:49:37Z"] {
            assert_eq!(retry_after(value.as_bytes(), UNIX_EPOCH), None, "{value:?}");
        }
        assert_eq!(retry_after(b"\xff", UNIX_EPOCH), None);
    }
}
