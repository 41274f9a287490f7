//! Which of the observed addresses are refused. Pure.
//!
//! Each change is written into the CronJob of every schedule in the cluster. So the number of addresses is bounded, changes are
//! batched, the batches slow down while changes go on, and a removed address stays refused for a while. Somebody who makes and
//! deletes a Service again and again has its address adopted only once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many addresses are refused at most: each takes up to 42 bytes of every CronJob.
const MOST: usize = 256;
/// The least time between two changes, in seconds: at first, and after many changes.
const SHORTEST: i64 = 60;
const LONGEST: i64 = 900;
/// After this many seconds without a change, the backoff starts again.
const CALM: i64 = 3_600;
/// How long a removed address is still refused, in seconds.
const GONE: i64 = 3_600;

/// The refused addresses.
#[derive(Default)]
pub(super) struct Adopted {
    /// Each address, with the time of its removal if it was removed.
    addresses: BTreeMap<IpAddr, Option<i64>>,
    changed: Option<i64>,
    wait: i64,
}

/// The result of an update.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Whether the refused addresses changed, or this was the first update.
    pub(super) is_news: bool,
    /// When to update again, if nothing else is observed before.
    pub(super) until: Option<i64>,
}

impl Adopted {
    /// Updates the refused addresses from what is observed at `now`, in Unix seconds.
    pub(super) fn look(&mut self, seen: &BTreeSet<IpAddr>, now: i64) -> Look {
        for (address, gone) in &mut self.addresses {
            *gone = if seen.contains(address) { None } else { gone.or(Some(now)) };
        }
        let is_over = |gone: &Option<i64>| gone.is_some_and(|since| now >= since + GONE);
        let mut next: BTreeMap<_, _> =
            self.addresses.iter().filter(|(_, gone)| !is_over(gone)).map(|(address, gone)| (*address, *gone)).collect();
        // Addresses that are refused already come first: no later one displaces them.
        let room = MOST.saturating_sub(next.len());
        let new: Vec<_> = seen.iter().filter(|address| !self.addresses.contains_key(address)).take(room).collect();
        next.extend(new.into_iter().map(|address| (*address, None)));

        let changes = !next.keys().eq(self.addresses.keys());
        let may_at = self.changed.map_or(now, |changed| changed + self.wait);
        let is_news = self.changed.is_none() || (changes && now >= may_at);
        if is_news {
            let is_first = self.changed.is_none_or(|changed| now >= changed + CALM);
            self.wait = if is_first { SHORTEST } else { (2 * self.wait).min(LONGEST) };
            self.changed = Some(now);
            self.addresses = next;
        }
        let waits = (changes && !is_news).then_some(may_at);
        let ends = self.addresses.values().flatten().map(|since| since + GONE).filter(|end| *end > now);
        Look { is_news, until: waits.into_iter().chain(ends).min() }
    }

    /// All refused addresses, in order.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.keys().copied()
    }

    /// Whether there is no room for another address.
    pub(super) fn is_full(&self) -> bool {
        self.addresses.len() >= MOST
    }

    /// How many observed addresses are not refused.
    pub(super) fn left_out(&self, seen: &BTreeSet<IpAddr>) -> usize {
        seen.iter().filter(|address| !self.addresses.contains_key(address)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(numbers: impl IntoIterator<Item = u32>) -> BTreeSet<IpAddr> {
        numbers.into_iter().map(|number| IpAddr::V4((0xcb00_7100 + number).into())).collect()
    }

    #[test]
    fn what_is_there_at_first_is_refused_at_once_and_what_comes_then_a_minute_later_and_together() {
        let mut adopted = Adopted::default();
        assert_eq!(adopted.look(&addresses([1]), 0), Look { is_news: true, until: None });
        assert_eq!(adopted.look(&addresses([1, 2]), 10), Look { is_news: false, until: Some(60) });
        assert_eq!(adopted.look(&addresses([1, 2, 3]), 20), Look { is_news: false, until: Some(60) });
        assert_eq!(adopted.look(&addresses([1, 2, 3]), 60), Look { is_news: true, until: None });
        assert_eq!(adopted.addresses().collect::<BTreeSet<_>>(), addresses([1, 2, 3]));
        assert!(!adopted.look(&addresses([1, 2, 3]), 10_000).is_news);
    }

    #[test]
    fn nothing_at_first_is_news_too() {
        let mut adopted = Adopted::default();
        assert!(adopted.look(&BTreeSet::new(), 0).is_news);
        assert!(!adopted.look(&BTreeSet::new(), 1).is_news);
    }

    #[test]
    fn one_that_is_gone_is_refused_for_another_hour_and_one_that_comes_back_goes_on() {
        let mut adopted = Adopted::default();
        adopted.look(&addresses([1, 2]), 0);
        assert_eq!(adopted.look(&addresses([1]), 100), Look { is_news: false, until: Some(3_700) });
        assert_eq!(adopted.look(&addresses([1, 2]), 3_000), Look { is_news: false, until: None });
        adopted.look(&addresses([1]), 3_100);
        assert_eq!(adopted.look(&addresses([1]), 6_700), Look { is_news: true, until: None });
        assert_eq!(adopted.addresses().collect::<BTreeSet<_>>(), addresses([1]));
    }

    #[test]
    fn whoever_makes_services_without_end_changes_it_a_few_times_an_hour() {
        let mut adopted = Adopted::default();
        let changes = (0..7_200).filter(|at: &i64| {
            let number = u32::try_from(*at).unwrap();
            adopted.look(&addresses([number]), *at).is_news
        });
        assert!(changes.count() <= 14);
        assert!(adopted.addresses().count() <= MOST);
    }

    #[test]
    fn of_too_many_the_first_that_came_stay() {
        let mut adopted = Adopted::default();
        adopted.look(&addresses(100..356), 0);
        assert!(adopted.is_full());
        let seen = addresses(0..356);
        adopted.look(&seen, 1_000);
        assert_eq!(adopted.addresses().collect::<BTreeSet<_>>(), addresses(100..356));
        assert_eq!(adopted.left_out(&seen), 100);
    }
}
