//! The edge of preflight: makes the Job of a check that is due, and ends those that nobody asks for.

use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use super::bucket::{Allowance, Turn};
use super::patience::patience;
use super::state::{Check, Look, Stage};
use crate::api::WebhookSchedule;
use crate::operator::build::check_job;
use crate::operator::kubernetes::apply::Applier;
use crate::operator::schedule::reconcile::{Context, ReconcileError};
use crate::operator::validate::Valid;

/// Whether the Job of a check that was made is not seen yet.
#[derive(PartialEq, Eq)]
pub(crate) enum Checking {
    Late,
    AsSeen,
}

/// Has a delivery judged before it is due, when it is the schedule's turn; and ends what is judged in vain. `valid` is a
/// schedule whose children are in place: no pod is made without its policy.
pub(crate) async fn check(
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
        (Stage::Due(due), Some(valid)) => {
            let due = due.clone();
            begin(schedule, valid, &due, look, to, context, now).await?;
        }
        (Stage::UnderWay, _) => context.slots.hold(&known),
        (Stage::Due(_) | Stage::Nothing | Stage::Waits(_), _) => context.needs_no_check(&known),
    }
    for job in &look.obsolete {
        to.delete(&**job).await?;
    }
    Ok(checking)
}

/// Makes the Job of a check, if its namespace may make one more and it is the schedule's turn.
async fn begin(
    schedule: &WebhookSchedule,
    valid: &Valid,
    due: &Check,
    look: &mut Look,
    to: &Applier,
    context: &Context,
    now: Timestamp,
) -> Result<(), ReconcileError> {
    let known = ObjectRef::from_obj(schedule);
    let allowance = Allowance::of_tier(valid.max_deliveries_per_hour);
    let is_repeat = due.repeated_within.is_some();
    let turn = context.buckets.reserve(&valid.namespace, &valid.name, is_repeat, allowance, now.as_millisecond());
    if let Turn::At(at) = turn {
        context.leaves_slot(&known);
        let at = (at + 999).div_euclid(1_000);
        (look.stage, look.until) = match due.repeated_within {
            Some(within) => (Stage::Nothing, Some(at.max(now.as_second() + within))),
            None => (Stage::Waits(at), Some(at)),
        };
        return Ok(());
    }
    if !context.slots.take(&known) {
        // Whoever is done tells when it is its turn.
        look.until = patience(schedule, look, now);
        return Ok(());
    }
    let job = check_job(valid, due, &context.settings)?;
    context.buckets.take(&valid.namespace, &valid.name);
    match to.start(&job).await {
        Ok(()) => {
            context.slots.note_made(&known);
            look.stage = Stage::UnderWay;
        }
        Err(error) => {
            tracing::warn!(%error, schedule = %known, "the Job of a check could not be made");
            context.needs_no_check(&known);
            look.could_not_be_made(schedule, due, now);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
