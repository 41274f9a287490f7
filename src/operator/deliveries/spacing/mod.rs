//! When the next delivery may begin: no sooner after the last one than the tier allows, whatever was changed in between. Pure.
//!
//! A running CronJob keeps the gaps of its expression by itself. It could break them when its expression changes, when it is
//! resumed (it makes up for the last time that it missed), and around a triggered delivery. In these cases it stays suspended
//! until a due time that is far enough from the last delivery.

use jiff::tz::TimeZone;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::outcome::ScheduledRun;
use super::run::Run;
use super::terms::Terms;
use super::trigger::Trigger;
use crate::api::{DeliveryOutcome, WebhookSchedule, WebhookScheduleStatus};
use crate::cron::Expression;
use crate::operator::kubernetes::job::made_at;

/// A delivery that begins within this many seconds of its time counts as on time in every tier.
pub(crate) const PROMPT: i64 = 10;
/// The upper limit of the same tolerance where a tenth of the smallest gap is more, in seconds.
const MOST_PROMPT: i64 = 300;
/// A delivery that begins later than that may fall into the hour of the next one, after it was counted in another hour.
const HOUR: i64 = 3_600;

/// What is known about a schedule's deliveries. Times are Unix seconds.
pub(crate) struct Spacing<'a> {
    pub(crate) expression: &'a Expression,
    pub(crate) zone: &'a TimeZone,
    /// How late the controller begins a delivery, in seconds.
    pub(crate) deadline: i64,
    /// The smallest gap that the tier allows, in seconds.
    pub(crate) min_interval: i64,
    /// When the last delivery was.
    pub(crate) last: Option<i64>,
    /// When the last triggered delivery was.
    pub(crate) last_triggered: Option<i64>,
    /// When the first delivery may begin.
    pub(crate) not_before: Option<i64>,
    /// The time until which the schedule was held.
    pub(crate) held_until: Option<i64>,
    /// How many seconds after its due time a regular delivery begins.
    pub(crate) spread: i64,
    pub(crate) child: CronJobState,
}

/// What the CronJob does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CronJobState {
    /// It runs with this expression. It may still begin a delivery that has been due since this time.
    Runs(i64),
    /// It is suspended, or has another expression. If resumed, it would make up for what has been due since this time.
    Stands(i64),
    /// It doesn't exist.
    Missing,
}

/// When a requested delivery is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TriggerDecision {
    Now,
    /// At this time, or once there is room. Until then, regular deliveries must keep their distance from it.
    At(Option<i64>),
    /// After the delivery that is about to begin: requeue then.
    After(i64),
}

impl TriggerDecision {
    /// The time that it waits for.
    pub(crate) fn at(self) -> Option<i64> {
        if let Self::At(at) = self { at } else { None }
    }

    /// When to requeue.
    pub(crate) fn look(self) -> Option<i64> {
        if let Self::After(time) = self { Some(time) } else { self.at() }
    }
}

impl<'a> Spacing<'a> {
    pub(crate) fn of(
        terms: &Terms<'a>,
        schedule: &WebhookSchedule,
        cron_job: Option<&CronJob>,
        runs: &[(&Run, ScheduledRun)],
        now: i64,
    ) -> Self {
        // The caches may not show yet what was triggered a moment ago.
        let last_triggered = last_triggered(schedule, runs).max(terms.last_triggered);
        Self {
            expression: terms.expression,
            zone: terms.zone,
            deadline: terms.deadline,
            min_interval: terms.min_interval,
            last: last(schedule, cron_job, runs).max(last_triggered),
            last_triggered,
            not_before: terms.not_before,
            held_until: schedule.status.as_ref().and_then(held_until),
            spread: terms.spread,
            child: cron_job_state(terms, schedule, cron_job, runs, now),
        }
    }

