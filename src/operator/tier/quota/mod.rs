//! How a namespace's schedules share what their tier allows, the oldest first.
//!
//! A schedule's share of the hour is the most that its expression can deliver in an hour, so regular deliveries never exceed
//! the sum. When a share is given up (the schedule is deleted, gets another expression, or is no longer accepted), the
//! deliveries made from it count until they are an hour old, and so does each triggered delivery. A new share waits until there
//! is room. What a namespace uses is recorded (`usage`) before anything may be delivered (`ledger`), so that the next operator
//! knows it: the record outlives the operator, the last schedule and the namespace.

mod given_up;
pub(crate) mod ledger;
mod namespace;
pub(crate) mod usage;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::api::{WebhookSchedule, WebhookTierSpec};
use crate::cron::{Expression, Tightest, time_zone};
use crate::operator::kubernetes::digest::number_of;
use namespace::{Before, Namespace};
use usage::{Part, ScheduleId, Usage};

/// How long deliveries from a given-up share count, in seconds.
const HOUR: i64 = 3_600;

/// What one schedule uses of its namespace's quotas. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuotaUsage {
    /// Its rank by age: 1 is the oldest.
    pub rank: u32,
    /// How many deliveries older schedules can make in an hour.
    pub older_per_hour: u32,
    /// The smallest gap and fullest hour of its own expression; `None` when the expression can't be read or never fires.
    pub tightest: Option<Tightest>,
    /// When this operator last triggered a delivery of it.
    pub last_triggered: Option<i64>,
    /// When its first delivery is allowed, at the earliest.
    pub not_before: Option<i64>,
    /// When the namespace's hour has room for one more delivery; `None` when the schedules take all of it.
    pub room_at: Option<i64>,
}

/// The limits of a tier that a namespace's schedules share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// In seconds.
    min_interval: i64,
    max_schedules: u32,
    max_per_hour: u32,
}

impl From<&WebhookTierSpec> for Limits {
    fn from(tier: &WebhookTierSpec) -> Self {
        Self {
            min_interval: tier.min_interval.seconds(),
            max_schedules: tier.max_schedules,
            max_per_hour: tier.max_deliveries_per_hour,
        }
    }
}

/// The schedules of all namespaces.
#[derive(Default)]
pub(crate) struct Quotas {
    namespaces: Mutex<HashMap<String, Namespace>>,
    is_listed: AtomicBool,
    /// Namespaces in which something changed that may have to be recorded.
    left: Mutex<BTreeSet<String>>,
    has_left: Notify,
}

impl Quotas {
    /// Restores a namespace from its record, before any of its schedules is seen.
    fn restore(&self, namespace: &str, usage: Usage) {
        self.namespaces.lock().insert(namespace.into(), Namespace::of(usage));
    }

    /// Notes that the listing is complete. From now on, a schedule that is seen for the first time is new, and recorded
    /// schedules that were not seen count as deleted, except in namespaces that could not be listed.
    pub(crate) fn listed(&self, is_unlisted: impl Fn(&str) -> bool, now: i64) {
        self.is_listed.store(true, Ordering::Relaxed);
        for (name, namespace) in self.namespaces.lock().iter_mut().filter(|(name, _)| !is_unlisted(name)) {
            if namespace.seen_all(now) {
                self.leave_namespace(name);
            }
        }
    }

    /// Notes a schedule's current state, and returns the other schedules that this affects.
    pub(crate) fn note(&self, schedule: &WebhookSchedule, now: i64) -> Vec<ObjectRef<WebhookSchedule>> {
        let (age, asked) = (Age::of(schedule), ScheduleKey::by(schedule));
        if self.with(schedule, |namespace| namespace.knows(&age, &asked)) {
            return Vec::new();
        }
        // This may take long, so do it before anything is locked.
        let tightest = asked.tightest(&age.uid, now);
        let found = (!self.is_listed.load(Ordering::Relaxed)).then_some(schedule);
        let changed =
            self.with(schedule, |namespace| namespace.note(&age, &schedule.name_any(), asked, tightest, found, now));
        self.leave(schedule);
        in_namespace(schedule, &changed)
    }

    /// Removes a schedule, and returns the others that this affects.
    pub(crate) fn remove(&self, schedule: &WebhookSchedule, now: i64) -> Vec<ObjectRef<WebhookSchedule>> {
        let changed = self.with(schedule, |namespace| namespace.remove(&Age::of(schedule), now));
        self.leave(schedule);
        in_namespace(schedule, &changed)
    }

    /// Applies the limits of a schedule's tier, and lets the schedule begin if its time has come.
    pub(crate) fn recompute(&self, schedule: &WebhookSchedule, limits: Limits, now: i64) {
        let (age, asked) = (Age::of(schedule), ScheduleKey::by(schedule));
        let has_new_limits =
            self.with(schedule, |namespace| namespace.knows(&age, &asked) && namespace.recompute(&age, limits, now));
        if has_new_limits {
            self.leave(schedule);
        }
    }

    /// What a schedule uses, under the limits of the last [`Self::recompute`]; `None` when the schedule's current state wasn't
    /// noted.
    pub(crate) fn usage_of(&self, schedule: &WebhookSchedule, limits: Limits, now: i64) -> Option<QuotaUsage> {
        let (age, asked) = (Age::of(schedule), ScheduleKey::by(schedule));
        let namespaces = self.namespaces.lock();
        let namespace = namespaces.get(&schedule.namespace().unwrap_or_default())?;
        namespace.knows(&age, &asked).then(|| namespace.usage_of(&age, limits, now))
    }

