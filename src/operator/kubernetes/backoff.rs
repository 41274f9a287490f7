//! How long to wait before a retry: twice as long after each failure, for each object separately.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// How often each object has failed in a row.
#[derive(Default)]
pub(crate) struct Backoff(Mutex<HashMap<String, u32>>);

impl Backoff {
    /// Counts a failure, and returns how long to wait, with a random jitter of up to a quarter in either direction.
    pub(crate) fn wait(&self, name: &str) -> Duration {
        let mut failures = self.0.lock();
        let count = failures.entry(name.into()).or_default();
        let wait = SHORTEST.saturating_mul(2_u32.saturating_pow(*count)).min(LONGEST);
        *count += 1;
        wait.mul_f64(0.75 + f64::from(chance()) / f64::from(u8::MAX) / 2.0)
    }

    /// Resets an object that succeeded or was deleted.
    pub(crate) fn forget(&self, name: &str) {
        self.0.lock().remove(name);
    }
}

/// A random number. Without randomness, the waits merely have no jitter.
fn chance() -> u8 {
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_the_wait_of_what_fails_again_and_starts_anew_after_a_success() {
        let failures = Backoff::default();
        let within = |wait: Duration, seconds: u64| {
            let seconds = Duration::from_secs(seconds);
            assert!(wait >= seconds.mul_f64(0.75) && wait <= seconds.mul_f64(1.25), "{wait:?}");
        };
        for seconds in [1, 2, 4, 8] {
            within(failures.wait("a"), seconds);
        }
        within(failures.wait("b"), 1);
        failures.forget("a");
        within(failures.wait("a"), 1);
        for _ in 0..100 {
            assert!(failures.wait("a") <= LONGEST.mul_f64(1.25));
        }
    }
}
