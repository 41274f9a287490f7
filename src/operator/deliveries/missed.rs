//! Which deliveries were due and never began. Pure.
//!
//! The CronJob controller doesn't report a time that it skips, so the due times are compared with the Jobs that exist. Where a
//! Job may have existed and been deleted since, nothing is reported as missed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::reasons::{DEADLINE_MISSED, PREVIOUS_STILL_RUNNING, Why};
use crate::cron::Expression;

/// How many finished Jobs of each kind a CronJob keeps. The operator reads them to catch up on what ended while it was away.
pub const KEPT_JOBS: u8 = 3;
/// How long it may take until a delivery that begins at the last moment is seen, in seconds.
pub(crate) const MARGIN: i64 = 10;
/// Times that were missed longer ago than this, in seconds, are not reported: a schedule that delivers every minute would have
/// too many to report after the operator was away.
const TOLD_FOR: i64 = 86_400;

/// What is known about a schedule's due times. Times are Unix seconds.
pub(crate) struct DueTimes<'a> {
    pub(crate) expression: &'a Expression,
    pub(crate) zone: &'a TimeZone,
    /// How late a delivery may begin, in seconds.
    pub(crate) deadline: i64,
    /// The time up to which nothing can have been missed.
    pub(crate) accounted_until: i64,
    /// Times of the schedule with a Job or a record.
    pub(crate) known: BTreeSet<i64>,
    /// The last time for which the controller made a Job.
    pub(crate) last_begun: Option<i64>,
    /// When Jobs ran that made the next ones wait: start and end; no end while a Job runs.
    pub(crate) blocked: Vec<(i64, Option<i64>)>,
    /// Finished Jobs that still exist: their times, and whether they succeeded.
    pub(crate) kept: Vec<(i64, bool)>,
    /// Whether a Job may have been deleted to make room for the next one.
    pub(crate) replaces: bool,
}

/// Whether a Job of this time may have existed and been deleted by now: the controller removes the oldest finished Jobs of each
/// kind beyond [`KEPT_JOBS`]. `kept` are the finished Jobs that exist, with whether they succeeded.
pub(crate) fn may_be_removed(time: i64, kept: &[(i64, bool)]) -> bool {
    let newer = |kind| kept.iter().filter(|(kept, succeeded)| *kept > time && *succeeded == kind).count();
    [true, false].into_iter().any(|kind| newer(kind) >= usize::from(KEPT_JOBS))
}

/// The result for the due times up to now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The times that were missed, and why.
    pub(crate) missed: Vec<(i64, Why)>,
    /// The time up to which nothing can be missed any more.
    pub(crate) accounted_until: i64,
    /// When the first time that is still open counts as missed, if nothing happens.
    pub(crate) open_until: Option<i64>,
}

