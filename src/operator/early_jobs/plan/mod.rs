//! What to do about the coming minute of a schedule. Pure: it looks at the CronJob, its Jobs with their pods, and the time.
//!
//! The Job of a minute is made early only where the CronJob controller is sure to adopt it, and is withdrawn while there is time
//! when the controller would make another one. In doubt, the controller makes it.

use std::sync::Arc;

use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde::Deserialize;

use crate::cron::{Expression, time_zone};
use crate::delivery::{self, Scheduled};
use crate::operator::deliveries::outcome::has_ended;
use crate::operator::deliveries::run::{FINAL, Run};
use crate::operator::deliveries::spacing::last_scheduled;
use crate::operator::kubernetes::job::{due_at, is_early, is_over};
use crate::operator::names::{DELIVERY_ANNOTATION, EARLY_ANNOTATION, WOKEN_ANNOTATION};

/// With this offset within the minute or a later one, in seconds, a pod that the CronJob controller starts at the minute is in time.
const SOON_AFTER: u32 = 5;
/// How long the CronJob controller may take to adopt a Job after its time, in seconds: it makes 20 requests in a second by default,
/// and many CronJobs may be due in the same minute. It adopts none later than the next minute.
const ADOPTED_WITHIN: i64 = 50;
/// How long after its first due time the controller of a new CronJob is woken, in seconds.
const WOKEN_AFTER: i64 = 10;

/// What to do now, and when to look again if nothing happens before, in Unix milliseconds.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) step: Step,
    pub(crate) next: Option<i64>,
}

/// What to do now. Times are due times, in Unix seconds.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Nothing: no Job waits for its minute.
    Nothing,
    /// The Job of this time is to be made now.
    Make(i64),
    /// The Job that was made early stays.
    Keep,
    /// The Job that was made early is no longer what the CronJob controller would make, or its pod is lost: it is deleted.
    Withdraw(Arc<Job>),
    /// The CronJob controller has not adopted the Job of this time.
    NotAdopted(i64),
    /// The CronJob controller has made nothing of a new CronJob, which was due at this time: it is woken.
    Wake(i64),
}

/// Why the Job of a time isn't made early. Only a change of the CronJob or of its Jobs can end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// The CronJob is suspended: the schedule is suspended or held, or has no key to sign with.
    Suspended,
    /// The CronJob is being deleted.
    Deleted,
    /// The delivery is sent so long after the minute that it needs no early Job.
    SentLater,
    /// The CronJob controller has not begun the run before. It would pass that one over and only adopt the next; or it reads the
    /// zone in another way.
    NotBegun,
    /// The zone's offset changes after the last run. The controller has to show first that it knows of it.
    OffsetChanges,
    /// A run isn't over, which the controller would wait for, or replace.
    StillRuns,
}

impl Plan {
    const NOTHING: Self = Self { step: Step::Nothing, next: None };

    fn at(step: Step, next: Option<i64>) -> Self {
        Self { step, next: next.map(|seconds| seconds * 1_000) }
    }
}

/// Decides what to do about a CronJob, whose Jobs these are.
pub(crate) fn plan(cron_job: &CronJob, runs: &[Run], now: Timestamp) -> Plan {
    let timing = Timing::of(cron_job);
    match (early(cron_job, runs, now.as_second()), timing) {
        (Some((run, time)), timing) => of_early(cron_job, timing.as_ref(), runs, (run, time), now.as_second()),
        (None, Some(timing)) if last_scheduled(cron_job).is_none() => of_new(cron_job, &timing, now.as_second()),
        (None, Some(timing)) => of_coming(cron_job, &timing, runs, now),
        (None, None) => Plan::NOTHING,
    }
}

/// Whether the template of a CronJob lets its Jobs be made early.
pub(crate) fn has_lead(cron_job: &CronJob) -> bool {
    Timing::of(cron_job).is_some()
}

/// The Job that was made early and that the CronJob controller has yet to adopt, and its time.
fn early<'a>(cron_job: &CronJob, runs: &'a [Run], now: i64) -> Option<(&'a Run, i64)> {
    let is_awaited = |time: &i64| last_scheduled(cron_job) < Some(*time) && now < time + 2 * ADOPTED_WITHIN;
    let of_run = |run: &'a Run| {
        let is_early = is_early(&run.job) && run.job.metadata.deletion_timestamp.is_none();
        Some((run, due_at(&run.job).filter(|time| is_early && is_awaited(time))?))
    };
    runs.iter().find_map(of_run)
}

fn of_early(cron_job: &CronJob, timing: Option<&Timing>, runs: &[Run], (run, time): (&Run, i64), now: i64) -> Plan {
    let made_from = run.job.annotations().get(EARLY_ANNOTATION);
    let is_same = made_from == cron_job.metadata.generation.map(|generation| generation.to_string()).as_ref();
    let would_be_made = is_same && timing.is_some_and(|timing| obstacle(cron_job, timing, runs, time).is_none());
    let next = time + ADOPTED_WITHIN;
    let step = if now < time - FINAL && (!would_be_made || is_lost(run)) {
        Step::Withdraw(Arc::clone(&run.job))
    } else if now >= next && would_be_made {
        Step::NotAdopted(time)
    } else {
        Step::Keep
    };
    Plan::at(step, (now < next).then_some(next))
}

