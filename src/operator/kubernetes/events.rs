//! Events about a schedule. The recorder merges Events with the same reason and schedule into one with a count.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder};

use super::text::cut;
use crate::api::WebhookSchedule;

/// The longest note of an Event, in bytes: the API server takes at most 1,024.
const LONGEST_NOTE: usize = 1_000;

/// An Event of the operator.
pub(crate) fn event(type_: EventType, action: &str, reason: &str, note: String) -> Event {
    Event { type_, reason: reason.into(), note: Some(cut(note, LONGEST_NOTE)), action: action.into(), secondary: None }
}

/// Publishes Events. A failure doesn't fail the reconcile: the status says the same.
pub(crate) async fn publish(recorder: &Recorder, schedule: &WebhookSchedule, events: Vec<Event>) {
    // Leave out the resource version: otherwise the Events of every version would be different ones.
    let about = ObjectReference { resource_version: None, ..schedule.object_ref(&()) };
    for event in events {
        if let Err(error) = recorder.publish(&event, &about).await {
            tracing::warn!(%error, reason = event.reason, "an Event could not be published");
        }
    }
}
