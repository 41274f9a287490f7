//! Why a schedule has no new key, and when the next try is. The controller of schedules reads it for the status.

use std::collections::HashMap;

use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use crate::api::WebhookSchedule;

/// No signing key could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no signing key could be made: {why}. The operator tries again; if it keeps failing, look for a quota or an \
     admission webhook that stops Secrets from being made or deleted"
)]
pub(crate) struct KeyNotMade {
    /// What was in the way; nothing of the key.
    pub(crate) why: String,
}

/// The last try for each schedule, if it failed.
#[derive(Default)]
pub(crate) struct RotationBackoff(Mutex<HashMap<ObjectRef<WebhookSchedule>, (i64, KeyNotMade)>>);

/// The least time between two tries for one schedule, in seconds: each writes its status, and that sets off a reconcile.
const PAUSE: i64 = 30;

impl RotationBackoff {
    /// Notes that a try failed at `now`, in Unix seconds.
    pub(super) fn note(&self, schedule: &ObjectRef<WebhookSchedule>, error: KeyNotMade, now: i64) {
        self.0.lock().insert(schedule.clone(), (now + PAUSE, error));
    }

    /// Why the last try failed, whether it is time for another or not.
    pub(crate) fn last_error(&self, schedule: &ObjectRef<WebhookSchedule>) -> Option<KeyNotMade> {
        self.0.lock().get(schedule).map(|(_, error)| error.clone())
    }

    /// When the next try may be, in Unix seconds, if that is later than `now`.
    pub(super) fn next_try(&self, schedule: &ObjectRef<WebhookSchedule>, now: i64) -> Option<i64> {
        self.0.lock().get(schedule).map(|(next, _)| *next).filter(|next| now < *next)
    }

    /// The key was made, or the schedule is no more.
    pub(super) fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.0.lock().remove(schedule);
    }
}
