//! How many schedules wait to be reconciled: the controller itself doesn't say.

use std::collections::HashSet;

use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use crate::api::WebhookSchedule;

/// A schedule that is wanted twice before its turn waits once, as in the controller.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<HashSet<ObjectRef<WebhookSchedule>>>,
    depth: Gauge,
}

impl Queue {
    pub(super) fn depth(&self) -> Gauge {
        self.depth.clone()
    }

    pub(super) fn wanted(&self, schedule: &ObjectRef<WebhookSchedule>) {
        let mut waiting = self.waiting.lock();
        waiting.insert(schedule.clone());
        self.show(&waiting);
    }

    pub(super) fn begun(&self, schedule: &ObjectRef<WebhookSchedule>) {
        let mut waiting = self.waiting.lock();
        waiting.remove(schedule);
        self.show(&waiting);
    }

    fn show(&self, waiting: &HashSet<ObjectRef<WebhookSchedule>>) {
        self.depth.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
    }
}