    /// The time until which the CronJob has to stay suspended.
    pub(crate) fn held_until(&self, now: i64) -> Option<i64> {
        let next = self.next(now)?;
        let may_start = match (self.child, self.late(now)) {
            // However late the controller is, it keeps the gaps between due times; only a triggered delivery can fall in
            // between.
            (CronJobState::Runs(_), late) => late.unwrap_or(next) >= self.after(self.last_triggered),
            (_, None) => next >= self.earliest(),
            (_, Some(late)) if now - late <= self.prompt() => late >= self.earliest(),
            // The schedule was held until this very time, so it isn't an additional delivery.
            (_, late) if late == self.held_until => next >= now + self.min_interval,
            (_, Some(_)) => now >= self.earliest() && next >= now + self.min_interval.max(HOUR),
        };
        if may_start {
            return None;
        }
        // The due time itself must be far enough from the last delivery.
        self.next(now.max(self.earliest().saturating_sub(1)))
    }

    /// When a requested delivery may be made, if the namespace has room for it at `room_at`.
    pub(crate) fn triggered(&self, room_at: Option<i64>, now: i64) -> TriggerDecision {
        let Some(room_at) = room_at else { return TriggerDecision::At(None) };
        // The last regular delivery began `spread` seconds after its due time, and a triggered one begins at once.
        let at = now.max(self.earliest() + self.spread).max(room_at);
        if let CronJobState::Runs(_) = self.child
            && let Some(coming) = self.late(now).filter(|late| *late > now - PROMPT).or_else(|| self.next(now))
            && coming <= now + PROMPT
            && self.is_too_close(at, coming)
        {
            return TriggerDecision::After(coming + PROMPT);
        }
        if at <= now { TriggerDecision::Now } else { TriggerDecision::At(Some(at)) }
    }

    /// Whether a delivery at `at` would be too close to the next one that the CronJob starts by itself.
    pub(crate) fn is_in_the_way(&self, at: i64, now: i64) -> bool {
        self.next(now).is_some_and(|next| self.is_too_close(at, next))
    }

    fn is_too_close(&self, at: i64, other: i64) -> bool {
        (at - other).abs() < self.min_interval
    }

    /// How late a delivery may begin and still count as on time, in seconds.
    fn prompt(&self) -> i64 {
        (self.min_interval / 10).clamp(PROMPT, MOST_PROMPT)
    }

    fn after(&self, delivery: Option<i64>) -> i64 {
        delivery.map_or(i64::MIN, |time| time.saturating_add(self.min_interval))
    }

    fn earliest(&self) -> i64 {
        self.after(self.last).max(self.not_before.unwrap_or(i64::MIN))
    }

    /// The last time that was due, has not begun, and still may begin: the controller doesn't know about triggered deliveries.
    fn late(&self, now: i64) -> Option<i64> {
        let (CronJobState::Runs(since) | CronJobState::Stands(since)) = self.child else { return None };
        let from = since.max(now - self.deadline);
        self.due_after(from).take_while(|time| *time <= now).last()
    }

    fn next(&self, after: i64) -> Option<i64> {
        self.due_after(after).next()
    }

    fn due_after(&self, time: i64) -> impl Iterator<Item = i64> {
        let from = jiff::Timestamp::from_second(time).ok();
        from.into_iter().flat_map(|from| self.expression.upcoming(self.zone, from)).map(jiff::Timestamp::as_second)
    }
}

/// The plan for a schedule's next deliveries, given its spacing.
#[derive(Default)]
pub(crate) struct Plan {
    /// When its last delivery was.
    pub(crate) last: Option<i64>,
    /// The time until which the CronJob is suspended, so that no delivery comes too early.
    pub(crate) held_until: Option<i64>,
    /// The delivery to trigger now.
    pub(crate) trigger: Option<Trigger>,
    /// When the requested delivery is made, if it isn't now.
    pub(crate) trigger_waits: Option<TriggerDecision>,
}

