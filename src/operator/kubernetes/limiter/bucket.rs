//! A rate limit for checks: a token bucket for each namespace, sized by its tier. Pure; times are Unix milliseconds.
//!
//! Buckets are keyed by the namespace's name, so nobody gains by recreating a schedule or a namespace. A full bucket is
//! equivalent to no bucket and is forgotten, so memory is bounded by the namespaces that made checks within the last hour. A
//! new operator starts with full buckets.

use std::collections::HashMap;

use parking_lot::Mutex;

/// The smallest size of a bucket, and the smallest number of tokens that it gets in an hour.
const FEWEST: u32 = 4;
/// The largest size of a bucket.
const MOST: u32 = 60;

const HOUR: i64 = 3_600_000;

/// The rate that a tier allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// The burst: how many checks at once.
    at_once: i64,
    /// The time per token, in milliseconds.
    interval: i64,
}

impl Allowance {
    /// As many checks per hour as deliveries, but at least four.
    pub(crate) fn of_tier(max_deliveries_per_hour: u32) -> Self {
        let rate = max_deliveries_per_hour.max(FEWEST);
        // Round up, so that the rate never exceeds what the tier says.
        Self { at_once: rate.min(MOST).into(), interval: (HOUR - 1) / i64::from(rate) + 1 }
    }
}

/// When a check may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Now.
    Now,
    /// At this time.
    At(i64),
}

/// The buckets of all namespaces.
#[derive(Debug, Default)]
pub(crate) struct Buckets(Mutex<HashMap<String, Bucket>>);

#[derive(Debug, Default)]
struct Bucket {
    /// When the bucket is full again, with reserved tokens counted as taken.
    full_at: i64,
    /// The tokens that are reserved, by the schedule's name.
    reserved: HashMap<String, Reserved>,
}

/// A token that is reserved for one schedule.
#[derive(Debug, Clone, Copy)]
struct Reserved {
    /// When it can be taken.
    at: i64,
    /// How much later it makes the bucket full, in milliseconds.
    interval: i64,
}

impl Buckets {
    /// Reserves a token for the next check of a schedule, unless one is reserved already, and returns when it can be taken. The
    /// time doesn't change whoever else asks, so a waiting schedule needs to ask only once more.
    ///
    /// A repeated check (`is_repeat`) reserves a token only if one is available now, so repeats don't delay checks of new
    /// specs.
    pub(crate) fn reserve(
        &self,
        namespace: &str,
        schedule: &str,
        is_repeat: bool,
        allowance: Allowance,
        now: i64,
    ) -> Turn {
        let mut buckets = self.0.lock();
        if !buckets.contains_key(namespace) {
            buckets.retain(|_, bucket| bucket.full_at > now || !bucket.reserved.is_empty());
        }
        let bucket = buckets.entry(namespace.into()).or_default();
        let known = bucket.reserved.get(schedule).map(|reserved| reserved.at);
        let at = known.unwrap_or_else(|| {
            let Allowance { at_once, interval } = allowance;
            let full_at = bucket.full_at.max(now) + interval;
            let at = now.max(full_at - at_once * interval);
            if at <= now || !is_repeat {
                bucket.full_at = full_at;
                bucket.reserved.insert(schedule.into(), Reserved { at, interval });
            }
            at
        });
        if at <= now { Turn::Now } else { Turn::At(at) }
    }

    /// Takes the token that is reserved for a schedule.
    pub(crate) fn take(&self, namespace: &str, schedule: &str) {
        if let Some(bucket) = self.0.lock().get_mut(namespace) {
            bucket.reserved.remove(schedule);
        }
    }

