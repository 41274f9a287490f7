//! The verdict for each namespace. All of it can be lost: it is recomputed from the caches.

use std::collections::HashMap;

use parking_lot::Mutex;

use super::reported::ReportedVerdict;
use super::verdict::IsolationStatus;
use crate::operator::settings::Isolation;

/// The reported verdicts, by namespace.
#[derive(Debug, Default)]
pub(crate) struct IsolationVerdicts(Mutex<HashMap<String, ReportedVerdict>>);

/// The result of noting a verdict.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct VerdictChange {
    /// Whether the reported verdict changed.
    pub(crate) is_news: bool,
    /// When to requeue: the observed verdict is reported then, if it still holds.
    pub(crate) until: Option<i64>,
}

impl IsolationVerdicts {
    /// The reported verdict of a namespace.
    pub(crate) fn verdict(&self, namespace: &str, mode: Isolation) -> IsolationStatus {
        let known = self.0.lock();
        known.get(namespace).map_or_else(|| IsolationStatus::unknown(mode), |reported| reported.verdict().clone())
    }

    /// Notes the verdict observed at `now`, in Unix seconds.
    pub(crate) fn note(&self, namespace: &str, found: IsolationStatus, now: i64) -> VerdictChange {
        let mut known = self.0.lock();
        let Some(reported) = known.get_mut(namespace) else {
            known.insert(namespace.into(), ReportedVerdict::first(found, now));
            return VerdictChange { is_news: true, until: None };
        };
        VerdictChange { is_news: reported.note(found, now), until: reported.until() }
    }

    /// When the next canary may be made in a namespace, in Unix seconds.
    pub(crate) fn next_canary(&self, namespace: &str) -> i64 {
        self.0.lock().get(namespace).map_or(i64::MIN, ReportedVerdict::next_canary)
    }

    /// Notes that a canary was made.
    pub(crate) fn canary_made(&self, namespace: &str, now: i64) {
        if let Some(reported) = self.0.lock().get_mut(namespace) {
            reported.canary_made(now);
        }
    }

    /// Forgets a namespace without senders.
    pub(crate) fn forget(&self, namespace: &str) {
        self.0.lock().remove(namespace);
    }

    /// How many namespaces have this reported status.
    pub(crate) fn count(&self, status: &str) -> usize {
        self.0.lock().values().filter(|reported| reported.verdict().status == status).count()
    }
}
