//! The step between judging and applying: what may deliver is on record before it may.

use kube::ResourceExt as _;

use super::observe::Found;
use super::reconcile::ReconcileError;
use super::status::pause;
use crate::api::WebhookSchedule;
use crate::operator::deliveries::history::Record;
use crate::operator::deliveries::trigger::Trigger;
use crate::operator::kubernetes::apply::ApplyError;
use crate::operator::names;
use crate::operator::tier::quota::ledger::{Ledger, Noted, Recorded, Start};
use crate::operator::validate::Valid;

/// The delivery that is to be made at once, unless its Job was made already.
pub(crate) fn to_trigger<'a>(schedule: &WebhookSchedule, record: &'a Record, found: &Found) -> Option<&'a Trigger> {
    let trigger = record.trigger.as_ref()?;
    let name = names::triggered_job(&schedule.name_any(), &trigger.id);
    let is_made = found.runs.iter().any(|run| run.job.metadata.name.as_ref() == Some(&name));
    (!is_made).then_some(trigger)
}

/// Records what a schedule takes, if its CronJob is to run or a delivery is to be triggered.
///
/// # Errors
/// When that can't be recorded: then nothing is started.
pub(crate) async fn record_start(
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
pub(crate) fn may_be_made(error: &ReconcileError) -> bool {
    match error {
        ReconcileError::Apply(ApplyError::Api { kind, source, .. }) if kind == "Job" => {
            !matches!(source, kube::Error::Api(status) if status.code < 500)
        }
        _ => false,
    }
}
