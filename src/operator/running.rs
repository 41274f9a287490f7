//! Jobs that are deleted before they are over: by hand, or by `concurrencyPolicy: Replace`.
//!
//! Their pods live on for a moment, and say how the delivery ended when nothing shows any more whose they are. So the Jobs
//! that are under way are remembered, in memory alone: of what ends while no operator looks, nothing is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use super::outcomes::is_over;

/// The Jobs that were under way at the last look, by the UIDs of their schedules.
#[derive(Default)]
pub(super) struct Running(Mutex<HashMap<String, Vec<Arc<Job>>>>);

impl Running {
    /// The Jobs of a schedule that were under way and are gone, until it is told how they ended. `there` are those that are.
    pub(super) fn gone(&self, schedule: &str, there: &[Arc<Job>], is_told: impl Fn(&Job) -> bool) -> Vec<Arc<Job>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut gone = all.remove(schedule).unwrap_or_default();
        gone.retain(|job| there.iter().all(|other| other.uid() != job.uid()) && !is_told(job));
        let under_way = there.iter().filter(|job| !is_over(job)).chain(&gone).cloned().collect::<Vec<_>>();
        if !under_way.is_empty() {
            all.insert(schedule.into(), under_way);
        }
        gone
    }

    /// Forgets the Jobs of schedules that are no more.
    pub(super) fn retain(&self, exists: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|schedule, _| exists(schedule));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operator::testdata::over;

    fn job(uid: &str, status: &serde_json::Value) -> Arc<Job> {
        Arc::new(serde_json::from_value(json!({"metadata": {"name": uid, "uid": uid}, "status": status})).unwrap())
    }

    fn names(jobs: &[Arc<Job>]) -> Vec<String> {
        jobs.iter().map(|job| job.name_any()).collect()
    }

    #[test]
    fn a_job_that_was_under_way_and_is_gone_is_remembered_until_it_is_told() {
        let running = Running::default();
        let there = [job("a", &json!({})), job("b", &over()), job("c", &json!({}))];
        assert_eq!(names(&running.gone("x", &there, |_| false)), [""; 0]);
        assert_eq!(names(&running.gone("x", &there[2..], |_| false)), ["a"]);
        assert_eq!(names(&running.gone("x", &[], |_| false)), ["c", "a"]);
        assert_eq!(names(&running.gone("x", &[], |job| job.name_any() == "a")), ["c"]);
        assert_eq!(names(&running.gone("y", &[], |_| false)), [""; 0], "another schedule's");
    }

    #[test]
    fn the_jobs_of_a_schedule_that_is_no_more_are_forgotten() {
        let running = Running::default();
        running.gone("x", &[job("a", &json!({}))], |_| false);
        running.retain(|schedule| schedule != "x");
        assert_eq!(names(&running.gone("x", &[], |_| false)), [""; 0]);
    }
}
