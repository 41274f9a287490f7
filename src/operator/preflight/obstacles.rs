//! Why a check that is due has no Job: the controller of preflight notes it, and the controller of schedules reports it in the
//! status.

use std::collections::HashMap;

use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use super::state::{Check, CheckState, Phase};
use crate::api::WebhookSchedule;

/// What keeps a check from being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The namespace has made as many checks as its tier allows for now. Times are Unix seconds.
    Waits {
        /// When the check may be made.
        at: i64,
        /// Whether it is an automatic repeat: the status doesn't report those.
        is_repeat: bool,
    },
    /// Its Job could not be made.
    JobNotMade,
}

/// The obstacles to checks, by schedule, with the name of the check's Job.
#[derive(Default)]
pub(crate) struct CheckObstacles(Mutex<HashMap<ObjectRef<WebhookSchedule>, (String, Obstacle)>>);

impl CheckObstacles {
    /// Notes what keeps a check from being made. Returns whether that is new.
    pub(super) fn note(&self, schedule: &ObjectRef<WebhookSchedule>, check: &Check, obstacle: Obstacle) -> bool {
        let new = (check.job.clone(), obstacle);
        self.0.lock().insert(schedule.clone(), new.clone()) != Some(new)
    }

    /// Whether the Job of this check could not be made.
    pub(super) fn is_not_made(&self, schedule: &ObjectRef<WebhookSchedule>, check: &Check) -> bool {
        self.0.lock().get(schedule) == Some(&(check.job.clone(), Obstacle::JobNotMade))
    }

    /// Notes that nothing keeps a check from being made, or that none is due.
    pub(super) fn forget(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.0.lock().remove(schedule);
    }

    /// Adds the obstacle to the check that is due, if there is one, to the state of a schedule's checks.
    pub(crate) fn apply(&self, look: &mut CheckState, schedule: &WebhookSchedule, now: Timestamp) {
        let Phase::Due(due) = &look.stage else { return };
        let known = self.0.lock().get(&ObjectRef::from_obj(schedule)).cloned();
        let Some((_, obstacle)) = known.filter(|(job, _)| *job == due.job) else { return };
        match obstacle {
            Obstacle::Waits { at, is_repeat } => {
                look.stage = if is_repeat { Phase::Nothing } else { Phase::Waits(at) };
                look.until = Some(at);
            }
            Obstacle::JobNotMade => {
                let due = due.clone();
                look.could_not_be_made(schedule, &due, now);
            }
        }
    }
}
