//! The records of what namespaces use: a ConfigMap for each namespace, in the operator's own namespace, where no tenant can
//! write.
//!
//! An operator that begins to lead reads them once; from then on, its memory is authoritative. What may deliver is recorded
//! first, so an operator that ends at any moment has recorded at least what was delivered. Each write names the version that it
//! replaces, so a write of an operator that no longer leads is refused.

mod book;
mod load;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client, ResourceExt as _};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::usage::MOST_PARTS;
use super::{Before, Quotas};
use crate::api::WebhookSchedule;
use crate::operator::kubernetes::backoff::Backoff;
use book::Book;

/// The least time between two writes for one namespace.
const PACE: Duration = Duration::from_secs(1);
/// The longest wait for a record to expire.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// The recorded usage of namespaces.
pub(crate) struct Ledger {
    api: Api<ConfigMap>,
    quotas: Arc<Quotas>,
    books: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Book>>>>,
}

/// What is about to be started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// Whether the CronJob is to run.
    pub(crate) runs: bool,
    /// Whether a delivery is to be triggered.
    pub(crate) triggered: bool,
}

/// Why nothing may be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The namespace has as many older schedules as can be recorded.
    #[error(
        "the namespace has {MOST_PARTS} older schedules, and the operator can't record the use of more: delete one, or \
         use another namespace"
    )]
    TooMany,
    /// What the namespace uses of its tier could not be recorded.
    #[error("the operator could not record what the namespace uses of its tier, so it starts nothing: {source}")]
    NotRecorded {
        /// What the API server said.
        source: kube::Error,
    },
}

/// Whether something may be started.
pub(crate) enum Recorded {
    /// It is recorded.
    Done(Noted),
    /// The namespace's record was written a moment ago: requeue after this time.
    Wait(Duration),
}

/// A triggered delivery that was recorded before it is made, if there is one.
#[derive(Default)]
#[must_use = "what is not made after all is taken back"]
pub(crate) struct Noted(Option<Before>);

impl Ledger {
    /// A ledger in this namespace, without any records yet.
    pub(crate) fn new(client: Client, namespace: &str, quotas: Arc<Quotas>) -> Self {
        Self { api: Api::namespaced(client, namespace), quotas, books: Mutex::default() }
    }

    /// Records what a schedule's namespace uses, including what is about to be started. Writes nothing when the record holds
    /// what this schedule uses. What others used and gave up may be recorded later ([`Self::tidy`]): until then, the record
    /// counts as more.
    ///
    /// # Errors
    /// When the API server doesn't accept the record, or the record would be too large: then nothing may be started.
    pub(crate) async fn record(
        &self,
        schedule: &WebhookSchedule,
        Start { runs, triggered }: Start,
        now: i64,
    ) -> Result<Recorded, RecordError> {
        let namespace = schedule.namespace().unwrap_or_default();
        let book = self.book(&namespace);
        let mut book = book.lock().await;
        let claim = self.quotas.starts(schedule, runs, now).ok_or(RecordError::TooMany)?;
        if !triggered && book.holds(&claim, now) {
            return Ok(Recorded::Done(Noted(None)));
        }
        if let Some(wait) = book.wait() {
            return Ok(Recorded::Wait(wait));
        }
        let noted = Noted(if triggered { self.quotas.triggered(schedule, now) } else { None });
        match book.write(&self.api, &namespace, self.quotas.usage(&namespace, now)).await {
            Ok(()) => Ok(Recorded::Done(noted)),
            Err(source) => {
                self.take_back(schedule, noted);
                Err(RecordError::NotRecorded { source })
            }
        }
    }

    /// Takes back a triggered delivery that was recorded but certainly not made.
    pub(crate) fn take_back(&self, schedule: &WebhookSchedule, Noted(before): Noted) {
        if let Some(before) = before {
            self.quotas.not_triggered(schedule, before);
        }
    }

