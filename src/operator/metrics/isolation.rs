//! In how many namespaces senders are proved to be isolated from the cluster's inside: counted at each scrape.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

/// Counts the namespaces that have a status.
type Count = Arc<dyn Fn(&str) -> usize + Send + Sync>;

/// The function that counts namespaces, once this process leads.
#[derive(Default)]
pub(super) struct Isolated(Mutex<Option<Count>>);

impl Isolated {
    pub(super) fn count_by(&self, count: impl Fn(&str) -> usize + Send + Sync + 'static) {
        *self.0.lock() = Some(Arc::new(count));
    }
}

impl fmt::Debug for Isolated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Isolated").finish_non_exhaustive()
    }
}

impl Collector for Isolated {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let count_of = self.0.lock().clone();
        let (name, help) = ("isolated_namespaces", "Namespaces with senders, by the status of EgressIsolated");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for status in STATUSES {
            let count = count_of.as_ref().map_or(0, |count_of| count_of(status));
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            gauge.encode(family.encode_family(&[("status", status)])?)?;
        }
        Ok(())
    }
}
