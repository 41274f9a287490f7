//! In how many namespaces senders are proved to be kept from the cluster's inside: counted when somebody asks.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::operator::isolation::known::Known;

const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

/// What is known of namespaces, once this process leads.
#[derive(Debug, Default)]
pub(super) struct Isolated(Mutex<Option<Arc<Known>>>);

impl Isolated {
    pub(super) fn watch(&self, known: &Arc<Known>) {
        *self.0.lock() = Some(Arc::clone(known));
    }
}

impl Collector for Isolated {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let known = self.0.lock().clone();
        let (name, help) = ("isolated_namespaces", "Namespaces with senders, by the status of EgressIsolated");
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for status in STATUSES {
            let count = known.as_ref().map_or(0, |known| known.count(status));
            let gauge = ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX));
            gauge.encode(family.encode_family(&[("status", status)])?)?;
        }
        Ok(())
    }
}
