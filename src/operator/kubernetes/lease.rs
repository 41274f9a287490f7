//! The content of a Lease, and when it may be taken. Pure: nothing here asks an API server.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

/// How long a holder has the Lease after each renewal, in seconds.
const DURATION_SECONDS: u16 = 15;

/// The Lease, and when it was last seen to change.
#[derive(Default)]
pub(super) struct Observed {
    spec: LeaseSpec,
    since: Option<Instant>,
}

impl Observed {
    /// Notes what the Lease says now.
    pub(super) fn see(&mut self, spec: Option<&LeaseSpec>, now: Instant) {
        let spec = spec.cloned().unwrap_or_default();
        if self.since.is_none() || self.spec != spec {
            *self = Self { spec, since: Some(now) };
        }
    }

    /// Whether the Lease is free: nobody holds it; or its holder has been silent for longer than the Lease's duration; or the
    /// holder is an earlier process with the same identity, which has ended, since a pod runs one process at a time.
    pub(super) fn is_free_for(&self, identity: &str, now: Instant) -> bool {
        let holder = self.spec.holder_identity.as_deref().unwrap_or_default();
        let asked_for = self.spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let duration = Duration::from_secs(asked_for.unwrap_or(DURATION_SECONDS.into()));
        let silent_for = self.since.map_or(Duration::ZERO, |since| now.duration_since(since));
        holder.is_empty() || holder == identity || silent_for > duration
    }
}

pub(super) fn is_held_by(spec: Option<&LeaseSpec>, identity: &str) -> bool {
    spec.is_some_and(|spec| spec.holder_identity.as_deref() == Some(identity))
}

/// The spec that a new holder writes.
pub(super) fn claimed(before: Option<&LeaseSpec>, identity: &str, now: MicroTime) -> LeaseSpec {
    let transitions = before.map(|before| before.lease_transitions.unwrap_or(0));
    LeaseSpec {
        holder_identity: Some(identity.into()),
        lease_duration_seconds: Some(DURATION_SECONDS.into()),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        // Taking over from nobody isn't a transition.
        lease_transitions: Some(transitions.map_or(0, |transitions| transitions.saturating_add(1))),
        ..LeaseSpec::default()
    }
}

pub(super) fn renewed(spec: &LeaseSpec, now: MicroTime) -> LeaseSpec {
    LeaseSpec { renew_time: Some(now), ..spec.clone() }
}

/// A spec without a holder. It keeps the count of transitions.
pub(super) fn released(spec: &LeaseSpec) -> LeaseSpec {
    LeaseSpec { lease_transitions: spec.lease_transitions, ..LeaseSpec::default() }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn held_by(identity: &str, renewed_at: i64) -> LeaseSpec {
        claimed(None, identity, MicroTime(Timestamp::from_second(renewed_at).unwrap()))
    }

    #[test]
    fn a_holder_is_left_alone_until_it_has_been_silent_for_as_long_as_it_asked_for() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut observed = Observed::default();
        // By its own clock it last renewed in 1970: only its silence counts.
        observed.see(Some(&held_by("other", 0)), at(0));
        assert!(!observed.is_free_for("me", at(15)));
        observed.see(Some(&held_by("other", 1)), at(15));
        assert!(!observed.is_free_for("me", at(30)));
        observed.see(Some(&held_by("other", 1)), at(30));
        assert!(observed.is_free_for("me", at(31)));

        let patient = LeaseSpec { lease_duration_seconds: Some(60), ..held_by("other", 2) };
        observed.see(Some(&patient), at(31));
        assert!(!observed.is_free_for("me", at(91)));
        assert!(observed.is_free_for("me", at(92)));
    }

    #[test]
    fn what_nobody_holds_is_free_at_once() {
        let now = Instant::now();
        for spec in [None, Some(LeaseSpec::default()), Some(held_by("", 0)), Some(released(&held_by("other", 0)))] {
            let mut observed = Observed::default();
            observed.see(spec.as_ref(), now);
            assert!(observed.is_free_for("me", now), "{spec:?}");
        }
    }

    #[test]
    fn a_process_takes_over_at_once_from_an_earlier_one_of_its_pod() {
        let now = Instant::now();
        let mut observed = Observed::default();
        observed.see(Some(&held_by("me", 0)), now);
        assert!(observed.is_free_for("me", now));
        assert!(!observed.is_free_for("other", now));
    }

    #[test]
    fn changes_of_hands_are_counted() {
        let now = || MicroTime(Timestamp::UNIX_EPOCH);
        let first = claimed(None, "a", now());
        assert_eq!(first.lease_transitions, Some(0));
        let second = claimed(Some(&released(&first)), "b", now());
        assert_eq!(second.lease_transitions, Some(1));
        assert!(is_held_by(Some(&renewed(&second, now())), "b"));
        assert!(!is_held_by(Some(&released(&second)), "b"));
    }
}