/// A CronJob of which nothing was made yet: its first run is the CronJob controller's. The controller does nothing, and doesn't look
/// again, where a Job with that name has another owner: the early Job of a CronJob that was deleted. Any change wakes it.
fn of_new(cron_job: &CronJob, timing: &Timing, now: i64) -> Plan {
    let is_woken = cron_job.annotations().contains_key(WOKEN_ANNOTATION);
    let made = cron_job.creation_timestamp().map(|made| made.0.as_second());
    let due = made.filter(|_| !is_woken && !is_suspended(cron_job)).and_then(|made| timing.next(made));
    match due {
        Some(due) if now >= due + WOKEN_AFTER => Plan::at(Step::Wake(due), None),
        Some(due) => Plan::at(Step::Nothing, Some(due + WOKEN_AFTER)),
        None => Plan::NOTHING,
    }
}

fn of_coming(cron_job: &CronJob, timing: &Timing, runs: &[Run], now: Timestamp) -> Plan {
    let Some(time) = timing.next(now.as_second()).filter(|time| obstacle(cron_job, timing, runs, *time).is_none())
    else {
        return Plan::NOTHING;
    };
    let begins = time - timing.before;
    if now.as_millisecond() < begins * 1_000 {
        return Plan::at(Step::Nothing, Some(begins));
    }
    Plan::at(Step::Make(time), Some(time + ADOPTED_WITHIN))
}

/// Why the Job of a time isn't made early.
fn obstacle(cron_job: &CronJob, timing: &Timing, runs: &[Run], time: i64) -> Option<Obstacle> {
    if is_suspended(cron_job) {
        return Some(Obstacle::Suspended);
    }
    if cron_job.metadata.deletion_timestamp.is_some() {
        return Some(Obstacle::Deleted);
    }
    if timing.offset >= SOON_AFTER {
        return Some(Obstacle::SentLater);
    }
    let Some(last) = last_scheduled(cron_job).filter(|last| timing.next(*last) == Some(time)) else {
        return Some(Obstacle::NotBegun);
    };
    if timing.has_change(last, time) {
        return Some(Obstacle::OffsetChanges);
    }
    let has_active = cron_job.status.iter().any(|status| status.active.iter().any(|active| !active.is_empty()));
    let runs_too = |run: &Run| !is_over(&run.job) && due_at(&run.job) != Some(time);
    let may_overlap = cron_job.spec.concurrency_policy.as_deref() == Some("Allow");
    (!may_overlap && (has_active || runs.iter().any(runs_too))).then_some(Obstacle::StillRuns)
}

fn is_suspended(cron_job: &CronJob) -> bool {
    cron_job.spec.suspend == Some(true)
}

/// Whether the sender that waits can't be relied on: it, or a pod of it, has ended or is about to.
fn is_lost(run: &Run) -> bool {
    let ends = |pod: &Pod| has_ended(pod) || pod.metadata.deletion_timestamp.is_some();
    is_over(&run.job) || run.pods.iter().any(|pod| ends(pod))
}

/// When a CronJob with a lead is due.
struct Timing {
    expression: Expression,
    zone: TimeZone,
    /// The second within the minute at which its deliveries are sent.
    offset: u32,
    /// How long before the minute its Job is made, in seconds.
    before: i64,
}

/// The part of `delivery.json` that is about time.
#[derive(Deserialize)]
struct Told {
    run: delivery::Run,
}

impl Timing {
    /// `None` for a CronJob whose senders don't wait for a time before the minute is over.
    fn of(cron_job: &CronJob) -> Option<Self> {
        let template = &cron_job.spec.job_template.spec.as_ref()?.template;
        let told = template.metadata.as_ref()?.annotations.as_ref()?.get(DELIVERY_ANNOTATION)?;
        let Ok(Told { run: delivery::Run::Scheduled(Scheduled { offset_seconds, lead_seconds, .. }) }) =
            serde_json::from_str(told)
        else {
            return None;
        };
        let before = i64::from(lead_seconds) - i64::from(offset_seconds);
        if before <= 0 {
            return None;
        }
        let expression = Expression::parse(&cron_job.spec.schedule, None).ok()?;
        let zone = time_zone(cron_job.spec.time_zone.as_deref()?).ok()?;
        Some(Self { expression, zone, offset: offset_seconds, before })
    }

    /// The first due time after this time.
    fn next(&self, after: i64) -> Option<i64> {
        let from = jiff::Timestamp::from_second(after).ok()?;
        self.expression.upcoming(&self.zone, from).next().map(jiff::Timestamp::as_second)
    }

    /// Whether the zone changes after one time, and not after the other.
    fn has_change(&self, after: i64, until: i64) -> bool {
        let change = jiff::Timestamp::from_second(after).ok().and_then(|after| self.zone.following(after).next());
        change.is_some_and(|change| change.timestamp().as_second() <= until)
    }
}

#[cfg(test)]
mod tests;
