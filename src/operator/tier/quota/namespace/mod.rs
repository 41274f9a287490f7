//! The schedules of one namespace, and what they use together. Pure.

mod member;
mod recorded;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use super::given_up::GivenUp;
use super::usage::{Part, ScheduleId};
use super::{Age, HOUR, Limits, QuotaUsage, ScheduleKey};
use crate::api::WebhookSchedule;
use crate::cron::Tightest;
use member::{Eligibility, Member};

#[derive(Default)]
pub(super) struct Namespace {
    schedules: BTreeMap<Age, Member>,
    /// Which of them has a name.
    names: HashMap<String, Age>,
    /// The names of those with a triggered delivery that waits for room.
    wanting: BTreeSet<String>,
    limits: Option<Limits>,
    /// The last known smallest gap that its tier allows, in seconds.
    min_interval: i64,
    /// The most deliveries that all schedules together may make in an hour.
    regular: u32,
    given_up: GivenUp,
    /// When a deleted schedule last delivered.
    deleted_last: Option<i64>,
    /// The recorded shares of schedules that were not seen yet.
    unseen: BTreeMap<ScheduleId, Part>,
    /// Whether there is a record: then a schedule that isn't in it has not begun.
    is_recorded: bool,
}

/// When the schedule last delivered, and was last triggered, before the latest trigger.
pub(super) struct Before {
    last: Option<i64>,
    last_triggered: Option<i64>,
}

impl Namespace {
    /// Whether it has a schedule with this expression.
    pub(super) fn knows(&self, age: &Age, asked: &ScheduleKey) -> bool {
        self.schedules.get(age).is_some_and(|member| member.asked == *asked)
    }

    /// Notes a schedule's current state, and returns the names of the schedules that this affects.
    pub(super) fn note(
        &mut self,
        age: &Age,
        name: &str,
        asked: ScheduleKey,
        tightest: Option<Tightest>,
        found: Option<&WebhookSchedule>,
        now: i64,
    ) -> Vec<String> {
        // A watch that was interrupted shows another schedule of the same name, without a deletion.
        let gone = self.names.get(name).filter(|other| *other != age).cloned();
        let mut changed = gone.map(|gone| self.remove(&gone, now)).unwrap_or_default();
        self.give_up(age, now);
        let deleted_last = self.deleted_last;
        if let Some(member) = self.schedules.get_mut(age) {
            // A schedule without a share counts as new.
            let others = deleted_last.filter(|_| member.takes == 0);
            member.begins = Eligibility::Waits { after: member.begins.after().max(others), until: None };
            (member.asked, member.tightest, member.takes, member.runs_since) = (asked, tightest, 0, None);
        } else {
            let begins = match found {
                Some(schedule) if self.is_recorded => Eligibility::held(schedule),
                Some(schedule) => Eligibility::found(schedule, now),
                None => Eligibility::Waits { after: deleted_last, until: None },
            };
            let member = Member {
                name: name.into(),
                asked,
                tightest,
                fits: false,
                takes: 0,
                place: (0, 0),
                begins,
                runs_since: None,
                running: 0,
                last: None,
                is_unsure: found.is_some(),
                last_triggered: None,
            };
            let member = self.recorded(age, member, now);
            self.names.insert(name.into(), age.clone());
            self.schedules.insert(age.clone(), member);
        }
        changed.extend(self.settle(Some(age), now));
        changed
    }

    /// Removes a schedule, and returns the names of the schedules that this affects.
    pub(super) fn remove(&mut self, age: &Age, now: i64) -> Vec<String> {
        let last = self.give_up(age, now);
        let Some(removed) = self.schedules.remove(age) else { return Vec::new() };
        self.names.remove(&removed.name);
        self.deleted_last = self.deleted_last.max(last);
        self.settle(Some(age), now)
    }

    /// Applies the limits of the namespace's tier, and lets a schedule begin if its time has come. Returns whether the limits
    /// are new.
    pub(super) fn recompute(&mut self, age: &Age, limits: Limits, now: i64) -> bool {
        self.seen_all(now);
        let are_new = self.limits != Some(limits);
        if are_new {
            (self.limits, self.min_interval) = (Some(limits), limits.min_interval);
            self.settle(None, now);
        }
        let Some(member) = self.schedules.get(age) else { return are_new };
        if self.not_before(member, limits, now).is_some() {
            return are_new;
        }
        if let Some(Member { begins: begins @ Eligibility::Waits { .. }, takes: 1.., runs_since, .. }) =
            self.schedules.get_mut(age)
        {
            *begins = Eligibility::Since(runs_since.unwrap_or(now));
        }
        are_new
    }

