//! Reads the records when an operator begins to lead.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::ListParams;
use tokio::time::sleep;

use super::Ledger;
use super::book::{Book, Place};
use crate::operator::kubernetes::backoff::Backoff;
use crate::operator::names::{self, MANAGED_BY_LABEL, MANAGER};
use crate::operator::tier::quota::usage::Usage;

/// How many records a page of the listing has: each has at most half a megabyte.
const PAGE: u32 = 10;

impl Ledger {
    /// Reads all records of the namespaces that the operator works in; an empty list means all. Retries until it succeeds:
    /// without the records, nothing is known about past usage.
    pub(crate) async fn load(&self, namespaces: &[String]) {
        let failures = Backoff::default();
        while let Err(error) = self.try_to_load(namespaces, Timestamp::now().as_second()).await {
            tracing::warn!(%error, "the operator can't read what namespaces used of their tiers; it tries again, and \
                does nothing until then");
            sleep(failures.wait("")).await;
        }
    }

    pub(in crate::operator::tier::quota) async fn try_to_load(
        &self,
        namespaces: &[String],
        now: i64,
    ) -> Result<(), kube::Error> {
        let mut params = ListParams::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGER}")).limit(PAGE);
        loop {
            let page = self.api.list(&params).await?;
            for record in &page.items {
                let name = record.name_any();
                let of = names::namespace_of_usage(&name);
                if let Some(of) = of.filter(|of| namespaces.is_empty() || namespaces.iter().any(|name| name == of)) {
                    self.take(of, record, now);
                }
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(()),
            }
        }
    }

    fn take(&self, namespace: &str, record: &ConfigMap, now: i64) {
        let usage = Usage::read(record, now);
        if let Err(error) = &usage {
            tracing::warn!(
                namespace, record = record.name_any(), %error,
                "the record of what this namespace used of its tier can't be read: the namespace counts as having \
                 used all that its tier allows until now"
            );
        }
        let usage = usage.ok();
        self.quotas.restore(namespace, usage.clone().unwrap_or_else(|| Usage::unknown(now)));
        if usage.is_none() {
            self.quotas.leave_namespace(namespace);
        }
        let book = Book::read(Place::of(record), usage);
        self.books.lock().insert(namespace.into(), Arc::new(tokio::sync::Mutex::new(book)));
    }
}
