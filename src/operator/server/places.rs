//! Who gets the connections of a listener. A caller who opens many takes them from nobody else.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::{AbortHandle, AbortRegistration};

/// How many connections a listener has at a time.
pub(crate) const MAX_CONNECTIONS: usize = 64;

/// The open connections of a listener, by age.
#[derive(Default)]
pub(crate) struct Places {
    held: BTreeMap<u64, Place>,
    next: u64,
}

struct Place {
    peer: IpAddr,
    has_asked: Arc<AtomicBool>,
    close: AbortHandle,
}

/// A place for a connection.
pub(crate) struct Taken {
    /// The number to free it by.
    pub(crate) number: u64,
    /// Set this once the whole head of a request has arrived.
    pub(crate) has_asked: Arc<AtomicBool>,
    /// Ends the connection when it loses the place.
    pub(crate) closed: AbortRegistration,
}

impl Places {
    /// Gives a new connection a place. There is always one: when all are taken, another connection loses its place.
    pub(crate) fn take(&mut self, peer: IpAddr) -> Taken {
        // A dual-stack listener sees an IPv4 caller as a mapped IPv6 address.
        let peer = peer.to_canonical();
        if self.held.len() >= MAX_CONNECTIONS
            && let Some(place) = self.loser(peer).and_then(|number| self.held.remove(&number))
        {
            place.close.abort();
        }
        let number = self.next;
        self.next += 1;
        let has_asked = Arc::new(AtomicBool::new(false));
        let (close, closed) = AbortHandle::new_pair();
        self.held.insert(number, Place { peer, has_asked: Arc::clone(&has_asked), close });
        Taken { number, has_asked, closed }
    }

    /// Frees the place of a connection that has ended.
    pub(crate) fn free(&mut self, number: u64) {
        self.held.remove(&number);
    }

    /// The place to take away. The caller with the most places, the newcomer counted, loses one: the oldest that has requested
    /// nothing yet, or else the oldest.
    fn loser(&self, newcomer: IpAddr) -> Option<u64> {
        let held = |peer| {
            let own = self.held.values().filter(|place| place.peer == peer).count();
            own + usize::from(peer == newcomer)
        };
        let most = self.held.values().map(|place| held(place.peer)).max();
        let of_most = self.held.iter().filter(|(_, place)| Some(held(place.peer)) == most);
        let oldest = of_most.min_by_key(|(number, place)| (place.has_asked.load(Ordering::Relaxed), **number));
        oldest.map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    /// The places after these peers have taken one each, in order. Those with an even number have requested something.
    fn taken(peers: impl IntoIterator<Item = u8>) -> Places {
        let mut places = Places::default();
        for (n, last) in peers.into_iter().enumerate() {
            places.take(peer(last)).has_asked.store(n % 2 == 0, Ordering::Relaxed);
        }
        places
    }

    /// The number of the place that a newcomer takes away.
    fn lost(mut places: Places, newcomer: u8) -> Vec<u64> {
        let before: Vec<u64> = places.held.keys().copied().collect();
        places.take(peer(newcomer));
        assert_eq!(places.held.len(), MAX_CONNECTIONS);
        before.into_iter().filter(|number| !places.held.contains_key(number)).collect()
    }

    #[test]
    fn nobody_loses_a_place_while_one_is_free() {
        let places = taken(std::iter::repeat_n(1, MAX_CONNECTIONS - 1));
        assert!(lost(places, 2).is_empty());
    }

    #[test]
    fn who_holds_the_most_places_loses_the_oldest_that_asked_for_nothing() {
        // Places 0 to 4 belong to other callers, and all the rest to one.
        assert_eq!(lost(taken([2, 3, 4, 5, 6].into_iter().chain([1; MAX_CONNECTIONS - 5])), 7), [5]);
        assert_eq!(lost(taken([2, 3, 4, 5, 6, 6].into_iter().chain([1; MAX_CONNECTIONS - 6])), 7), [7]);
    }

    #[test]
    fn who_has_as_many_as_any_other_takes_a_place_of_their_own() {
        assert_eq!(lost(taken(1..=64), 10), [9]);
    }

    #[test]
    fn who_comes_first_time_takes_the_place_of_who_asked_for_nothing() {
        assert_eq!(lost(taken(1..=64), 200), [1]);
    }

    #[test]
    fn the_oldest_goes_when_all_have_asked() {
        let mut places = Places::default();
        for _ in 0..MAX_CONNECTIONS {
            places.take(peer(1)).has_asked.store(true, Ordering::Relaxed);
        }
        assert_eq!(lost(places, 1), [0]);
    }

    #[test]
    fn an_ipv4_caller_is_the_same_by_either_spelling() {
        let mut places = taken((2..=32).chain(34..=64).chain([1]));
        places.take("::ffff:10.0.0.1".parse().unwrap());
        // One caller has two places, and each other caller one: the caller with two loses the one that has not requested
        // anything.
        assert_eq!(lost(places, 200), [63]);
    }
}
