//! The edge of preflight: makes the Job of a check that is due, and ends those that nobody asks for.

use kube::runtime::reflector::ObjectRef;

use super::apply::Applier;
use super::build::check_job;
use super::preflight::Stage;
use super::reconcile::{Context, ReconcileError};
use super::record::Record;
use super::validate::Valid;
use crate::api::WebhookSchedule;

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
    record: &Record,
    to: &Applier,
    context: &Context,
) -> Result<Checking, ReconcileError> {
    let known = ObjectRef::from_obj(schedule);
    let mut checking = Checking::AsSeen;
    match (&record.check.stage, valid) {
        (Stage::Due(_), Some(_)) if context.slots.is_late(&known) => checking = Checking::Late,
        // Whoever is done tells when it is its turn.
        (Stage::Due(_), Some(_)) if !context.slots.take(&known) => {}
        (Stage::Due(check), Some(valid)) => match to.start(&check_job(valid, check, &context.settings)?).await {
            Ok(()) => context.slots.note_made(&known),
            Err(error) => {
                context.needs_no_check(&known);
                return Err(error.into());
            }
        },
        (Stage::UnderWay, _) => context.slots.hold(&known),
        (Stage::Due(_) | Stage::Nothing, _) => context.needs_no_check(&known),
    }
    for job in &record.check.obsolete {
        to.delete(&**job).await?;
    }
    Ok(checking)
}
