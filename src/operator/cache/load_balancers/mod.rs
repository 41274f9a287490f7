//! The addresses of the cluster's load balancers: those in the status of Services that only the cluster itself can have
//! written. They belong to the cluster, so no delivery goes there unless a tier opens them.
//!
//! Addresses that any tenant may write, above all `externalIPs`, are not refused: otherwise a tenant could keep all others from
//! a receiver. They are only counted. An operator that is limited to some namespaces doesn't watch Services.

mod adopted;
mod seen;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::watches::Watches;
use crate::operator::metrics::Metrics;
use adopted::{Adopted, Look};
use seen::Seen;

/// The refused addresses, kept up to date by a watch.
pub(crate) struct LoadBalancers(watch::Receiver<Option<Arc<[IpAddr]>>>);

/// What the watch of Services shares with the task that adopts addresses.
#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Notify,
}

impl LoadBalancers {
    /// Watches the Services of the whole cluster. Calls `on_change` when the refused addresses change.
    pub(crate) fn watch(watches: &mut Watches, metrics: Metrics, on_change: impl Fn() + Send + Sync + 'static) -> Self {
        if !watches.is_cluster_wide() {
            return Self::none();
        }
        let shared = Arc::<Shared>::default();
        let from = Arc::clone(&shared);
        watches.follow(move |event| {
            let mut seen = from.seen.lock();
            let is_news = if let Ok(event) = event {
                seen.note(event)
            } else {
                tracing::warn!(
                    "Services can't be read, so the addresses of load balancers are not refused: give the operator list and \
                     watch on services"
                );
                seen.do_without()
            };
            if is_news {
                from.changed.notify_one();
            }
        });
        let (told, known) = watch::channel(None);
        watches.spawn(async move { keep(&shared, &told, &metrics, &on_change).await });
        Self(known)
    }

    /// No addresses are refused.
    pub(crate) fn none() -> Self {
        Self(watch::channel(Some(Arc::from([]))).1)
    }

    /// Waits until Services have been listed, or turned out to be unreadable.
    pub(crate) async fn ready(&self) {
        // Ignore the error: a watch that has ended reports nothing more, and the operator can work without it.
        let _ = self.0.clone().wait_for(Option::is_some).await;
    }

    /// The addresses that are refused now, in order.
    pub(crate) fn now(&self) -> Vec<IpAddr> {
        self.0.borrow().as_deref().unwrap_or_default().to_vec()
    }
}

/// Adopts observed addresses when it is time.
async fn keep(
    shared: &Shared,
    told: &watch::Sender<Option<Arc<[IpAddr]>>>,
    metrics: &Metrics,
    on_change: &(impl Fn() + Sync),
) {
    let mut adopted = Adopted::default();
    let mut was_full = false;
    loop {
        let seen = {
            let seen = shared.seen.lock();
            metrics.services_with_external_ips(seen.with_external_ips());
            seen.addresses()
        };
        let mut wait = None;
        if let Some(seen) = seen {
            let now = Timestamp::now().as_second();
            let Look { is_news, until } = adopted.look(&seen, now);
            wait = until.map(|until| Duration::from_secs(u64::try_from(until - now).unwrap_or_default().max(1)));
            if is_news {
                let is_first = told.send_replace(Some(adopted.addresses().collect())).is_none();
                if !is_first {
                    on_change();
                }
            }
            was_full = show(&adopted, &seen, was_full, metrics);
        }
        let at = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.changed.notified() => {}
            () = at => {}
        }
    }
}

/// Updates the metrics, and logs when there are more addresses than can be refused.
fn show(adopted: &Adopted, seen: &BTreeSet<IpAddr>, was_full: bool, metrics: &Metrics) -> bool {
    let left_out = if adopted.is_full() { adopted.left_out(seen) } else { 0 };
    metrics.load_balancers(adopted.addresses().count(), left_out);
    if left_out > 0 && !was_full {
        tracing::warn!(
            left_out,
            "there are more load balancers than can be refused: put their blocks into clusterCIDRs"
        );
    }
    left_out > 0
}

#[cfg(test)]
mod tests;
