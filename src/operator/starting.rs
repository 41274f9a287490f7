//! The step between judging and applying: what may deliver is on record before it may.

use super::apply::ApplyError;
use super::dereference::Found;
use super::names;
use super::quotas::ledger::{Ledger, Noted, Recorded, Start};
use super::reconcile::ReconcileError;
use super::record::Record;
use super::status::pause;
use super::trigger::Trigger;
use super::validate::Valid;
use crate::api::WebhookSchedule;
use kube::ResourceExt as _;

/// The delivery that is to be made at once, unless its Job was made already.
pub(super) fn to_trigger<'a>(schedule: &WebhookSchedule, record: &'a Record, found: &Found) -> Option<&'a Trigger> {
    let trigger = record.trigger.as_ref()?;
    let name = names::triggered_job(&schedule.name_any(), &trigger.id);
    let is_made = found.runs.iter().any(|run| run.job.metadata.name.as_ref() == Some(&name));
    (!is_made).then_some(trigger)
}

/// Records what a schedule takes, if its CronJob is to run or a delivery is to be triggered.
///
/// # Errors
/// When that can't be recorded: then nothing is started.
pub(super) async fn record_start(
    ledger: &Ledger,
    schedule: &WebhookSchedule,
    (valid, record): (&Valid, &Record),
    trigger: Option<&Trigger>,
    now: i64,
) -> Result<Recorded, ApplyError> {
    let start = Start { runs: pause(valid, record).is_none(), triggered: trigger.is_some() };
    if !start.runs && !start.triggered {
        return Ok(Recorded::Done(Noted::default()));
    }
    ledger.record(schedule, start, now).await
}

/// Whether the Job of a delivery may be there although an attempt to apply failed.
pub(super) fn may_be_made(error: &ReconcileError) -> bool {
    match error {
        ReconcileError::Apply(ApplyError::Api { kind, source, .. }) if kind == "Job" => {
            !matches!(source, kube::Error::Api(status) if status.code < 500)
        }
        _ => false,
    }
}
