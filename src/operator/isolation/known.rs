//! What is known of each namespace. All of it can be forgotten: it is worked out from what the caches hold.

use std::collections::HashMap;
use std::sync::Mutex;

use super::Verdict;
use crate::operator::lock::lock;
use crate::operator::settings::Isolation;

/// The verdicts, by namespace.
#[derive(Debug, Default)]
pub(in crate::operator) struct Known(Mutex<HashMap<String, Verdict>>);

impl Known {
    /// What is known of a namespace.
    pub(in crate::operator) fn verdict(&self, namespace: &str, mode: Isolation) -> Verdict {
        lock(&self.0).get(namespace).cloned().unwrap_or_else(|| Verdict::unknown(mode))
    }

    /// Notes a verdict, and says whether it is news.
    pub(in crate::operator) fn note(&self, namespace: &str, verdict: Verdict) -> bool {
        let before = lock(&self.0).insert(namespace.into(), verdict.clone());
        before != Some(verdict)
    }

    /// Forgets a namespace without senders.
    pub(in crate::operator) fn forget(&self, namespace: &str) {
        lock(&self.0).remove(namespace);
    }

    /// How many namespaces have verdicts of this status.
    pub(in crate::operator) fn count(&self, status: &str) -> usize {
        lock(&self.0).values().filter(|verdict| verdict.status == status).count()
    }
}
