//! The edge of preflight: makes the Job of a check that is due, and ends those that nobody asks for.

use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use super::apply::Applier;
use super::build::check_job;
use super::preflight::{Look, Stage};
use super::reconcile::{Context, ReconcileError};
use super::validate::Valid;
use crate::api::WebhookSchedule;

/// When to try again to make a Job, in seconds: what is in the way is a quota or a webhook, and deliveries don't wait for it.
const TRIED_EVERY: i64 = 60;

/// Whether the Job of a check that was made is not seen yet.
#[derive(PartialEq, Eq)]
pub(super) enum Checking {
    Late,
    AsSeen,
}

/// Has a delivery judged before it is due, when it is the schedule's turn; and ends what is judged in vain. `valid` is a
/// schedule whose children are in place: no pod is made without its policy.
pub(super) async fn check(
    schedule: &WebhookSchedule,
    valid: Option<&Valid>,
    look: &mut Look,
    to: &Applier,
    context: &Context,
    now: Timestamp,
) -> Result<Checking, ReconcileError> {
    let known = ObjectRef::from_obj(schedule);
    let mut checking = Checking::AsSeen;
    match (&look.stage, valid) {
        (Stage::Due(_), Some(_)) if context.slots.is_late(&known) => checking = Checking::Late,
        // Whoever is done tells when it is its turn.
        (Stage::Due(_), Some(_)) if !context.slots.take(&known) => {}
        (Stage::Due(check), Some(valid)) => match to.start(&check_job(valid, check, &context.settings)?).await {
            Ok(()) => context.slots.note_made(&known),
            Err(error) => {
                tracing::warn!(%error, schedule = %known, "the Job of a check could not be made");
                context.needs_no_check(&known);
                look.stage = Stage::NotMade;
                look.until = Some(now.as_second() + TRIED_EVERY);
            }
        },
        (Stage::UnderWay, _) => context.slots.hold(&known),
        (Stage::Due(_) | Stage::Nothing | Stage::NotMade, _) => context.needs_no_check(&known),
    }
    for job in &look.obsolete {
        to.delete(&**job).await?;
    }
    Ok(checking)
}

#[cfg(test)]
#[path = "checking_tests.rs"]
mod tests;