    /// What a schedule uses under new limits.
    #[cfg(test)]
    pub(crate) fn recomputed(&self, schedule: &WebhookSchedule, limits: Limits, now: i64) -> Option<QuotaUsage> {
        self.recompute(schedule, limits, now);
        self.usage_of(schedule, limits, now)
    }

    /// Notes that a schedule is about to be started: its CronJob if `runs`. Returns what has to be recorded before; `None`
    /// when the schedule was changed or deleted since it was judged.
    fn starts(&self, schedule: &WebhookSchedule, runs: bool, now: i64) -> Option<(ScheduleId, Part)> {
        let (age, asked) = (Age::of(schedule), ScheduleKey::by(schedule));
        self.with(schedule, |namespace| namespace.starts(&age, &asked, runs, now))
    }

    /// Notes that a schedule's CronJob is in place, running or suspended.
    pub(crate) fn applied(&self, schedule: &WebhookSchedule, runs: bool) {
        let (age, asked) = (Age::of(schedule), ScheduleKey::by(schedule));
        if self.with(schedule, |namespace| namespace.applied(&age, &asked, runs)) {
            self.leave(schedule);
        }
    }

    /// Notes that a delivery is about to be triggered, and returns the state before.
    fn triggered(&self, schedule: &WebhookSchedule, now: i64) -> Option<Before> {
        self.with(schedule, |namespace| namespace.triggered(&Age::of(schedule), now))
    }

    /// Takes a triggered delivery back.
    fn not_triggered(&self, schedule: &WebhookSchedule, before: Before) {
        self.with(schedule, |namespace| namespace.not_triggered(&Age::of(schedule), before));
    }

    /// Notes when a schedule last delivered, and whether a triggered delivery of it waits for room. Returns whether there is
    /// room by now.
    pub(crate) fn delivered(&self, schedule: &WebhookSchedule, last: Option<i64>, wants_room: bool, now: i64) -> bool {
        self.with(schedule, |namespace| namespace.delivered(&Age::of(schedule), last, wants_room, now))
    }

    /// The record of a namespace now.
    fn usage(&self, namespace: &str, now: i64) -> Usage {
        self.namespaces.lock().get(namespace).map(|namespace| namespace.usage(now)).unwrap_or_default()
    }

    /// Forgets a namespace that has nothing to remember.
    fn forget_if_idle(&self, namespace: &str, now: i64) {
        let mut namespaces = self.namespaces.lock();
        if namespaces.get(namespace).is_some_and(|known| known.is_idle(now)) {
            namespaces.remove(namespace);
        }
    }

    /// Leaves what changed about a schedule to be recorded, whether a reconcile does it sooner or not.
    fn leave(&self, schedule: &WebhookSchedule) {
        self.leave_namespace(&schedule.namespace().unwrap_or_default());
    }

    fn leave_namespace(&self, namespace: &str) {
        self.left.lock().insert(namespace.into());
        self.has_left.notify_one();
    }

    fn with<T>(&self, schedule: &WebhookSchedule, act: impl FnOnce(&mut Namespace) -> T) -> T {
        act(self.namespaces.lock().entry(schedule.namespace().unwrap_or_default()).or_default())
    }
}

fn in_namespace(of: &WebhookSchedule, names: &[String]) -> Vec<ObjectRef<WebhookSchedule>> {
    let namespace = of.namespace().unwrap_or_default();
    names.iter().map(|name| ObjectRef::new(name).within(&namespace)).collect()
}

/// The order of schedules: by age, the oldest first, then by UID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(i64, String)", into = "(i64, String)")]
struct Age {
    created: i64,
    uid: String,
}

impl Age {
    fn of(schedule: &WebhookSchedule) -> Self {
        let created = schedule.creation_timestamp().map_or(i64::MAX, |created| created.0.as_second());
        Self { created, uid: schedule.uid().unwrap_or_default() }
    }
}

impl From<(i64, String)> for Age {
    fn from((created, uid): (i64, String)) -> Self {
        Self { created, uid }
    }
}

impl From<Age> for (i64, String) {
    fn from(Age { created, uid }: Age) -> Self {
        (created, uid)
    }
}

/// An expression and its zone, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ScheduleKey {
    expression: String,
    zone: String,
}

impl ScheduleKey {
    fn by(schedule: &WebhookSchedule) -> Self {
        Self { expression: schedule.spec.schedule.clone(), zone: schedule.spec.time_zone.clone() }
    }

    /// A hash that never changes for the same expression and zone.
    fn hash(&self) -> u64 {
        number_of(&format!("{}\n{}", self.expression, self.zone))
    }

    fn parse(&self, uid: &str) -> Option<(Expression, TimeZone)> {
        Some((Expression::parse(&self.expression, Some(uid)).ok()?, time_zone(&self.zone).ok()?))
    }

    fn tightest(&self, uid: &str, now: i64) -> Option<Tightest> {
        let (expression, zone) = self.parse(uid)?;
        expression.tightest(&zone, Timestamp::from_second(now).ok()?)
    }

    /// When it was due, after `since` and up to `now`.
    fn due(&self, uid: &str, since: i64, now: i64) -> Vec<i64> {
        let (Some((expression, zone)), Ok(since)) = (self.parse(uid), Timestamp::from_second(since)) else {
            return Vec::new();
        };
        expression.upcoming(&zone, since).map(Timestamp::as_second).take_while(|time| *time <= now).collect()
    }
}

#[cfg(test)]
mod crash_tests;

#[cfg(test)]
mod crash_world;

#[cfg(test)]
mod restart_tests;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod world;
