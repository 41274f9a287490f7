//! The age of the active keys that Postern made: computed at each scrape, since keys age by themselves.

use std::collections::HashMap;
use std::fmt;

use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;

use crate::api::WebhookSchedule;

/// When the active key of each schedule was made, in Unix seconds.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<HashMap<ObjectRef<WebhookSchedule>, i64>>);

impl Keys {
    pub(super) fn sign(&self, schedule: &ObjectRef<WebhookSchedule>, since: Option<i64>) {
        let mut keys = self.0.lock();
        match since {
            Some(since) => keys.insert(schedule.clone(), since),
            None => keys.remove(schedule),
        };
    }
}

impl Collector for Keys {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let oldest = self.0.lock().values().min().copied();
        let age = oldest.map_or(0, |since| (Timestamp::now().as_second() - since).max(0));
        let (name, help) = ("key_age_seconds", "Age of the oldest key that Postern made and that signs, or 0");
        let gauge = ConstGauge::new(age);
        gauge.encode(encoder.encode_descriptor(name, help, None, prometheus_client::metrics::MetricType::Gauge)?)
    }
}
