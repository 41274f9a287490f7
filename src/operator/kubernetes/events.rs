//! Events about a schedule. The recorder folds Events of one reason about one schedule into one, which counts.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use kube::runtime::events::{Event, EventType, Recorder};

use super::text::cut;
use crate::api::WebhookSchedule;

/// The longest note of an Event, in bytes: the API server takes at most 1,024.
const LONGEST_NOTE: usize = 1_000;

/// An Event of the operator's.
pub(crate) fn event(type_: EventType, action: &str, reason: &str, note: String) -> Event {
    Event { type_, reason: reason.into(), note: Some(cut(note, LONGEST_NOTE)), action: action.into(), secondary: None }
}

/// Publishes Events. One that can't be is not worth a reconcile that fails: status says the same.
pub(crate) async fn publish(recorder: &Recorder, schedule: &WebhookSchedule, events: Vec<Event>) {
    // Without the version, which would make Events of every version different ones.
    let about = ObjectReference { resource_version: None, ..schedule.object_ref(&()) };
    for event in events {
        if let Err(error) = recorder.publish(&event, &about).await {
            tracing::warn!(%error, reason = event.reason, "an Event could not be published");
        }
    }
}
