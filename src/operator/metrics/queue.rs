//! How many schedules wait to be reconciled: counted at each scrape.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// Counts the schedules that wait.
type Count = Arc<dyn Fn() -> usize + Send + Sync>;

/// The function that counts waiting schedules, once this process leads.
#[derive(Default)]
pub(super) struct Queue(Mutex<Option<Count>>);

impl Queue {
    pub(super) fn count_by(&self, count: impl Fn() -> usize + Send + Sync + 'static) {
        *self.0.lock() = Some(Arc::new(count));
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Collector for Queue {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let count = self.0.lock().clone();
        let depth = count.map_or(0, |count| count());
        let gauge = ConstGauge::new(i64::try_from(depth).unwrap_or(i64::MAX));
        let (name, help) = ("queue_depth", "Schedules that wait to be reconciled");
        gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }
}
