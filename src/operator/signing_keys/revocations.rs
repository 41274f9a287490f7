//! Revocations that deliveries have followed already: the controller of schedules notes them, and the controller of keys waits for
//! it. So no status says that a key has ended while a reconcile that still mounts it is under way.

use std::collections::HashMap;

use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use crate::api::WebhookSchedule;

/// The value of the annotation by which each schedule was suspended last.
#[derive(Default)]
pub(crate) struct FollowedRevocations(Mutex<HashMap<ObjectRef<WebhookSchedule>, String>>);

impl FollowedRevocations {
    /// Notes that nothing is sent with the keys that this value revokes, and that the status says so. Returns whether that is new.
    pub(crate) fn note(&self, schedule: &ObjectRef<WebhookSchedule>, value: String) -> bool {
        let before = self.0.lock().insert(schedule.clone(), value.clone());
        before != Some(value)
    }

    /// Whether nothing is sent with the keys that this value revokes.
    pub(super) fn has(&self, schedule: &ObjectRef<WebhookSchedule>, value: &str) -> bool {
        self.0.lock().get(schedule).is_some_and(|followed| followed == value)
    }

    /// Forgets a schedule that is no more.
    pub(super) fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.0.lock().remove(schedule);
    }
}
