//! What is recorded about a namespace, and for how many schedules that is possible. Pure.

use super::{Eligibility, Member, Namespace};
use crate::operator::tier::quota::given_up::GivenUp;
use crate::operator::tier::quota::usage::{Claim, MOST_PARTS, Part, ScheduleId, Usage};
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
    pub(super) fn recorded(&mut self, age: &Age, member: Member, now: i64) -> Member {
        let recorded = self.unseen.remove(&ScheduleId::of(&age.uid));
        let Some(Part { takes, since, asked, last_triggered }) = recorded else { return member };
        let last = last_triggered;
        let member = Member { last, last_triggered, is_unsure: true, ..member };
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
        // Schedules beyond that number have to wait before they begin.
        let seen = self.schedules.iter().filter(|(_, member)| member.is_recorded()).take(MOST_PARTS);
        let seen = seen.map(|(age, member)| (ScheduleId::of(&age.uid), member.part()));
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

    /// Notes that a schedule is about to be started: its CronJob if `runs`. Returns what has to be recorded before; `None` when
    /// too many schedules are older.
    pub(in crate::operator::tier::quota) fn starts(&mut self, age: &Age, runs: bool, now: i64) -> Option<Claim> {
        let member = self.schedules.get_mut(age)?;
        if usize::try_from(member.place.0).is_ok_and(|rank| rank > MOST_PARTS) {
            return None;
        }
        if runs {
            member.runs_since.get_or_insert(now);
        }
        Some(Claim::new(&age.uid, member.part(), self.min_interval, now))
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
