//! Namespaces in which no Job is made early for a while, since the CronJob controller did not adopt one there.
//!
//! The controller manager may be older than the API server, and then adopts none anywhere. But a tenant can bring it about too: where
//! a quota has no room for one more Job, the controller is refused before it finds the one that exists. So one namespace's Jobs say
//! nothing about another's. What is lost with the operator costs one more try for each namespace.

use std::collections::HashMap;

use parking_lot::Mutex;

/// How long no Job is made early, in seconds.
const PAUSE: i64 = 3_600;

/// The paused namespaces, and until when, in Unix seconds.
#[derive(Default)]
pub(crate) struct Pauses(Mutex<HashMap<String, i64>>);

impl Pauses {
    /// Pauses a namespace. Returns whether that is new.
    pub(super) fn pause(&self, namespace: &str, now: i64) -> bool {
        let mut until = self.0.lock();
        until.retain(|_, until| *until > now);
        until.insert(namespace.into(), now + PAUSE).is_none()
    }

    pub(super) fn is_paused(&self, namespace: &str, now: i64) -> bool {
        self.0.lock().get(namespace).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_paused_for_an_hour_and_others_are_not() {
        let pauses = Pauses::default();
        assert!(pauses.pause("a", 0) && !pauses.pause("a", 10), "it is told once");
        assert!(pauses.is_paused("a", PAUSE + 9) && !pauses.is_paused("b", 0));
        assert!(!pauses.is_paused("a", PAUSE + 10));
        assert!(pauses.pause("b", PAUSE + 10) && pauses.0.lock().len() == 1, "what has passed is forgotten");
    }
}
