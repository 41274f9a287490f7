//! Writes the status of a schedule: over the version that was read, or not at all.

use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};

use super::consistency::ConsistencyStore;
use crate::api::{WebhookSchedule, WebhookScheduleStatus};

/// Writes a status, and returns the schedule with it; `None` when the schedule was changed or deleted since it was read.
///
/// # Errors
/// When the API server refuses or doesn't answer.
pub(crate) async fn replace_status(
    schedule: &WebhookSchedule,
    new: &WebhookScheduleStatus,
    client: &Client,
    consistency: &ConsistencyStore,
) -> Result<Option<WebhookSchedule>, kube::Error> {
    let api: Api<WebhookSchedule> = Api::namespaced(client.clone(), &schedule.namespace().unwrap_or_default());
    let mut whole = schedule.clone();
    whole.status = Some(new.clone());
    match api.replace_status(&schedule.name_any(), &PostParams::default(), &whole).await {
        Ok(by) => {
            consistency.wrote_at(schedule, Some(schedule), &by);
            Ok(Some(by))
        }
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The result of writing a status.
#[derive(PartialEq, Eq)]
pub(crate) enum StatusUpdate {
    /// The status was written, because it changed.
    Changed,
    /// The status is the same already.
    Unchanged,
    /// The schedule was changed or deleted since it was read.
    Conflict,
}

/// Writes a status if it changed.
///
/// # Errors
/// When the API server refuses or doesn't answer.
pub(crate) async fn update_status(
    schedule: &WebhookSchedule,
    new: &WebhookScheduleStatus,
    client: &Client,
    consistency: &ConsistencyStore,
) -> Result<StatusUpdate, kube::Error> {
    let old = schedule.status.as_ref();
    // An advance of `accountedUntil` alone isn't worth a write.
    let same = old.is_some_and(|old| {
        let accounted_until = old.accounted_until.clone();
        old.accounted_until.is_some() == new.accounted_until.is_some()
            && *old == WebhookScheduleStatus { accounted_until, ..new.clone() }
    });
    if same {
        return Ok(StatusUpdate::Unchanged);
    }
    Ok(match replace_status(schedule, new, client, consistency).await? {
        Some(_) => StatusUpdate::Changed,
        None => StatusUpdate::Conflict,
    })
}
