//! Waits for what the operator makes of a tenant's schedules.

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use postern::api::DeliveryStatus;
use postern::operator::names;
use serde_json::json;

use super::Tenant;
use crate::eventually;

impl Tenant {
    /// Waits until the deliveries of a schedule may use this port of the tier's, and no other.
    pub async fn may_use_port(&self, schedule: &str, port: u16) {
        let allowed = format!("allowedPorts\\\":[{port}]");
        let has_it = |cron_job: &CronJob| json!(cron_job).to_string().contains(&allowed);
        self.cron_job(schedule, "the tier's port in the delivery", has_it).await;
    }

    /// Waits until the operator has acted on this generation of a schedule, and so on everything before it.
    pub async fn is_at_generation(&self, schedule: &str, generation: i64) {
        eventually(&format!("generation {generation} of {schedule} to be seen"), async || {
            let status = self.status(schedule).await;
            if status.observed_generation == Some(generation) { Ok(()) } else { Err(status) }
        })
        .await;
    }

    /// Waits until the CronJob of a schedule is as `what` says.
    pub async fn cron_job(&self, schedule: &str, what: &str, met: impl Fn(&CronJob) -> bool) -> CronJob {
        let name = names::cron_job(schedule);
        eventually(what, async || match self.cron_jobs.get(&name).await {
            Ok(cron_job) if met(&cron_job) => Ok(cron_job),
            other => Err(other.map(|cron_job| cron_job.spec.suspend)),
        })
        .await
    }

    /// Waits until this many deliveries of a schedule are recorded, and returns them, the latest first.
    pub async fn deliveries(&self, schedule: &str, count: usize) -> Vec<DeliveryStatus> {
        let recent = eventually(&format!("{count} deliveries of {schedule} in its status"), async || {
            let status = self.status(schedule).await;
            let recent = status.recent_deliveries;
            if recent.len() >= count { Ok(recent) } else { Err((recent, status.conditions)) }
        })
        .await;
        assert_eq!(recent.len(), count, "{recent:?}");
        recent
    }

    /// Waits until a condition of a schedule has a status and reason, and returns its message.
    pub async fn condition(&self, schedule: &str, kind: &str, status: &str, reason: &str) -> String {
        eventually(&format!("{kind} to be {status} for {reason}"), async || {
            let conditions = self.status(schedule).await.conditions;
            let found = conditions.iter().find(|condition| condition.type_ == kind);
            let met = found.filter(|condition| condition.status == status && condition.reason == reason);
            met.map(|condition| condition.message.clone()).ok_or(conditions)
        })
        .await
    }

    /// The Events about schedules with this reason: their notes and how often each happened.
    pub async fn events(&self, reason: &str) -> Vec<(String, i32)> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let all = events.list(&ListParams::default()).await.unwrap().items;
        let these = all.into_iter().filter(|event| {
            let about = event.regarding.as_ref().and_then(|about| about.kind.as_deref());
            about == Some("WebhookSchedule") && event.reason.as_deref() == Some(reason)
        });
        these.map(|event| (event.note.unwrap_or_default(), event.series.map_or(1, |series| series.count))).collect()
    }

    /// Waits until there were this many Events with this reason, and returns them. The operator sends them after it writes the
    /// status.
    pub async fn events_reach(&self, reason: &str, count: i32) -> Vec<(String, i32)> {
        eventually(&format!("{count} Events of reason {reason}"), async || {
            let events = self.events(reason).await;
            if events.iter().map(|(_, count)| count).sum::<i32>() >= count { Ok(events) } else { Err(events) }
        })
        .await
    }
}
