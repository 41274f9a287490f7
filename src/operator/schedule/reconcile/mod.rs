//! The pipeline: `dereference → validate → record → build → apply → check → status`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::jiff::Timestamp;
use kube::runtime::controller::Action;
use kube::runtime::events::Recorder;
use kube::runtime::reflector::ObjectRef;
use kube::{Client, ResourceExt};

use super::events::{events, publish};
use super::observe::{Found, Stores, is_controlled_by};
use super::starting::{may_be_made, record_start, to_trigger};
use super::status::{Progress, pause, status};
use crate::api::{WebhookSchedule, WebhookScheduleStatus};
use crate::operator::build::{cron_job, namespace_children, triggered_job};
use crate::operator::cache::caches::Queues;
use crate::operator::cache::unlisted::UNLISTED;
use crate::operator::deliveries::history::{Record, record};
use crate::operator::deliveries::spacing::Made;
use crate::operator::deliveries::trigger::Trigger;
use crate::operator::kubernetes::apply::{Applier, ApplyError};
use crate::operator::kubernetes::backoff::Failures;
use crate::operator::kubernetes::consistency::Written;
use crate::operator::kubernetes::status::{Saved, write_status};
use crate::operator::metrics::Metrics;
use crate::operator::names;
use crate::operator::preflight::bucket::Buckets;
use crate::operator::preflight::controller::{Checking, check};
use crate::operator::preflight::slots::Slots;
use crate::operator::settings::Settings;
use crate::operator::signing_keys::keeper::{Keeper, Unmade};
use crate::operator::signing_keys::rotation;
use crate::operator::tier::quota::ledger::{Ledger, Recorded};
use crate::operator::validate::{Refusal, Valid, validate};

/// The wait for a time that has come already.
const SOON: Duration = Duration::from_secs(1);
/// How long a watch may take to tell of a CronJob that was made, before it is looked for again.
const LATE: Duration = Duration::from_secs(1);

/// What every reconcile shares.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) settings: Settings,
    pub(crate) stores: Arc<Stores>,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    pub(crate) failures: Failures,
    pub(crate) written: Written,
    pub(crate) slots: Slots<WebhookSchedule>,
    pub(crate) buckets: Buckets,
    pub(crate) queues: Queues,
    pub(crate) unmade: Unmade,
    pub(crate) ledger: Arc<Ledger>,
}

impl Context {
    /// Lets the next schedule have its check, if this one kept it from that.
    pub(crate) fn needs_no_check(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.buckets.release(schedule.namespace.as_deref().unwrap_or_default(), &schedule.name);
        self.leaves_slot(schedule);
    }

    /// The same, of one that goes on waiting for its check.
    pub(crate) fn leaves_slot(&self, schedule: &ObjectRef<WebhookSchedule>) {
        self.queues.reconcile(self.slots.free(schedule));
    }
}

/// Why a reconcile has to be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// A child can't be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// What the caches show is not what is there.
    #[error("what became of a delivery is not known for sure yet; it is looked at again")]
    Doubtful,
    /// A delivery can't be written as JSON.
    #[error("the delivery can't be written as JSON: {0}")]
    Build(#[from] serde_json::Error),
    /// The status can't be written.
    #[error("status: {0}")]
    Status(#[source] kube::Error),
}

impl ReconcileError {
    /// What kind of error it is, for metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Apply(ApplyError::NameTaken { .. }) => "NameTaken",
            Self::Apply(ApplyError::Outdated { .. } | ApplyError::Ending { .. }) | Self::Doubtful => "Outdated",
            Self::Apply(ApplyError::KeyNotMade { .. }) => "KeyNotMade",
            Self::Apply(ApplyError::NotRecorded { .. } | ApplyError::TooManyToRecord) => "UsageNotRecorded",
            Self::Apply(ApplyError::Api { .. }) => "ApplyFailed",
            Self::Build(_) => "BuildFailed",
            Self::Status(_) => "StatusFailed",
        }
    }
}

/// Brings the cluster to where the schedule wants it, and says so in its status.
pub(crate) async fn reconcile(schedule: Arc<WebhookSchedule>, context: Arc<Context>) -> Result<Action, ReconcileError> {
    Box::pin(reconcile_at(&schedule, &context, Timestamp::now())).await
}

