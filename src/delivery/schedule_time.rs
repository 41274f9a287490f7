//! The scheduled time that a Job's name claims, and whether the sender believes it.

use super::{CLOCK_TOLERANCE_SECONDS, Timestamp};

/// The name doesn't end as the `CronJob` controller's names do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Job's name must end in - and the Unix minutes of its scheduled time, as the CronJob controller names it")]
pub struct JobNameInvalid;

/// Why a scheduled time is not believed: anyone who may make Jobs might have made this one by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScheduledTimeRefused {
    /// It is ahead of the sender's clock.
    #[error("the scheduled time is {0} s in the future")]
    InFuture(u64),
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

/// Whether a delivery scheduled for this time may start now; `deadline` is in seconds.
///
/// # Errors
/// When the time is ahead by more than [`CLOCK_TOLERANCE_SECONDS`] or longer ago than the deadline.
pub fn judge_scheduled_time(scheduled: Timestamp, now: Timestamp, deadline: u64) -> Result<(), ScheduledTimeRefused> {
    let ahead = scheduled.unix().saturating_sub(now.unix());
    let late = now.unix().saturating_sub(scheduled.unix());
    if ahead > CLOCK_TOLERANCE_SECONDS {
        Err(ScheduledTimeRefused::InFuture(ahead))
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

    #[test]
    fn believes_a_time_between_the_clock_tolerance_and_the_deadline() {
        for now in [955, 960, 1_080] {
            assert_eq!(judge_scheduled_time(at(960), at(now), 120), Ok(()), "{now}");
        }
    }

    #[test]
    fn refuses_a_future_time_and_one_past_the_deadline() {
        assert_eq!(judge_scheduled_time(at(960), at(954), 120), Err(ScheduledTimeRefused::InFuture(6)));
        assert_eq!(
            judge_scheduled_time(at(960), at(1_081), 120),
            Err(ScheduledTimeRefused::PastDeadline { late: 121, deadline: 120 })
        );
    }
}
