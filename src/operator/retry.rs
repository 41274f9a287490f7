//! How long to wait before a reconcile that failed is tried again.
//!
//! As long as it has been failing: so the waits double, each schedule has its own, and a restart of the operator starts none
//! of them anew, since what it is measured by stands in the schedule's status.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::status::SCHEDULED;
use crate::api::WebhookSchedule;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);

/// The wait, a quarter shorter or longer by chance.
pub(super) fn after(schedule: &WebhookSchedule, now: Timestamp, chance: u8) -> Duration {
    let mut conditions = schedule.status.iter().flat_map(|status| &status.conditions);
    let failing = conditions.find(|condition| condition.type_ == SCHEDULED && condition.status == "False");
    let failing_for = failing.map(|condition| now.duration_since(condition.last_transition_time.0));
    let wait = failing_for.and_then(|time| Duration::try_from(time).ok()).unwrap_or(SHORTEST).clamp(SHORTEST, LONGEST);
    spread(wait, chance)
}

/// How often each of the objects that have no status has failed in a row.
#[derive(Default)]
pub(super) struct Failures(Mutex<HashMap<String, u32>>);

impl Failures {
    /// Counts a failure, and says how long to wait.
    pub(super) fn wait(&self, name: &str) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(name.into()).or_default();
        let wait = SHORTEST.saturating_mul(2_u32.saturating_pow(*count)).min(LONGEST);
        *count += 1;
        spread(wait, random())
    }

    /// It has not failed this time.
    pub(super) fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// A quarter shorter or longer by chance.
fn spread(wait: Duration, chance: u8) -> Duration {
    wait.mul_f64(0.75 + f64::from(chance) / f64::from(u8::MAX) / 2.0)
}

/// Without randomness the waits are merely not spread.
pub(super) fn random() -> u8 {
    let mut byte = [0];
    let _ = SystemRandom::new().fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operator::testdata::schedule;

    fn wait_after(seconds: i64, chance: u8) -> Duration {
        let mut schedule = schedule();
        schedule.status = serde_json::from_value(json!({"conditions": [{
            "type": "Scheduled", "status": "False", "reason": "NameTaken", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]}))
        .unwrap();
        let since: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        after(&schedule, Timestamp::from_second(since.as_second() + seconds).unwrap(), chance)
    }

    #[test]
    fn waits_as_long_again_as_it_has_failed_within_bounds() {
        for (failing_for, seconds) in [(-5, 1), (0, 1), (4, 4), (64, 64), (100_000, 300)] {
            let seconds = Duration::from_secs(seconds);
            assert_eq!(wait_after(failing_for, 0), seconds.mul_f64(0.75), "{failing_for}");
            assert_eq!(wait_after(failing_for, u8::MAX), seconds.mul_f64(1.25), "{failing_for}");
        }
    }

    #[test]
    fn doubles_the_wait_of_what_fails_again_and_starts_anew_after_a_success() {
        let failures = Failures::default();
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

    #[test]
    fn tries_soon_again_what_has_not_failed_before() {
        assert_eq!(after(&schedule(), Timestamp::UNIX_EPOCH, 0), SHORTEST.mul_f64(0.75));
    }
}