/// The same, at a time.
pub(crate) async fn reconcile_at(
    schedule: &WebhookSchedule,
    context: &Context,
    now: Timestamp,
) -> Result<Action, ReconcileError> {
    let Context { client, settings, stores, recorder, metrics, written, unmade, .. } = context;
    // The watch is about to tell of what this operator wrote last.
    if written.is_replaced(schedule) {
        return Ok(Action::await_change());
    }
    if let Some(action) = closed(schedule, stores) {
        context.needs_no_check(&ObjectRef::from_obj(schedule));
        return Ok(action);
    }
    let to = Applier { client: client.clone() };

    // dereference: from the caches
    let Some(mut found) = stores.dereference(schedule, settings.isolation, now.as_second()) else {
        return Ok(Action::requeue(SOON));
    };
    // While something holds back a schedule that is being deleted, it sends nothing.
    if schedule.metadata.deletion_timestamp.is_some() {
        context.needs_no_check(&ObjectRef::from_obj(schedule));
        return suspend(schedule, found.cron_job, &to).await.map(|_| Action::await_change());
    }
    if written.is_late(schedule, found.cron_job.as_deref()) {
        return Ok(Action::requeue(LATE));
    }
    let is_new = found.cron_job.is_none();
    // validate: pure, and so is the record of what became of the deliveries
    let valid = judge(&rotation::hoped(schedule, now), &found, settings, now);
    // Before anything else is done about them, nothing is sent with keys that are revoked.
    let mut suspended = Ok(());
    if valid.is_ok() && rotation::are_revoked(schedule, now) {
        match suspend(schedule, found.cron_job.clone(), &to).await {
            Ok(cron_job) => found.cron_job = cron_job,
            Err(error) => suspended = Err(error),
        }
    }
    // keys: a new one, if one is due, before what needs it; and the schedule as it is then
    let keeper = Keeper { client, written, unmade, recorder };
    let Some((keyed, mut no_key)) =
        keeper.keep(schedule, valid.is_ok() && suspended.is_ok(), now).await.map_err(ReconcileError::Status)?
    else {
        return Ok(Action::await_change());
    };
    let schedule = &*keyed;
    let valid = if matches!(keyed, Cow::Owned(_)) {
        judge(&rotation::hoped(schedule, now), &found, settings, now)
    } else {
        valid
    };
    let mut record = record(schedule, &found, valid.as_ref().ok(), now);
    confirm(schedule, &record, &found, &to).await?;
    if valid.is_ok() {
        stores.quotas.delivered(schedule, record.last, record.trigger_waits == Some(Made::At(None)));
    }
    let unkeyed = no_key.take_if(|_| !rotation::can_sign(schedule, now));
    // record, build (pure) and apply: writes what differs, once what may be delivered by it is on record
    let applied = match (&valid, unkeyed) {
        (Ok(_), _) if suspended.is_err() => suspended,
        (Ok(valid), None) => {
            match Box::pin(record_and_apply(context, schedule, (valid, &record), found, &to, now)).await {
                Ok(Some(wait)) => return Ok(Action::requeue(wait)),
                other => other.map(drop),
            }
        }
        (Ok(_), Some(error)) => Box::pin(suspend(schedule, found.cron_job, &to)).await.and(Err(error.into())),
        (Err(_), _) => Box::pin(suspend(schedule, found.cron_job, &to)).await.map(drop),
    };
    if is_new && valid.is_ok() && applied.is_ok() {
        written.note_made(schedule);
    }
    // check: one Job, when it is its turn
    let to_check = valid.as_ref().ok().filter(|_| applied.is_ok());
    let checking = Box::pin(check(schedule, to_check, &mut record.check, &to, context, now)).await;
    // status: one write, if it changed
    let progress = match (&valid, &applied) {
        (Ok(valid), Ok(())) => Progress::Applied(valid),
        (Ok(_), Err(ReconcileError::Apply(ApplyError::Outdated { .. }))) => {
            return applied.map(|()| Action::await_change());
        }
        (Ok(valid), Err(ReconcileError::Apply(error))) => Progress::Blocked(valid, error),
        (Ok(_), Err(_)) => return applied.map(|()| Action::await_change()),
        (Err(refusal), _) => Progress::Refused(refusal),
    };
    let mut new = status(schedule, &progress, &record, &stores.protected.now(), now);
    if matches!(progress, Progress::Applied(_)) {
        new.signing_keys = rotation::settled(schedule, now);
    }
    let (gone, deleted) = keeper.delete(schedule, rotation::unused(schedule, now)).await;
    new.signing_keys.retain(|key| !key.secret_name.as_ref().is_some_and(|name| gone.contains(name)));
    metrics.key_signs(&ObjectRef::from_obj(schedule), rotation::active_since(&new.signing_keys));
    let saved = write_status(schedule, &new, client, written).await.map_err(ReconcileError::Status)?;
    if saved == Saved::Not {
        // It was changed or deleted since: what it is now has another reconcile coming.
        return applied.map(|()| Action::await_change());
    }
    if saved == Saved::New {
        record.new.iter().for_each(|delivery| metrics.delivered(delivery));
        record.check.ended.iter().for_each(|(result, reason)| metrics.checked(*result, reason));
        publish(recorder, schedule, events(schedule, &record, &new)).await;
    }
    // Not before the status says how they ended.
    stores.running.told(&ObjectRef::from_obj(schedule), &record.gone);
    for job in &record.given_up {
        to.delete_unchanged(&**job).await?;
    }

    let late = checking? == Checking::Late;
    applied?;
    deleted?;
    // It goes on with the keys that it has, and this is tried again.
    no_key.map_or(Ok(()), Err)?;
    let look = rotation::look(schedule, &new.signing_keys, now);
    Ok(if late { Action::requeue(LATE) } else { wake(&new, &record, look, now) })
}

