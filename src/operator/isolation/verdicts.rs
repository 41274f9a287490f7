//! What is known of each namespace. All of it can be forgotten: it is worked out from what the caches hold.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::told::Told;
use super::verdict::IsolationStatus;
use crate::operator::settings::Isolation;

/// What is told of the namespaces.
#[derive(Debug, Default)]
pub(crate) struct IsolationVerdicts(Mutex<HashMap<String, Told>>);

/// What followed from what was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// Something else is told than before.
    pub(crate) is_news: bool,
    /// When to look again: what was found is told then, if it still is.
    pub(crate) until: Option<i64>,
}

impl IsolationVerdicts {
    /// What is told of a namespace.
    pub(crate) fn verdict(&self, namespace: &str, mode: Isolation) -> IsolationStatus {
        self.0.lock().get(namespace).map_or_else(|| IsolationStatus::unknown(mode), |told| told.verdict().clone())
    }

    /// Notes what was found at `now`, in Unix seconds.
    pub(crate) fn note(&self, namespace: &str, found: IsolationStatus, now: i64) -> Noted {
        let mut known = self.0.lock();
        let Some(told) = known.get_mut(namespace) else {
            known.insert(namespace.into(), Told::first(found, now));
            return Noted { is_news: true, until: None };
        };
        Noted { is_news: told.note(found, now), until: told.until() }
    }

    /// From when on a canary may be made in a namespace, in Unix seconds.
    pub(crate) fn next_canary(&self, namespace: &str) -> i64 {
        self.0.lock().get(namespace).map_or(i64::MIN, Told::next_canary)
    }

    /// Notes that a canary was made.
    pub(crate) fn canary_made(&self, namespace: &str, now: i64) {
        if let Some(told) = self.0.lock().get_mut(namespace) {
            told.canary_made(now);
        }
    }

    /// Forgets a namespace without senders.
    pub(crate) fn forget(&self, namespace: &str) {
        self.0.lock().remove(namespace);
    }

    /// Of how many namespaces this status is told.
    pub(crate) fn count(&self, status: &str) -> usize {
        self.0.lock().values().filter(|told| told.verdict().status == status).count()
    }
}
