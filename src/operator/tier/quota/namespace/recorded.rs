//! What is recorded about a namespace. Pure.

use super::{Eligibility, Member, Namespace};
use crate::operator::tier::quota::given_up::GivenUp;
use crate::operator::tier::quota::usage::{MOST_PARTS, Part, ScheduleId, Usage};
use crate::operator::tier::quota::{Age, HOUR, ScheduleKey};

impl Namespace {
    /// A namespace with this record, whose schedules were not seen yet.
    pub(in crate::operator::tier::quota) fn of(usage: Usage) -> Self {
        let Usage { min_interval, schedules, given_up, deleted_last } = usage;
        Self {
            min_interval,
            given_up: GivenUp::of(given_up),
            deleted_last,
            unseen: schedules,
            is_recorded: true,
            ..Self::default()
        }
    }

    /// A schedule that is seen for the first time, combined with its record.
    pub(super) fn recorded(&mut self, age: &Age, member: Member, now: i64) -> Member {
        let recorded = self.unseen.remove(&ScheduleId::of(&age.uid));
        let Some(Part { takes, since, asked, last }) = recorded else { return member };
        let member = Member { last, last_triggered: last, running: takes, is_unsure: true, ..member };
        match (takes, asked == member.asked.hash(), since) {
            (0, _, _) => member,
            (_, true, Some(since)) => Member { takes, begins: Eligibility::Since(since), ..member },
            (_, true, None) => Member { takes, runs_since: Some(now - HOUR), ..member },
            // It was edited meanwhile, and may have delivered with its old expression.
            (_, false, _) => {
                self.given_up.add(Some(age), takes, now + HOUR, now);
                Member { begins: Eligibility::Waits { after: None, until: None }, ..member }
            }
        }
    }

    /// Notes that all existing schedules were seen. Other recorded schedules count as having delivered until now. Returns
    /// whether there were any.
    pub(in crate::operator::tier::quota) fn seen_all(&mut self, now: i64) -> bool {
        let gone = std::mem::take(&mut self.unseen);
        for part in gone.values() {
            self.given_up.add(None, part.takes, now + HOUR, now);
            self.deleted_last = Some(now);
        }
        !gone.is_empty()
    }

    /// The record to write now.
    pub(in crate::operator::tier::quota) fn usage(&self, now: i64) -> Usage {
        let parts = self.schedules.iter().map(|(age, member)| (age, member.part()));
        let seen = parts.filter(|(_, part)| part.takes > 0 || part.last.is_some()).take(MOST_PARTS);
        let seen = seen.map(|(age, part)| (ScheduleId::of(&age.uid), part));
        let usage = Usage {
            min_interval: self.min_interval,
            schedules: seen.chain(self.unseen.clone()).collect(),
            given_up: self.given_up.taken(now),
            deleted_last: self.deleted_last,
        };
        usage.at(now)
    }

    /// Whether there is nothing to remember.
    pub(in crate::operator::tier::quota) fn is_idle(&self, now: i64) -> bool {
        self.schedules.is_empty() && self.usage(now).is_empty()
    }

    /// Notes that a schedule with this expression is about to be started: its CronJob if `runs`. Returns what has to be recorded
    /// before; `None` when the schedule was edited or deleted, or lost its share, since it was judged.
    pub(in crate::operator::tier::quota) fn starts(
        &mut self,
        age: &Age,
        asked: &ScheduleKey,
        runs: bool,
        now: i64,
    ) -> Option<(ScheduleId, Part)> {
        let member = self.schedules.get_mut(age).filter(|member| member.asked == *asked && member.takes > 0)?;
        if runs {
            member.runs_since.get_or_insert(now);
            member.running = member.running.max(member.takes);
        }
        Some((ScheduleId::of(&age.uid), member.part()))
    }

    /// Notes that the CronJob of a schedule with this expression was written or found as it should be: running or suspended.
    /// Returns whether it delivers less than before.
    pub(in crate::operator::tier::quota) fn applied(&mut self, age: &Age, asked: &ScheduleKey, runs: bool) -> bool {
        let member = self.schedules.get_mut(age).filter(|member| member.asked == *asked);
        member.is_some_and(|member| {
            let running = if runs { member.takes } else { 0 };
            std::mem::replace(&mut member.running, running) > running
        })
    }
}

impl Member {
    /// What has to be recorded about the schedule.
    fn part(&self) -> Part {
        let since = match self.begins {
            Eligibility::Since(since) => Some(since),
            Eligibility::Waits { .. } => None,
        };
        let may_deliver = since.is_some() || self.runs_since.is_some();
        let takes = if may_deliver { self.takes } else { 0 };
        let last = if may_deliver { self.last_triggered } else { self.last };
        Part { takes: takes.max(self.running), since, asked: self.asked.hash(), last }
    }
}
