//! One schedule of a namespace, and its share. Pure.

use super::super::{HOUR, Limits, ScheduleKey};
use crate::api::{WebhookSchedule, WebhookScheduleStatus};
use crate::cron::Tightest;

pub(super) struct Member {
    pub(super) name: String,
    pub(super) asked: ScheduleKey,
    pub(super) tightest: Option<Tightest>,
    /// Whether the quotas have room for it.
    pub(super) fits: bool,
    /// Its share of the hour: nothing while it exceeds its tier.
    pub(super) takes: u32,
    /// Its rank by age, and what older schedules take.
    pub(super) place: (u32, u32),
    pub(super) begins: Eligibility,
    /// Since when its CronJob may run. The CronJob runs early if its next time is later than what the schedule waits for.
    pub(super) runs_since: Option<i64>,
    /// The most that its CronJob delivers in an hour, until it is known to be suspended.
    pub(super) running: u32,
    /// When it last delivered.
    pub(super) last: Option<i64>,
    /// Whether it existed before the operator started, and its last delivery hasn't been looked up yet.
    pub(super) is_unsure: bool,
    /// When it was last triggered.
    pub(super) last_triggered: Option<i64>,
}

/// Whether a schedule may deliver by its expression.
#[derive(Debug, Clone, Copy)]
pub(super) enum Eligibility {
    /// It has to wait for room.
    Waits {
        /// It has to keep the smallest gap after this time, until which others delivered.
        after: Option<i64>,
        /// It was held until this time.
        until: Option<i64>,
    },
    /// It may deliver since this time.
    Since(i64),
}

impl Eligibility {
    /// For a schedule that existed when the operator started, in a namespace without a record.
    pub(super) fn found(schedule: &WebhookSchedule, now: i64) -> Self {
        let status = schedule.status.as_ref();
        let is_accepted = status.is_some_and(WebhookScheduleStatus::is_accepted);
        match status.and_then(|status| status.held_until.as_ref()) {
            _ if !is_accepted => Self::Waits { after: Some(now), until: None },
            Some(until) => Self::Waits { after: None, until: Some(until.0.as_second()) },
            None => Self::Since(now - HOUR),
        }
    }

    /// For a schedule whose record says that it has not begun.
    pub(super) fn held(schedule: &WebhookSchedule) -> Self {
        let until = schedule.status.as_ref().and_then(|status| status.held_until.as_ref());
        Self::Waits { after: None, until: until.map(|until| until.0.as_second()) }
    }

    pub(super) fn after(self) -> Option<i64> {
        if let Self::Waits { after, .. } = self { after } else { None }
    }
}

impl Member {
    /// How many deliveries it may have made in the hour before `now`, and when it may have made the last one.
    pub(super) fn used(&self, uid: &str, now: i64) -> (u32, Option<i64>) {
        if self.is_unsure {
            return (self.takes, Some(now));
        }
        let since = match (self.begins, self.runs_since) {
            (Eligibility::Since(since), _) | (Eligibility::Waits { .. }, Some(since)) => since,
            (Eligibility::Waits { .. }, None) => return (0, self.last),
        };
        let since = since.max(now - HOUR);
        let due = self.asked.due(uid, since, now);
        let last = self.last.max(due.last().copied());
        // A late delivery may have been due longer ago.
        let count = u32::try_from(due.len()).unwrap_or(u32::MAX).max((last > Some(since)).into());
        (count, last)
    }
}

impl Member {
    /// The most that its expression delivers in an hour, if the tier allows its gap.
    pub(super) fn own(&self, limits: Limits) -> u32 {
        let keeps_gap =
            |tightest: &Tightest| i64::try_from(tightest.min_gap_seconds).is_ok_and(|gap| gap >= limits.min_interval);
        self.tightest.filter(keeps_gap).map_or(0, |tightest| tightest.max_per_hour)
    }

    /// Whether deliveries that keep the tier's gap can't exceed its share of the hour.
    pub(super) fn is_paced(&self, limits: Limits) -> bool {
        i64::from(self.takes).saturating_mul(limits.min_interval) >= HOUR
    }
}
