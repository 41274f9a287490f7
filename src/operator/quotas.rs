//! What the schedules of a namespace take of what its tier allows them together, the oldest first.
//!
//! A schedule's part of the hour is the most that its expression can deliver in one, so what is regular never exceeds the
//! sum. Where a part is given up (the schedule is deleted, gets another expression, or is no longer accepted), what was used
//! of it stays taken until it is an hour old, and so does each delivery that was triggered. What begins anew waits until
//! there is room. That is kept in memory: an operator that has just begun knows of nothing that was given up before.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;

use crate::api::{WebhookSchedule, WebhookTierSpec};
use crate::cron::{Expression, Tightest, time_zone};

/// Seconds for which what was given up stays taken.
const HOUR: i64 = 3_600;

/// What one schedule takes of its namespace's quotas. Times are Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// Its place by age: 1 is the oldest.
    pub rank: u32,
    /// What older ones can deliver in an hour.
    pub older_per_hour: u32,
    /// How close its own deliveries get; `None` when its expression can't be read or never fires.
    pub tightest: Option<Tightest>,
    /// Its last delivery that this operator triggered.
    pub last_triggered: Option<i64>,
    /// When its first delivery may be, at the earliest.
    pub not_before: Option<i64>,
    /// When the namespace has room in its hour for one delivery more; `None` when the schedules take all of it.
    pub room_at: Option<i64>,
}

/// The part of a tier that a namespace's schedules share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Seconds.
    min_interval: i64,
    max_schedules: u32,
    max_per_hour: u32,
}

impl From<&WebhookTierSpec> for Limits {
    fn from(tier: &WebhookTierSpec) -> Self {
        Self {
            min_interval: i64::try_from(tier.min_interval.as_secs()).unwrap_or(i64::MAX),
            max_schedules: tier.max_schedules,
            max_per_hour: tier.max_deliveries_per_hour,
        }
    }
}

/// The schedules of all namespaces.
#[derive(Default)]
pub(super) struct Quotas {
    namespaces: Mutex<HashMap<String, Namespace>>,
    is_listed: AtomicBool,
}

impl Quotas {
    /// From now on, a schedule that is seen for the first time has just been made.
    pub(super) fn listed(&self) {
        self.is_listed.store(true, Ordering::Relaxed);
    }

    /// Takes a schedule as it is now, and returns the others that this concerns.
    pub(super) fn note(&self, schedule: &WebhookSchedule, now: i64) -> Vec<ObjectRef<WebhookSchedule>> {
        let is_new = self.is_listed.load(Ordering::Relaxed);
        self.with(schedule, |namespace| namespace.note(schedule, is_new, now))
    }

    /// Takes a schedule away, and returns the others that this concerns.
    pub(super) fn remove(&self, schedule: &WebhookSchedule, now: i64) -> Vec<ObjectRef<WebhookSchedule>> {
        let uid = schedule.uid().unwrap_or_default();
        self.with(schedule, |namespace| namespace.remove(&uid, now))
    }

    /// What a schedule takes, by these limits.
    pub(super) fn share(&self, schedule: &WebhookSchedule, limits: Limits, now: i64) -> Share {
        // A cache shows a schedule a moment before it is noted.
        let _ = self.note(schedule, now);
        let mut share = Share::default();
        self.with(schedule, |namespace| {
            share = namespace.share(&Age::of(schedule), limits, now);
            Vec::new()
        });
        share
    }

    /// Notes that a delivery was triggered.
    pub(super) fn triggered(&self, schedule: &WebhookSchedule, now: i64) {
        self.with(schedule, |namespace| {
            namespace.given_up.push((1, now + HOUR));
            if let Some(member) = namespace.schedules.get_mut(&Age::of(schedule)) {
                member.last = member.last.max(Some(now));
                member.last_triggered = Some(now);
            }
            Vec::new()
        });
    }

    /// Notes when a schedule delivered last.
    pub(super) fn delivered(&self, schedule: &WebhookSchedule, last: Option<i64>) {
        self.with(schedule, |namespace| {
            if let Some(member) = namespace.schedules.get_mut(&Age::of(schedule)) {
                member.last = member.last.max(last);
            }
            Vec::new()
        });
    }

