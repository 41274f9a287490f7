//! What follows once the status reports deliveries and checks: metrics, Events, and the deletion of Jobs that were given up.

use super::assess::Assessment;
use super::error::ReconcileError;
use super::events::events;
use crate::api::{WebhookSchedule, WebhookScheduleStatus};
use crate::operator::kubernetes::events::publish;
use crate::operator::schedule::context::ScheduleReconciler;

/// Publishes what is new, and deletes the Jobs that were given up: not before the status says how they ended.
pub(super) async fn report(
    context: &ScheduleReconciler,
    schedule: &WebhookSchedule,
    assessment: &Assessment,
    new: &WebhookScheduleStatus,
    is_news: bool,
) -> Result<(), ReconcileError> {
    let Assessment { history, check, .. } = assessment;
    if is_news {
        history.new.iter().for_each(|delivery| context.metrics.delivered(delivery));
        check.ended.iter().for_each(|(result, reason)| context.metrics.checked(*result, reason));
        publish(&context.recorder, schedule, events(schedule, history, new)).await;
    }
    context.deleted_jobs.mark_reported(&history.gone);
    for job in history.given_up.iter().chain(&check.given_up) {
        context.applier.delete_unchanged(&**job).await?;
    }
    Ok(())
}
