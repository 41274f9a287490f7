//! The waits between attempts.

use std::time::Duration;

use crate::delivery::Backoff;

/// How long to wait after the given failed attempt (from 1): exponential, with full jitter.
///
/// The wait is spread evenly from the smallest wait to an upper end, which is twice the smallest wait (2 seconds, when
/// there is none) after the first attempt and doubles with each one, up to the largest wait. `random` is any number,
/// evenly spread.
pub(super) fn backoff(after_attempt: u32, Backoff { min_seconds, max_seconds }: Backoff, random: u64) -> Duration {
    let doubled = 1_u64.checked_shl(after_attempt.min(32)).unwrap_or(u64::MAX);
    let upper_seconds = u64::from(min_seconds.max(1)).saturating_mul(doubled).min(max_seconds.into());
    let min_ms = u64::from(min_seconds) * 1_000;
    let spread_ms = (upper_seconds * 1_000).saturating_sub(min_ms);
    Duration::from_millis(min_ms + random % (spread_ms + 1))
}

/// How long to wait, or `None` when the attempt after the wait would come too late.
///
/// A receiver that asks for a wait gets it, if enough time is left; a shorter wait would ignore the request.
pub(super) fn wait(backoff: Duration, asked_for: Option<Duration>, left: Duration) -> Option<Duration> {
    let wait = backoff.max(asked_for.unwrap_or_default());
    (wait < left).then_some(wait)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SPEC: Backoff = Backoff { min_seconds: 2, max_seconds: 60 };

    /// The longest wait in seconds.
    fn longest(after_attempt: u32, spec: Backoff) -> u64 {
        let waits = (0..=64_000).map(|random| backoff(after_attempt, spec, random).as_secs());
        waits.max().unwrap()
    }

    #[test]
    fn upper_end_doubles_up_to_the_largest_wait() {
        for (after_attempt, upper) in [(1, 4_000), (2, 8_000), (3, 16_000), (5, 60_000), (20, 60_000)] {
            assert_eq!(backoff(after_attempt, SPEC, 0), Duration::from_secs(2));
            assert_eq!(backoff(after_attempt, SPEC, upper - 2_000), Duration::from_millis(upper), "{after_attempt}");
            assert_eq!(backoff(after_attempt, SPEC, upper - 2_000 + 1), Duration::from_secs(2), "{after_attempt}");
        }
    }

    #[test]
    fn grows_from_nothing_too() {
        let spec = Backoff { min_seconds: 0, max_seconds: 60 };
        assert_eq!([1, 2, 5, 6, 20].map(|attempt| longest(attempt, spec)), [2, 4, 32, 60, 60]);
    }

    #[test]
    fn none_at_all_when_the_spec_says_so() {
        assert_eq!(longest(7, Backoff { min_seconds: 0, max_seconds: 0 }), 0);
    }

    proptest! {
        #[test]
        fn stays_between_the_smallest_and_the_largest_wait(
            attempt in 1..=20_u32, min in 0..=3_600_u32, more in 0..=3_600_u32, random: u64,
        ) {
            let spec = Backoff { min_seconds: min, max_seconds: min + more };
            let wait = backoff(attempt, spec, random);
            prop_assert!(wait >= Duration::from_secs(min.into()));
            prop_assert!(wait <= Duration::from_secs((min + more).into()));
        }
    }

    #[test]
    fn gives_a_receiver_the_time_that_it_asks_for_or_gives_up() {
        let seconds = Duration::from_secs;
        assert_eq!(wait(seconds(2), None, seconds(10)), Some(seconds(2)));
        assert_eq!(wait(seconds(2), Some(seconds(5)), seconds(10)), Some(seconds(5)));
        assert_eq!(wait(seconds(2), Some(seconds(1)), seconds(10)), Some(seconds(2)));
        assert_eq!(wait(seconds(2), Some(seconds(10)), seconds(10)), None);
        assert_eq!(wait(seconds(10), None, seconds(10)), None);
    }
}
