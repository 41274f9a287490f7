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

/// What a namespace uses of its tier could not be recorded, so nothing may be started.
#[derive(Debug, thiserror::Error)]
#[error("the operator could not record what the namespace uses of its tier, so it starts nothing: {0}")]
pub(crate) struct RecordError(#[source] pub(crate) kube::Error);

/// Whether something may be started.
pub(crate) enum Recorded {
    /// It is recorded.
    Done(Noted),
    /// The namespace's record was written a moment ago, or the schedule has changed since it was judged: requeue after this
    /// time.
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
    /// what this schedule uses. What others gave up is recorded by [`Self::tidy`]: until then, the record counts as more.
    ///
    /// # Errors
    /// When the API server doesn't accept the record: then nothing may be started.
    pub(crate) async fn record(
        &self,
        schedule: &WebhookSchedule,
        Start { runs, triggered }: Start,
        now: i64,
    ) -> Result<Recorded, RecordError> {
        let namespace = schedule.namespace().unwrap_or_default();
        let book = self.book(&namespace);
        let mut book = book.lock().await;
        let Some((id, part)) = self.quotas.starts(schedule, runs, now) else { return Ok(Recorded::Wait(PACE)) };
        if !triggered && book.holds(id, part, now) {
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
                Err(RecordError(source))
            }
        }
    }

    /// Takes back a triggered delivery that was recorded but certainly not made.
    pub(crate) fn take_back(&self, schedule: &WebhookSchedule, Noted(before): Noted) {
        if let Some(before) = before {
            self.quotas.not_triggered(schedule, before);
        }
    }

    /// Records what no start of a schedule has recorded, and deletes records that no longer matter, for ever. A record that
    /// can't be written, or not yet, doesn't delay the others.
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
                let retry = match self.tidy_one(&namespace, now).await {
                    Ok(wait) => {
                        failures.forget(&namespace);
                        wait
                    }
                    Err(error) => {
                        tracing::warn!(namespace, %error, "what was used could not be recorded; trying again");
                        Some(failures.wait(&namespace))
                    }
                };
                match retry {
                    Some(wait) => retries.insert(namespace, Instant::now() + wait),
                    None => retries.remove(&namespace),
                };
            }
            self.close_books();
        }
    }

    /// Brings a record up to date. Returns how long that has to wait, since it was written a moment ago.
    pub(super) async fn tidy_one(&self, namespace: &str, now: i64) -> Result<Option<Duration>, kube::Error> {
        let done = self.bring_up_to_date(namespace, now).await;
        self.quotas.forget_if_idle(namespace, now);
        done
    }

    async fn bring_up_to_date(&self, namespace: &str, now: i64) -> Result<Option<Duration>, kube::Error> {
        let book = self.book(namespace);
        let mut book = book.lock().await;
        let usage = self.quotas.usage(namespace, now);
        if usage.is_empty() {
            return book.delete(&self.api, namespace).await.map(|()| None);
        }
        if book.says(&usage, now) {
            return Ok(None);
        }
        if let Some(wait) = book.wait() {
            return Ok(Some(wait));
        }
        book.write(&self.api, namespace, usage).await.map(|()| None)
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
