//! Jobs that are deleted before they are over: by hand, or by `concurrencyPolicy: Replace`.
//!
//! Their pods live on for a moment, and say how the delivery ended when nothing shows any more whose they are. So the Jobs
//! that are under way are remembered, in memory alone: of what ends while no operator looks, nothing is known.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;

use crate::api::WebhookSchedule;
use crate::operator::deliveries::outcome::is_over;
use crate::operator::schedule::observe::is_controlled_by;

/// So many Jobs of one schedule are remembered; whoever may make Jobs could make any number.
const MOST: usize = 16;

type Jobs = HashMap<ObjectRef<WebhookSchedule>, Vec<Arc<Job>>>;

/// The Jobs that were under way at the last look.
#[derive(Default)]
pub(crate) struct Running(Mutex<Jobs>);

impl Running {
    /// The Jobs of a schedule's CronJob, by its UID, that were under way and are gone. `there` are those that are.
    pub(crate) fn gone(
        &self,
        schedule: &ObjectRef<WebhookSchedule>,
        cron_job: Option<&str>,
        there: &[Arc<Job>],
    ) -> Vec<Arc<Job>> {
        let mut all = self.0.lock();
        let mut gone = all.remove(schedule).unwrap_or_default();
        // A CronJob before this one had the others.
        gone.retain(|job| is_controlled_by(&**job, cron_job) && there.iter().all(|other| other.uid() != job.uid()));
        let under_way = there.iter().filter(|job| !is_over(job)).chain(&gone);
        let under_way: Vec<_> = under_way.take(MOST).cloned().collect();
        if !under_way.is_empty() {
            all.insert(schedule.clone(), under_way);
        }
        gone
    }

    /// Forgets Jobs of which it is told how they ended.
    pub(crate) fn told(&self, schedule: &ObjectRef<WebhookSchedule>, ended: &[Arc<Job>]) {
        if let Some(jobs) = self.0.lock().get_mut(schedule) {
            jobs.retain(|job| ended.iter().all(|other| other.uid() != job.uid()));
        }
    }

    /// Forgets the Jobs of a namespace's schedules that are no more.
    pub(crate) fn sweep(&self, namespace: &str, exists: impl Fn(&ObjectRef<WebhookSchedule>) -> bool) {
        self.0.lock().retain(|schedule, jobs| {
            schedule.namespace.as_deref() != Some(namespace) || (!jobs.is_empty() && exists(schedule))
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operator::test_support::objects::over;

    const CRON_JOB: Option<&str> = Some("1");

    fn job(uid: &str, status: &serde_json::Value) -> Arc<Job> {
        let owner = json!({"apiVersion": "batch/v1", "kind": "CronJob", "name": "", "uid": "1", "controller": true});
        let metadata = json!({"name": uid, "uid": uid, "ownerReferences": [owner]});
        Arc::new(serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap())
    }

    fn names(jobs: &[Arc<Job>]) -> Vec<String> {
        jobs.iter().map(|job| job.name_any()).collect()
    }

    fn schedule(name: &str) -> ObjectRef<WebhookSchedule> {
        ObjectRef::new(name).within("team-a")
    }

    #[test]
    fn a_job_that_was_under_way_and_is_gone_is_remembered_until_it_is_told() {
        let (running, x) = (Running::default(), schedule("x"));
        let there = [job("a", &json!({})), job("b", &over()), job("c", &json!({}))];
        assert_eq!(names(&running.gone(&x, CRON_JOB, &there)), [""; 0]);
        assert_eq!(names(&running.gone(&x, CRON_JOB, &there[2..])), ["a"]);
        assert_eq!(names(&running.gone(&x, CRON_JOB, &[])), ["c", "a"]);
        running.told(&x, &there[..1]);
        assert_eq!(names(&running.gone(&x, CRON_JOB, &[])), ["c"]);
        assert_eq!(names(&running.gone(&schedule("y"), CRON_JOB, &[])), [""; 0], "another schedule's");
    }

    #[test]
    fn the_jobs_of_a_cron_job_that_is_no_more_are_forgotten() {
        let (running, x) = (Running::default(), schedule("x"));
        running.gone(&x, CRON_JOB, &[job("a", &json!({}))]);
        assert_eq!(names(&running.gone(&x, Some("2"), &[])), [""; 0]);
        assert_eq!(names(&running.gone(&x, CRON_JOB, &[])), [""; 0], "for ever");
    }

    #[test]
    fn the_jobs_of_a_schedule_that_is_no_more_are_forgotten() {
        let running = Running::default();
        for name in ["x", "y"] {
            running.gone(&schedule(name), CRON_JOB, &[job(name, &json!({}))]);
        }
        running.sweep("team-b", |_| false);
        running.sweep("team-a", |schedule| schedule.name == "y");
        assert_eq!(names(&running.gone(&schedule("x"), CRON_JOB, &[])), [""; 0]);
        assert_eq!(names(&running.gone(&schedule("y"), CRON_JOB, &[])), ["y"]);
    }

    #[test]
    fn no_more_are_remembered_than_a_schedule_can_need() {
        let (running, x) = (Running::default(), schedule("x"));
        for number in 0..100 {
            running.gone(&x, CRON_JOB, &[job(&number.to_string(), &json!({}))]);
        }
        assert_eq!(running.gone(&x, CRON_JOB, &[]).len(), MOST);
    }
}