    /// Forgets a namespace that is no more.
    pub(super) fn forget(&self, namespace: &str) {
        lock(&self.namespaces).remove(namespace);
    }

    fn with(
        &self,
        schedule: &WebhookSchedule,
        act: impl FnOnce(&mut Namespace) -> Vec<String>,
    ) -> Vec<ObjectRef<WebhookSchedule>> {
        let name = schedule.namespace().unwrap_or_default();
        let mut all = lock(&self.namespaces);
        let namespace = all.entry(name.clone()).or_default();
        let changed = act(namespace);
        changed.iter().map(|schedule| ObjectRef::new(schedule).within(&name)).collect()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is whole between any two calls.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The order of schedules: the oldest first, and of the same second by UID.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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

#[derive(Default)]
struct Namespace {
    schedules: BTreeMap<Age, Member>,
    limits: Option<Limits>,
    /// Deliveries that stay taken, and until when.
    given_up: Vec<(u32, i64)>,
    /// When one that was deleted delivered last.
    deleted_last: Option<i64>,
}

struct Member {
    name: String,
    /// Its expression and zone, as written.
    asked: (String, String),
    tightest: Option<Tightest>,
    /// What it may deliver in an hour: nothing while it is outside the quotas.
    takes: u32,
    /// Its place, and what older ones take.
    place: (u32, u32),
    flow: Flow,
    /// When it delivered last.
    last: Option<i64>,
    /// When it was triggered last.
    last_triggered: Option<i64>,
}

/// Whether a schedule may deliver by its expression.
#[derive(Clone, Copy)]
enum Flow {
    /// It has to wait for room, and to keep the smallest gap after what others delivered until then.
    Waits(Option<i64>),
    /// It may, since then.
    Since(i64),
}

impl Member {
    /// How many deliveries it may have made in the hour before `now`, and when it may have made the last.
    fn used(&self, uid: &str, now: i64) -> (u32, Option<i64>) {
        let Flow::Since(since) = self.flow else { return (0, self.last) };
        let mut due = 0;
        let mut last = self.last;
        if let (Some((expression, zone)), Ok(from)) =
            (parse(&self.asked, uid), Timestamp::from_second(since.max(now - HOUR)))
        {
            for time in expression.upcoming(&zone, from).map(Timestamp::as_second).take_while(|time| *time <= now) {
                due += 1;
                last = last.max(Some(time));
            }
        }
        // One that was late may have been due longer ago.
        let late = last.is_some_and(|last| last > now - HOUR);
        (due.max(late.into()), last)
    }
}

impl Namespace {
    fn note(&mut self, schedule: &WebhookSchedule, is_new: bool, now: i64) -> Vec<String> {
        let (age, name) = (Age::of(schedule), schedule.name_any());
        let asked = (schedule.spec.schedule.clone(), schedule.spec.time_zone.clone());
        if self.schedules.get(&age).is_some_and(|member| member.asked == asked) {
            return Vec::new();
        }
        // A watch that was interrupted shows another of that name, and no deletion.
        let same_name = self.schedules.iter().find(|(other, member)| **other != age && member.name == name);
        if let Some(uid) = same_name.map(|(other, _)| other.uid.clone()) {
            self.remove(&uid, now);
        }
        let from = Timestamp::from_second(now).unwrap_or_default();
        let tightest = parse(&asked, &age.uid).and_then(|(expression, zone)| expression.tightest(&zone, from));
        if let Some(member) = self.schedules.get_mut(&age) {
            let (used, last) = member.used(&age.uid, now);
            self.given_up.extend(last.map(|last| (used, last + HOUR)));
            (member.asked, member.tightest, member.takes, member.flow) = (asked, tightest, 0, Flow::Waits(None));
        } else {
            let flow = match is_new {
                true => Flow::Waits(self.deleted_last),
                // Of what was deleted while no operator looked, nothing is known.
                false if schedule.status.is_none() => Flow::Waits(Some(now)),
                false => Flow::Since(now - HOUR),
            };
            self.schedules.insert(
                age,
                Member { name, asked, tightest, takes: 0, place: (0, 0), flow, last: None, last_triggered: None },
            );
        }
        self.settle(now)
    }

    fn remove(&mut self, uid: &str, now: i64) -> Vec<String> {
        let Some(age) = self.schedules.keys().find(|age| age.uid == uid).cloned() else { return Vec::new() };
        if let Some(gone) = self.schedules.remove(&age) {
            let (used, last) = gone.used(uid, now);
            self.given_up.extend(last.map(|last| (used, last + HOUR)));
            self.deleted_last = self.deleted_last.max(last);
        }
        self.settle(now)
    }

    fn share(&mut self, age: &Age, limits: Limits, now: i64) -> Share {
        if self.limits != Some(limits) {
            self.limits = Some(limits);
            self.settle(now);
        }
        let Some(member) = self.schedules.get(age) else { return Share::default() };
        let ((rank, older_per_hour), last_triggered) = (member.place, member.last_triggered);
        let not_before = match member.flow {
            Flow::Since(_) => None,
            Flow::Waits(after) => {
                let gap = after.map_or(now, |last| last + limits.min_interval);
                Some(gap.max(self.room_at(0, limits, now).unwrap_or(now))).filter(|time| *time > now)
            }
        };
        let room_at = self.room_at(1, limits, now);
        let share = Share { rank, older_per_hour, tightest: member.tightest, last_triggered, not_before, room_at };
        if let Some(Member { flow: flow @ Flow::Waits(_), takes: 1.., .. }) = self.schedules.get_mut(age)
            && not_before.is_none()
        {
            *flow = Flow::Since(now);
        }
        share
    }

    /// When there is room for so many more in the hour.
    fn room_at(&self, more: u32, limits: Limits, now: i64) -> Option<i64> {
        let regular: u32 = self.schedules.values().map(|member| member.takes).sum();
        let room = limits.max_per_hour.checked_sub(regular)?.checked_sub(more)?;
        let mut given_up: Vec<_> = self.given_up.iter().filter(|(_, until)| *until > now).collect();
        given_up.sort_by_key(|(_, until)| std::cmp::Reverse(*until));
        let mut taken = 0;
        // Those that end last are still there when the others have ended.
        let first_too_many = given_up.iter().find(|(count, _)| {
            taken += count;
            taken > room
        });
        Some(first_too_many.map_or(now, |(_, until)| *until))
    }

    /// Goes through all of them, the oldest first, and returns those outside the quotas, before or now, whose place changed.
    fn settle(&mut self, now: i64) -> Vec<String> {
        self.given_up.retain(|(count, until)| *count > 0 && *until > now);
        let Some(limits) = self.limits else { return Vec::new() };
        let (mut rank, mut sum) = (0, 0);
        let mut changed = Vec::new();
        for (age, member) in &mut self.schedules {
            rank += 1;
            let keeps_gap = |tightest: &Tightest| {
                i64::try_from(tightest.min_gap_seconds).is_ok_and(|gap| gap >= limits.min_interval)
            };
            let own = member.tightest.filter(keeps_gap).map_or(0, |tightest| tightest.max_per_hour);
            let fits = rank <= limits.max_schedules && own <= limits.max_per_hour.saturating_sub(sum);
            let (before, takes) = (member.takes, if fits { own } else { 0 });
            if takes < before {
                let (used, last) = member.used(&age.uid, now);
                self.given_up.extend(last.map(|last| (used, last + HOUR)));
                member.flow = Flow::Waits(None);
            }
            if member.place != (rank, sum) && (before == 0 || takes == 0) {
                changed.push(member.name.clone());
            }
            (member.place, member.takes) = ((rank, sum), takes);
            sum += takes;
        }
        changed
    }
}

fn parse((expression, zone): &(String, String), uid: &str) -> Option<(Expression, TimeZone)> {
    Some((Expression::parse(expression, Some(uid)).ok()?, time_zone(zone).ok()?))
}

#[cfg(test)]
#[path = "quotas_tests.rs"]
mod tests;