    /// Returns the token that is reserved for a schedule, if there is one: no check is wanted any more.
    pub(crate) fn release(&self, namespace: &str, schedule: &str) {
        if let Some(bucket) = self.0.lock().get_mut(namespace)
            && let Some(reserved) = bucket.reserved.remove(schedule)
        {
            bucket.full_at -= reserved.interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    /// How many checks of one schedule may begin at a time when as many are wanted as possible.
    fn begun(buckets: &Buckets, namespace: &str, allowance: Allowance, now: i64) -> usize {
        let begins = |_: &usize| {
            let is_now = buckets.reserve(namespace, "a", true, allowance, now) == Turn::Now;
            buckets.take(namespace, "a");
            is_now
        };
        (0..1_000).take_while(begins).count()
    }

    #[test]
    fn a_tier_allows_as_many_checks_in_an_hour_as_deliveries_but_four_at_least_and_sixty_at_once() {
        for (tier, at_once, in_an_hour) in [(0, 4, 4), (4, 4, 4), (7, 7, 7), (40, 40, 40), (60, 60, 60), (120, 60, 120)]
        {
            let (buckets, allowance) = (Buckets::default(), Allowance::of_tier(tier));
            assert_eq!(begun(&buckets, "team", allowance, 0), at_once, "{tier}");
            let later: usize = (1..=60).map(|minute| begun(&buckets, "team", allowance, minute * MINUTE)).sum();
            assert!((in_an_hour - 1..=in_an_hour).contains(&later), "{tier}: {later}");
            assert_eq!(begun(&buckets, "other", allowance, 60 * MINUTE), at_once, "another namespace");
            assert_eq!(begun(&buckets, "team", allowance, 1_000 * MINUTE), at_once, "no more than the bucket holds");
        }
    }

    #[test]
    fn what_has_to_wait_keeps_its_time_and_each_has_another() {
        let (buckets, allowance) = (Buckets::default(), Allowance::of_tier(4));
        begun(&buckets, "team", allowance, 0);
        let ask = |schedule: &str, now| buckets.reserve("team", schedule, false, allowance, now);
        assert_eq!([ask("a", 0), ask("b", 0), ask("a", 7)], [15, 30, 15].map(|minute| Turn::At(minute * MINUTE)));
        assert_eq!(ask("a", 15 * MINUTE), Turn::Now);
        assert_eq!(ask("b", 15 * MINUTE), Turn::At(30 * MINUTE));
        buckets.take("team", "a");
        assert_eq!(ask("a", 15 * MINUTE), Turn::At(45 * MINUTE), "another check");
    }

    #[test]
    fn a_repeat_takes_what_is_there_and_holds_up_no_new_spec() {
        let (buckets, allowance) = (Buckets::default(), Allowance::of_tier(4));
        begun(&buckets, "team", allowance, 0);
        for repeat in ["a", "b", "c"] {
            assert_eq!(buckets.reserve("team", repeat, true, allowance, 0), Turn::At(15 * MINUTE));
        }
        assert_eq!(buckets.reserve("team", "new", false, allowance, 0), Turn::At(15 * MINUTE));
        assert_eq!(buckets.reserve("team", "a", true, allowance, 15 * MINUTE), Turn::At(30 * MINUTE));
        assert_eq!(buckets.reserve("team", "new", false, allowance, 15 * MINUTE), Turn::Now);
    }

    #[test]
    fn what_is_not_wanted_any_more_is_given_back_once_and_what_was_taken_is_not() {
        let (buckets, allowance) = (Buckets::default(), Allowance::of_tier(4));
        begun(&buckets, "team", allowance, 0);
        let ask = |schedule: &str| buckets.reserve("team", schedule, false, allowance, 0);
        for _ in 0..3 {
            assert_eq!(ask("a"), Turn::At(15 * MINUTE));
            buckets.release("team", "a");
            buckets.release("team", "a");
        }
        // Whether the schedule was recreated under the same name, or under another.
        for schedule in ["a", "b"] {
            assert!(matches!(ask(schedule), Turn::At(_)), "{schedule}");
        }
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let (buckets, allowance) = (Buckets::default(), Allowance::of_tier(4));
        for namespace in 0..100 {
            buckets.reserve(&namespace.to_string(), "a", false, allowance, 0);
            buckets.take(&namespace.to_string(), "a");
        }
        buckets.reserve("waits", "a", false, allowance, 0);
        assert_eq!(buckets.0.lock().len(), 101);
        buckets.reserve("new", "a", false, allowance, 15 * MINUTE);
        let mut kept: Vec<_> = buckets.0.lock().keys().cloned().collect();
        kept.sort();
        assert_eq!(kept, ["new", "waits"]);
    }
}
