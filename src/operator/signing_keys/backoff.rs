//! Why a schedule has no new key, and when the next try is. The controller of schedules reads it for the status.

use std::collections::HashMap;

use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use super::rotation::Wanted;
use crate::api::WebhookSchedule;

/// No signing key could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no signing key could be made: {why}. The operator tries again; if it keeps failing, look for a quota or an \
     admission webhook that stops Secrets from being made or deleted"
)]
pub(crate) struct KeyNotMade {
    /// What prevented it; nothing about the key itself.
    pub(crate) why: String,
}

/// What came of the last try for each schedule.
#[derive(Default)]
pub(crate) struct RotationBackoff {
    /// Why it failed, and when the next one may be.
    failed: Mutex<HashMap<ObjectRef<WebhookSchedule>, (i64, KeyNotMade)>>,
    /// Keys whose Secrets are there for sure, though the status that was to say so met with a conflict.
    unconfirmed: Mutex<HashMap<ObjectRef<WebhookSchedule>, (String, Wanted)>>,
}

/// The least time between two tries for one schedule, in seconds: each try writes the status, which triggers a reconcile.
const PAUSE: i64 = 30;

impl RotationBackoff {
    /// Notes that a try failed at `now`, in Unix seconds.
    pub(super) fn note(&self, schedule: &ObjectRef<WebhookSchedule>, error: KeyNotMade, now: i64) {
        self.failed.lock().insert(schedule.clone(), (now + PAUSE, error));
    }

    /// Notes that the Secret of a key is there, and that the status doesn't say so yet.
    pub(super) fn note_unconfirmed(&self, schedule: &ObjectRef<WebhookSchedule>, secret: String, wanted: Wanted) {
        self.unconfirmed.lock().insert(schedule.clone(), (secret, wanted));
    }

    /// Takes such a key, to say so now.
    pub(super) fn take_unconfirmed(&self, schedule: &ObjectRef<WebhookSchedule>) -> Option<(String, Wanted)> {
        self.unconfirmed.lock().remove(schedule)
    }

    /// Why the last try failed, even if another try is due.
    pub(crate) fn last_error(&self, schedule: &ObjectRef<WebhookSchedule>) -> Option<KeyNotMade> {
        self.failed.lock().get(schedule).map(|(_, error)| error.clone())
    }

    /// When the next try is allowed, in Unix seconds, if that is later than `now`.
    pub(super) fn next_try(&self, schedule: &ObjectRef<WebhookSchedule>, now: i64) -> Option<i64> {
        self.failed.lock().get(schedule).map(|(next, _)| *next).filter(|next| now < *next)
    }

    /// Forgets a schedule whose key was made, or that was deleted.
    pub(super) fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.failed.lock().remove(schedule);
    }
}
