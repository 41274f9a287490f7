//! What is recorded about a namespace, and for how many schedules that is possible. Pure.

use super::{Eligibility, Member, Namespace};
use crate::operator::tier::quota::given_up::GivenUp;
use crate::operator::tier::quota::usage::{MOST_PARTS, Part, Usage};
use crate::operator::tier::quota::{Age, HOUR};

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
    pub(super) fn recorded(&mut self, uid: &str, member: Member, now: i64) -> Member {
        let Some(Part { takes, since, asked, last_triggered }) = self.unseen.remove(uid) else { return member };
        let last = last_triggered;
        let member = Member { last, last_triggered, is_unsure: true, ..member };
        match (takes, asked == member.asked.hash(), since) {
            (0, _, _) => member,
            (_, true, Some(since)) => Member { takes, begins: Eligibility::Since(since), ..member },
            (_, true, None) => Member { takes, runs_since: Some(now - HOUR), ..member },
            // It was edited meanwhile, and may have delivered with its old expression.
            (_, false, _) => {
                self.given_up.add(uid, takes, now + HOUR, now);
                Member { begins: Eligibility::Waits { after: None, until: None }, ..member }
            }
        }
    }

    /// Notes that all existing schedules were seen. Other recorded schedules count as having delivered until now. Returns
    /// whether there were any.
    pub(in crate::operator::tier::quota) fn seen_all(&mut self, now: i64) -> bool {
        let gone = std::mem::take(&mut self.unseen);
        for (uid, part) in &gone {
            self.given_up.add(uid, part.takes, now + HOUR, now);
            self.deleted_last = Some(now);
        }
        !gone.is_empty()
    }

    /// The record to write now.
    pub(in crate::operator::tier::quota) fn usage(&self, now: i64) -> Usage {
        // Schedules beyond that number have to wait before they begin.
        let seen = self.schedules.iter().filter(|(_, member)| member.is_recorded()).take(MOST_PARTS);
        let seen = seen.map(|(age, member)| (age.uid.clone(), member.part()));
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

    /// Whether the maximum of other schedules that can be recorded have begun; for a schedule that has begun itself, only older
    /// ones count.
    fn is_one_too_many(&self, age: &Age) -> bool {
        if self.schedules.len() <= MOST_PARTS {
            return false;
        }
        let has_begun = self.schedules.get(age).is_some_and(Member::is_recorded);
        let others = self
            .schedules
            .iter()
            .filter(|(other, member)| *other != age && member.is_recorded() && (!has_begun || *other < age));
        others.count() >= MOST_PARTS
    }

    /// Notes that a schedule is about to be started: its CronJob if `runs`. Returns whether it may be: not when there are too
    /// many schedules to be recorded.
    pub(in crate::operator::tier::quota) fn starts(&mut self, age: &Age, runs: bool, now: i64) -> bool {
        if self.is_one_too_many(age) {
            return false;
        }
        if let Some(member) = self.schedules.get_mut(age).filter(|_| runs) {
            member.runs_since.get_or_insert(now);
        }
        true
    }
}

impl Member {
    /// Whether something about the schedule has to be recorded.
    fn is_recorded(&self) -> bool {
        let may_deliver = matches!(self.begins, Eligibility::Since(_)) || self.runs_since.is_some();
        self.last_triggered.is_some() || self.takes > 0 && may_deliver
    }

    fn part(&self) -> Part {
        let (takes, since) = match self.begins {
            Eligibility::Since(since) => (self.takes, Some(since)),
            Eligibility::Waits { .. } if self.runs_since.is_some() => (self.takes, None),
            Eligibility::Waits { .. } => (0, None),
        };
        Part { takes, since, asked: self.asked.hash(), last_triggered: self.last_triggered }
    }
}
