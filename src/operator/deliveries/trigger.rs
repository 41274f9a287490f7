//! A delivery that somebody requested by giving the annotation `postern.dev/trigger` a new value. Pure.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use crate::api::{MAX_TRIGGER_CHARS, TRIGGER_ANNOTATION, TriggerStatus, WebhookSchedule};
use crate::delivery;
use crate::signing::DeliveryId;

/// One requested delivery.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The annotation's value, as status shows it.
    pub value: String,
    /// The id of the delivery: it stays the same however often the operator tries to make it.
    pub id: DeliveryId,
    /// When it was requested, in whole seconds.
    pub time: Timestamp,
}

impl Trigger {
    /// The request in the annotation, unless the status shows it as made.
    pub(crate) fn of(schedule: &WebhookSchedule, now: Timestamp) -> Option<Self> {
        let value = shown(schedule.annotations().get(TRIGGER_ANNOTATION)?);
        let made = schedule.status.as_ref().and_then(|status| status.last_trigger.as_ref());
        if value.is_empty() || made.is_some_and(|made| made.value == value) {
            return None;
        }
        let previous = made.map(|made| made.id.as_str());
        let id = DeliveryId::of_trigger(&schedule.uid()?, previous, &value);
        Some(Self { value, id, time: Timestamp::from_second(now.as_second()).ok()? })
    }

    /// The status of this request.
    pub(crate) fn status(&self) -> TriggerStatus {
        TriggerStatus { value: self.value.clone(), id: self.id.as_str().into(), time: Time(self.time) }
    }

    /// Whether a Job was made for a request.
    pub(crate) fn made(job: &Job) -> bool {
        job.annotations().contains_key(TRIGGER_ANNOTATION)
    }

    /// What the sender is given.
    pub(crate) fn run(&self) -> Option<delivery::Run> {
        let scheduled_time = delivery::Timestamp::from_unix(u64::try_from(self.time.as_second()).ok()?)?;
        Some(delivery::Run::Triggered(delivery::Triggered { id: self.id.clone(), scheduled_time }))
    }
}

/// Bounds a value: an annotation may be long. Values with the same first characters count as the same request.
pub(crate) fn shown(value: &str) -> String {
    value.chars().take(MAX_TRIGGER_CHARS).collect()
}