    /// Records deletions, and deletes records that no longer matter, for ever. A record that can't be written doesn't delay
    /// the others.
    pub(crate) async fn tidy(&self) -> Infallible {
        let failures = Backoff::default();
        let mut retries: BTreeMap<String, Instant> = BTreeMap::new();
        loop {
            let retry = retries.values().min().map(|at| at.saturating_duration_since(Instant::now()));
            let end = self.next_end(&retries);
            let wait = retry.map_or(end, |retry| retry.min(end));
            tokio::select! {
                // Batch changes that come together into one write.
                () = self.quotas.has_left.notified() => sleep(PACE).await,
                () = sleep(wait) => {}
            }
            let now = Timestamp::now().as_second();
            let mut due = std::mem::take(&mut *self.quotas.left.lock());
            due.extend(self.ended(now));
            due.extend(retries.keys().cloned());
            due.retain(|namespace| retries.get(namespace).is_none_or(|at| *at <= Instant::now()));
            for namespace in due {
                if let Err(error) = self.tidy_one(&namespace, now).await {
                    tracing::warn!(namespace, %error, "what was used could not be recorded; trying again");
                    retries.insert(namespace.clone(), Instant::now() + failures.wait(&namespace));
                } else {
                    failures.forget(&namespace);
                    retries.remove(&namespace);
                }
            }
        }
    }

    pub(super) async fn tidy_one(&self, namespace: &str, now: i64) -> Result<(), kube::Error> {
        let done = self.bring_up_to_date(namespace, now).await;
        self.quotas.forget_if_idle(namespace, now);
        self.close_books();
        done
    }

    async fn bring_up_to_date(&self, namespace: &str, now: i64) -> Result<(), kube::Error> {
        let book = self.book(namespace);
        let mut book = book.lock().await;
        let usage = self.quotas.usage(namespace, now);
        if usage.is_empty() {
            return book.delete(&self.api, namespace).await;
        }
        if book.says(&usage, now) {
            return Ok(());
        }
        if let Some(wait) = book.wait() {
            sleep(wait).await;
        }
        book.write(&self.api, namespace, usage).await
    }

    fn book(&self, namespace: &str) -> Arc<tokio::sync::Mutex<Book>> {
        Arc::clone(self.books.lock().entry(namespace.into()).or_default())
    }

    /// Forgets the books of namespaces without a record, unless somebody is using them.
    fn close_books(&self) {
        let mut books = self.books.lock();
        books.retain(|_, book| Arc::strong_count(book) > 1 || !book.try_lock().is_ok_and(|book| book.is_blank()));
    }

    /// The namespaces whose records no longer matter.
    fn ended(&self, now: i64) -> Vec<String> {
        let ends = self.ends();
        ends.into_iter().filter(|(_, end)| *end <= now).map(|(namespace, _)| namespace).collect()
    }

    /// How long until the next record no longer matters, apart from those that are retried.
    fn next_end(&self, retries: &BTreeMap<String, Instant>) -> Duration {
        let ends = self.ends().into_iter().filter(|(namespace, _)| !retries.contains_key(namespace));
        let first = ends.map(|(_, end)| end).min();
        let left = first.map(|end| end.saturating_sub(Timestamp::now().as_second()).max(0));
        let left = left.and_then(|left| u64::try_from(left).ok()).map(Duration::from_secs);
        left.unwrap_or(LONGEST_WAIT).clamp(PACE, LONGEST_WAIT)
    }

    /// When records no longer matter, in Unix seconds. A record that is being written is left out until it is written.
    fn ends(&self) -> Vec<(String, i64)> {
        let books = self.books.lock();
        let end = |(namespace, book): (&String, &Arc<tokio::sync::Mutex<Book>>)| {
            Some((namespace.clone(), book.try_lock().ok()?.end()?))
        };
        books.iter().filter_map(end).collect()
    }
}

#[cfg(test)]
mod tests;
