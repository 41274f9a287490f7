//! The scheduled time that a Job's name claims, and whether the sender believes it.

use super::{CLOCK_TOLERANCE_SECONDS, Scheduled, Timestamp};

/// The name doesn't end as the `CronJob` controller's names do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Job's name must end in - and the Unix minutes of its scheduled time, as the CronJob controller names it")]
pub struct JobNameInvalid;

/// Why a scheduled time is not believed: anyone who may make Jobs might have made this one by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduledTimeRefused {
    /// It is ahead of the sender's clock.
    #[error("the scheduled time is {ahead} s in the future, beyond the {most} s that are accepted")]
    InFuture {
        /// Seconds until the scheduled time.
        ahead: u64,
        /// How many are accepted.
        most: u64,
    },
    /// It is too long ago.
    #[error("the scheduled time was {late} s ago, past the starting deadline of {deadline} s")]
    PastDeadline {
        /// Seconds since the scheduled time.
        late: u64,
        /// The starting deadline, in seconds.
        deadline: u64,
    },
}

/// The scheduled time in a Job's name. The `CronJob` controller names a Job `<cronjob>-<Unix minutes>`.
///
/// # Errors
/// When the name doesn't end in a hyphen and 1 to 9 digits without a leading zero.
pub fn scheduled_time_of_job(name: &str) -> Result<Timestamp, JobNameInvalid> {
    let (cron_job, digits) = name.rsplit_once('-').ok_or(JobNameInvalid)?;
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if cron_job.is_empty() || !plain || digits.starts_with('0') {
        return Err(JobNameInvalid);
    }
    let minutes: u64 = digits.parse().map_err(|_| JobNameInvalid)?;
    Timestamp::from_unix(minutes * 60).ok_or(JobNameInvalid)
}

/// Whether a delivery scheduled for this time may start now. It may be early by the lead, which is before the offset's end and
/// not before the scheduled time, and by [`CLOCK_TOLERANCE_SECONDS`].
///
/// # Errors
/// When the time is ahead by more than that or longer ago than the starting deadline.
pub fn judge_scheduled_time(
    scheduled: Timestamp,
    now: Timestamp,
    timing: Scheduled,
) -> Result<(), ScheduledTimeRefused> {
    let Scheduled { starting_deadline_seconds: deadline, offset_seconds, lead_seconds } = timing;
    let ahead = scheduled.unix().saturating_sub(now.unix());
    let most = u64::from(lead_seconds.saturating_sub(offset_seconds)) + CLOCK_TOLERANCE_SECONDS;
    let late = now.unix().saturating_sub(scheduled.unix());
    if ahead > most {
        Err(ScheduledTimeRefused::InFuture { ahead, most })
    } else if late > deadline {
        Err(ScheduledTimeRefused::PastDeadline { late, deadline })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    #[test]
    fn reads_the_minutes_that_the_cronjob_controller_writes() {
        assert_eq!(scheduled_time_of_job("postern-nightly-29412144"), Ok(at(29_412_144 * 60)));
        assert_eq!(scheduled_time_of_job("postern-7-29412144"), Ok(at(29_412_144 * 60)));
    }

    #[test]
    fn refuses_a_name_that_ends_otherwise() {
        for name in [
            "",
            "-",
            "-1",
            "29412144",
            "postern-nightly",
            "postern-nightly-",
            "postern-nightly-029412144",
            "postern-nightly--1a",
            "postern-nightly-+1",
            "postern-nightly-1 ",
            "postern-nightly-2941214400",
            "postern-nightly-manual-x7f2k",
            "postern-nightly-１",
        ] {
            assert_eq!(scheduled_time_of_job(name), Err(JobNameInvalid), "{name:?}");
        }
    }

    /// Judges the time 960 as of `now`, with a starting deadline of 120 s.
    fn judged(now: u64, offset_seconds: u32, lead_seconds: u32) -> Result<(), ScheduledTimeRefused> {
        let timing = Scheduled { starting_deadline_seconds: 120, offset_seconds, lead_seconds };
        judge_scheduled_time(at(960), at(now), timing)
    }

    #[test]
    fn believes_a_time_between_the_clock_tolerance_and_the_deadline() {
        for now in [955, 960, 1_080] {
            assert_eq!(judged(now, 0, 0), Ok(()), "{now}");
        }
    }

    #[test]
    fn refuses_a_future_time_and_one_past_the_deadline() {
        for offset in [0, 59] {
            assert_eq!(judged(954, offset, 0), Err(ScheduledTimeRefused::InFuture { ahead: 6, most: 5 }), "{offset}");
        }
        assert_eq!(judged(1_081, 0, 0), Err(ScheduledTimeRefused::PastDeadline { late: 121, deadline: 120 }));
        assert_eq!(judged(1_081, 0, 30), Err(ScheduledTimeRefused::PastDeadline { late: 121, deadline: 120 }));
    }

    #[test]
    fn believes_a_time_that_is_ahead_by_the_lead_beyond_the_offset_and_no_more() {
        for (offset, lead, most) in [(0, 10, 15), (4, 10, 11), (10, 10, 5), (59, 30, 5)] {
            assert_eq!(judged(960 - most, offset, lead), Ok(()), "{offset} {lead}");
            let refused = Err(ScheduledTimeRefused::InFuture { ahead: most + 1, most });
            assert_eq!(judged(960 - most - 1, offset, lead), refused, "{offset} {lead}");
        }
    }

    #[test]
    fn says_how_far_ahead_a_time_may_be() {
        let refused = judged(900, 0, 10).unwrap_err().to_string();
        assert_eq!(refused, "the scheduled time is 60 s in the future, beyond the 15 s that are accepted");
    }
}