impl DueTimes<'_> {
    /// Evaluates the times that were due by `now`.
    pub(crate) fn account(&self, now: i64) -> Account {
        let from = self.accounted_until.max(now - TOLD_FOR);
        let mut account = Account { missed: Vec::new(), accounted_until: from, open_until: None };
        let Ok(start) = Timestamp::from_second(from) else { return account };
        for time in self.expression.upcoming(self.zone, start).map(Timestamp::as_second).take_while(|time| *time <= now)
        {
            let passed_over = self.last_begun.is_some_and(|last| time <= last);
            let blocked = self.is_blocked(time);
            let late = now > time + self.deadline + MARGIN;
            let begun = self.known.contains(&time) || self.last_begun == Some(time);
            let removed = self.replaces || may_be_removed(time, &self.kept);
            if begun || (passed_over && !blocked && removed) {
                account.accounted_until = time;
            } else if passed_over && !blocked {
                account.missed.push((time, DEADLINE_MISSED));
                account.accounted_until = time;
            } else if passed_over || (blocked && late) {
                account.missed.push((time, PREVIOUS_STILL_RUNNING));
                account.accounted_until = time;
            } else if late {
                account.missed.push((time, DEADLINE_MISSED));
                account.accounted_until = time;
            } else {
                account.open_until = Some(time + self.deadline + MARGIN);
                break;
            }
        }
        account
    }

    fn is_blocked(&self, time: i64) -> bool {
        self.blocked.iter().any(|(from, until)| *from < time && until.is_none_or(|until| time < until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cron::time_zone;

    /// What became of the minutes 1 to 9, with a deadline of 90 s.
    struct Minutes {
        known: &'static [i64],
        last_begun: Option<i64>,
        blocked: Vec<(i64, Option<i64>)>,
        kept: &'static [i64],
    }

    impl Minutes {
        fn account(&self, now: i64) -> Account {
            let expression = Expression::parse("* * * * *", None).unwrap();
            let due = DueTimes {
                expression: &expression,
                zone: &time_zone("UTC").unwrap(),
                deadline: 90,
                accounted_until: 0,
                known: self.known.iter().map(|minute| minute * 60).collect(),
                last_begun: self.last_begun.map(|minute| minute * 60),
                blocked: self.blocked.clone(),
                kept: self.kept.iter().map(|minute| (minute * 60, true)).collect(),
                replaces: false,
            };
            due.account(now)
        }
    }

    #[test]
    fn a_time_without_a_job_is_missed_once_its_deadline_has_passed() {
        let nothing = Minutes { known: &[], last_begun: None, blocked: Vec::new(), kept: &[] };
        let open = Account { missed: Vec::new(), accounted_until: 0, open_until: Some(160) };
        assert_eq!(nothing.account(160), open);
        let missed = Account { missed: vec![(60, DEADLINE_MISSED)], accounted_until: 60, open_until: Some(220) };
        assert_eq!(nothing.account(161), missed);
    }

    #[test]
    fn a_time_with_a_job_and_one_whose_job_may_be_removed_by_now_are_not_missed() {
        let begun = Minutes { known: &[2, 3, 4], last_begun: Some(4), blocked: Vec::new(), kept: &[2, 3, 4] };
        assert_eq!(begun.account(260), Account { missed: Vec::new(), accounted_until: 240, open_until: None });
    }

    #[test]
    fn a_time_that_the_controller_says_it_began_is_not_missed_before_its_job_is_seen() {
        let unseen = Minutes { known: &[], last_begun: Some(1), blocked: Vec::new(), kept: &[] };
        assert_eq!(unseen.account(61), Account { missed: Vec::new(), accounted_until: 60, open_until: None });
    }

    #[test]
    fn a_time_that_the_controller_left_out_for_a_later_one_is_missed() {
        let skipped = Minutes { known: &[1, 4], last_begun: Some(4), blocked: Vec::new(), kept: &[1, 4] };
        assert_eq!(skipped.account(260).missed, [(120, DEADLINE_MISSED), (180, DEADLINE_MISSED)]);
    }

    #[test]
    fn a_time_that_fell_into_the_run_of_the_one_before_was_left_out_for_it() {
        // 1 ran until 2:30 and beyond minute 2; the controller then began 3.
        let over = Minutes { known: &[1, 3], last_begun: Some(3), blocked: vec![(60, Some(150))], kept: &[1] };
        let account = over.account(200);
        assert_eq!(account.missed, [(120, PREVIOUS_STILL_RUNNING)]);
        assert_eq!(account.accounted_until, 180);
    }

    #[test]
    fn a_time_that_waits_for_a_run_may_still_begin_until_its_deadline() {
        let running = Minutes { known: &[1], last_begun: Some(1), blocked: vec![(60, None)], kept: &[] };
        assert_eq!(running.account(200).missed, []);
        assert_eq!(running.account(221).missed, [(120, PREVIOUS_STILL_RUNNING)]);
    }

    #[test]
    fn what_was_missed_longer_than_a_day_ago_is_not_told() {
        let nothing = Minutes { known: &[], last_begun: None, blocked: Vec::new(), kept: &[] };
        let account = nothing.account(1_000_000);
        assert!(account.missed.iter().all(|(time, _)| *time > 1_000_000 - TOLD_FOR));
    }
}