    /// What a schedule of the namespace uses.
    pub(super) fn usage_of(&self, age: &Age, limits: Limits, now: i64) -> QuotaUsage {
        let Some(member) = self.schedules.get(age) else { return QuotaUsage::default() };
        // A schedule that keeps the gap never exceeds its share, however many deliveries are triggered.
        let room_at = if member.is_paced(limits) { Some(now) } else { self.room_at(1, limits, now) };
        QuotaUsage {
            rank: member.place.0,
            older_per_hour: member.place.1,
            tightest: member.tightest,
            last_triggered: member.last_triggered,
            not_before: self.not_before(member, limits, now),
            room_at,
        }
    }

    /// When the first delivery of a waiting schedule is allowed.
    fn not_before(&self, member: &Member, limits: Limits, now: i64) -> Option<i64> {
        let Eligibility::Waits { after, until } = member.begins else { return None };
        let after = after.map(|last| last.saturating_add(limits.min_interval));
        after.max(until).max(self.room_at(0, limits, now)).filter(|time| *time > now)
    }

    /// Notes that a delivery is about to be triggered, and returns the state before.
    pub(super) fn triggered(&mut self, age: &Age, now: i64) -> Option<Before> {
        let member = self.schedules.get_mut(age)?;
        let before = Before { last: member.last, last_triggered: member.last_triggered };
        member.last = member.last.max(Some(now));
        member.last_triggered = Some(now);
        self.given_up.add(Some(age), 1, now + HOUR, now);
        Some(before)
    }

    /// Takes a triggered delivery back, because it was not made.
    pub(super) fn not_triggered(&mut self, age: &Age, Before { last, last_triggered }: Before) {
        let Some(member) = self.schedules.get_mut(age) else { return };
        let noted = member.last_triggered;
        (member.last, member.last_triggered) = (last, last_triggered);
        if let Some(noted) = noted {
            self.given_up.take_back(age, noted + HOUR);
        }
    }

    /// Notes when a schedule last delivered, and whether a triggered delivery of it waits for room. Returns whether there is
    /// room by now.
    pub(super) fn delivered(&mut self, age: &Age, last: Option<i64>, wants_room: bool, now: i64) -> bool {
        let Some(member) = self.schedules.get_mut(age) else { return false };
        (member.last, member.is_unsure) = (member.last.max(last), false);
        if wants_room {
            self.wanting.insert(member.name.clone());
        } else {
            self.wanting.remove(&member.name);
        }
        wants_room && self.limits.is_some_and(|limits| self.room_at(1, limits, now).is_some())
    }

    /// Keeps counting what a schedule used of the share that it gives up; returns when it last delivered.
    fn give_up(&mut self, age: &Age, now: i64) -> Option<i64> {
        let member = self.schedules.get_mut(age)?;
        let (count, last) = member.used(&age.uid, now);
        (member.last, member.is_unsure) = (last, false);
        self.given_up.add(Some(age), count, last? + HOUR, now);
        last
    }

    /// When the hour has room for this many more deliveries.
    fn room_at(&self, more: u32, limits: Limits, now: i64) -> Option<i64> {
        let room = limits.max_per_hour.checked_sub(self.regular)?.checked_sub(more)?;
        if self.given_up.is_empty() {
            return Some(now);
        }
        // A schedule that keeps the gap never exceeds its share, before or after it gave up another.
        let is_paced = |age: &Age| self.schedules.get(age).is_some_and(|member| member.is_paced(limits));
        Some(self.given_up.leaves_room_at(room, is_paced, now))
    }

    /// Recomputes the shares of a schedule and of all younger ones, the oldest first; without a schedule, those of all. Returns
    /// the schedules that wait for room, and those that gain or lose their place.
    fn settle(&mut self, from: Option<&Age>, now: i64) -> Vec<String> {
        let Some(limits) = self.limits else { return Vec::new() };
        let older = from.and_then(|from| self.schedules.range(..from).next_back());
        let (mut rank, mut sum) = older.map_or((0, 0), |(_, Member { place, takes, .. })| (place.0, place.1 + takes));
        let mut changed: Vec<_> = std::mem::take(&mut self.wanting).into_iter().collect();
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        for (age, member) in self.schedules.range_mut((from, Bound::Unbounded)) {
            rank += 1;
            let own = member.own(limits);
            let fits = rank <= limits.max_schedules && own <= limits.max_per_hour.saturating_sub(sum);
            let takes = if fits { own } else { 0 };
            if takes < member.takes {
                let (count, last) = member.used(&age.uid, now);
                member.last = last;
                if let Some(last) = last {
                    self.given_up.add(Some(age), count, last + HOUR, now);
                }
                (member.begins, member.runs_since) = (Eligibility::Waits { after: None, until: None }, None);
            }
            if let Eligibility::Waits { after, .. } = &mut member.begins
                && fits
                && !member.fits
            {
                // It may take the place of a deleted schedule.
                *after = (*after).max(self.deleted_last);
            }
            if fits != member.fits {
                changed.push(member.name.clone());
            }
            (member.place, member.takes, member.fits) = ((rank, sum), takes, fits);
            sum += takes;
        }
        self.regular = sum;
        changed
    }
}