/// What to do instead in a namespace where nothing can be done: it is being deleted, which leaves the rest to the garbage
/// collector, or can't be listed yet.
fn closed(schedule: &WebhookSchedule, stores: &Stores) -> Option<Action> {
    let namespace = schedule.namespace().unwrap_or_default();
    if stores.is_ending(&namespace) {
        return Some(Action::await_change());
    }
    stores.unlisted.has(&namespace).then(|| Action::requeue(UNLISTED))
}

fn judge(schedule: &WebhookSchedule, found: &Found, settings: &Settings, now: Timestamp) -> Result<Valid, Refusal> {
    let tier = found.tier.clone()?;
    validate(schedule, &tier, &found.share, &found.own_addresses, settings, now.as_second())
}

/// That something never began is concluded from what caches don't show, and each is kept by a watch of its own, which may
/// be late. So it is asked once more, before it is told and a Job is given up.
async fn confirm(
    schedule: &WebhookSchedule,
    record: &Record,
    found: &Found,
    to: &Applier,
) -> Result<(), ReconcileError> {
    let mut is_sure = true;
    for job in &record.given_up {
        is_sure &= to.is_current(&**job).await?;
    }
    if let Some(cron_job) = found.cron_job.as_ref().filter(|_| !record.missed.is_empty()) {
        let (name, jobs) = (cron_job.name_any(), to.jobs_of(schedule, cron_job).await?);
        let was_begun = |time: &i64| jobs.contains(&names::job(&name, *time));
        is_sure &= to.is_current(&**cron_job).await? && !record.missed.iter().any(was_begun);
    }
    if is_sure { Ok(()) } else { Err(ReconcileError::Doubtful) }
}

/// The next look, when nothing happens before: once the delivery that the status announces is due, one that is due now is
/// missed, or there is something to do about a check or the keys.
fn wake(status: &WebhookScheduleStatus, record: &Record, keys: Option<i64>, now: Timestamp) -> Action {
    let due = status.next_delivery_time.as_ref().map(|next| next.0);
    let times =
        due.into_iter().map(Timestamp::as_second).chain(record.open_until).chain(record.check.until).chain(keys);
    let Some(first) = times.min() else { return Action::await_change() };
    let wait = u64::try_from(first.saturating_mul(1_000).saturating_sub(now.as_millisecond())).unwrap_or_default();
    Action::requeue(if wait == 0 { SOON } else { Duration::from_millis(wait) })
}

/// Records what is about to be started, and then makes the cluster hold it. Returns how long to wait first, if that is so.
async fn record_and_apply(
    Context { settings, ledger, .. }: &Context,
    schedule: &WebhookSchedule,
    (valid, record): (&Valid, &Record),
    found: Found,
    to: &Applier,
    now: Timestamp,
) -> Result<Option<Duration>, ReconcileError> {
    let trigger = to_trigger(schedule, record, &found);
    let noted = match record_start(ledger, schedule, (valid, record), trigger, now.as_second()).await {
        Ok(Recorded::Done(noted)) => noted,
        Ok(Recorded::Wait(wait)) => return Ok(Some(wait)),
        Err(error @ ApplyError::TooManyToRecord) => {
            return suspend(schedule, found.cron_job, to).await.and(Err(error.into()));
        }
        Err(error) => return Err(error.into()),
    };
    let applied = apply(valid, (record, trigger), found, to, settings).await;
    if applied.as_ref().is_err_and(|error| !may_be_made(error)) {
        ledger.take_back(schedule, noted);
    }
    applied.map(|()| None)
}

async fn apply(
    valid: &Valid,
    (record, trigger): (&Record, Option<&Trigger>),
    found: Found,
    to: &Applier,
    settings: &Settings,
) -> Result<(), ReconcileError> {
    // The policy stands before the first pod does.
    let children = namespace_children(&valid.namespace, &valid.delivery.egress, settings);
    to.namespace_children(children, (found.service_account, found.network_policy)).await?;
    let built = cron_job(valid, pause(valid, record).is_some(), settings)?;
    let cron_job = to.cron_job(built, found.cron_job).await?;
    if let Some(trigger) = trigger {
        to.start(&triggered_job(valid, trigger, &cron_job, settings)?).await?;
    }
    Ok(())
}

/// A schedule that is no longer accepted keeps its CronJob, paused. What only has the name and the label is let be. Returns the
/// CronJob as it is.
async fn suspend(
    schedule: &WebhookSchedule,
    found: Option<Arc<CronJob>>,
    to: &Applier,
) -> Result<Option<Arc<CronJob>>, ReconcileError> {
    let is_own = |cron_job: &CronJob| is_controlled_by(cron_job, schedule.uid().as_deref());
    let fires =
        |cron_job: &CronJob| cron_job.spec.suspend != Some(true) && cron_job.metadata.deletion_timestamp.is_none();
    let Some(cron_job) = found.clone().filter(|cron_job| is_own(cron_job) && fires(cron_job)) else {
        return Ok(found);
    };
    let mut paused = (*cron_job).clone();
    paused.spec.suspend = Some(true);
    Ok(Some(Arc::new(to.cron_job(paused, Some(cron_job)).await?)))
}

#[cfg(test)]
mod tests;