/// Plans a schedule's next deliveries.
pub(crate) fn plan(
    terms: &Terms<'_>,
    schedule: &WebhookSchedule,
    cron_job: Option<&CronJob>,
    runs: &[(&Run, ScheduledRun)],
    now: Timestamp,
) -> Plan {
    let seconds = now.as_second();
    let spacing = Spacing::of(terms, schedule, cron_job, runs, seconds);
    let last = spacing.last;
    let Some(asked) = Trigger::of(schedule, now) else {
        return Plan { last, held_until: spacing.held_until(seconds), ..Plan::default() };
    };
    // The Job exists, but the status could not be written.
    if runs.iter().any(|(_, due)| due.id == asked.id) {
        return Plan { last, held_until: spacing.held_until(seconds), trigger: Some(asked), trigger_waits: None };
    }
    match spacing.triggered(terms.room_at, seconds) {
        TriggerDecision::Now => {
            let then = Spacing { last: Some(seconds), last_triggered: Some(seconds), ..spacing };
            Plan { last, held_until: then.held_until(seconds), trigger: Some(asked), trigger_waits: None }
        }
        waits => {
            let in_the_way = |at: &i64| spacing.is_in_the_way(*at, seconds);
            let held_until = spacing.held_until(seconds).or_else(|| waits.at().filter(in_the_way));
            Plan { last, held_until, trigger: None, trigger_waits: Some(waits) }
        }
    }
}

fn cron_job_state(
    terms: &Terms<'_>,
    schedule: &WebhookSchedule,
    cron_job: Option<&CronJob>,
    runs: &[(&Run, ScheduledRun)],
    now: i64,
) -> CronJobState {
    let Some(cron_job) = cron_job else { return CronJobState::Missing };
    let made = cron_job.creation_timestamp().map_or(i64::MIN, |made| made.0.as_second());
    // The cache may show a Job before it shows the CronJob's status.
    let begun = runs.iter().filter(|(run, _)| !Trigger::made(&run.job)).map(|(_, due)| due.time);
    let since = begun.chain(last_scheduled(cron_job)).fold(made, i64::max);
    let spec = &cron_job.spec;
    let same = spec.schedule == terms.expression.resolved() && spec.time_zone.as_deref() == Some(terms.zone_name);
    // A CronJob that is held but runs was resumed by somebody else.
    let is_held = schedule.status.as_ref().and_then(held_until).is_some_and(|until| until > now);
    if same && spec.suspend != Some(true) && !is_held { CronJobState::Runs(since) } else { CronJobState::Stands(since) }
}

fn held_until(status: &WebhookScheduleStatus) -> Option<i64> {
    Some(status.held_until.as_ref()?.0.as_second())
}

/// The last time for which the controller made a Job.
pub(crate) fn last_scheduled(cron_job: &CronJob) -> Option<i64> {
    Some(cron_job.status.as_ref()?.last_schedule_time.as_ref()?.0.as_second())
}

/// When the last delivery was, according to every source.
fn last(schedule: &WebhookSchedule, cron_job: Option<&CronJob>, runs: &[(&Run, ScheduledRun)]) -> Option<i64> {
    let seen = runs.iter().map(|(run, due)| match made_at(&run.job) {
        Some(made) if made > due.time + PROMPT => made,
        _ => due.time,
    });
    let status = schedule.status.as_ref();
    let recorded = status.into_iter().flat_map(|status| &status.recent_deliveries);
    let recorded = recorded.filter(|delivery| delivery.outcome != DeliveryOutcome::NotRun);
    let recorded = recorded.filter_map(|delivery| delivery.scheduled_time.as_ref());
    seen.chain(recorded.map(|time| time.0.as_second())).chain(cron_job.and_then(last_scheduled)).max()
}

fn last_triggered(schedule: &WebhookSchedule, runs: &[(&Run, ScheduledRun)]) -> Option<i64> {
    let told = schedule.status.as_ref().and_then(|status| status.last_trigger.as_ref());
    let told = told.map(|trigger| trigger.time.0.as_second());
    let seen = runs.iter().filter(|(run, _)| Trigger::made(&run.job)).map(|(_, due)| due.time);
    seen.chain(told).max()
}

#[cfg(test)]
mod tests;
