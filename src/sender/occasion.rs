//! Which delivery of its schedule this is, and when it is due.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files::Root;
use super::refusal::Refusal;
use crate::delivery::{Delivery, Run, Timestamp, Triggered, judge_scheduled_time, scheduled_time_of_job};
use crate::signing::DeliveryId;

pub(super) struct Occasion {
    pub(super) id: DeliveryId,
    pub(super) scheduled_time: Timestamp,
    offset: Duration,
}

impl Occasion {
    /// Reads the occasion from the Job's name, or takes it from the person's request for the delivery.
    pub(super) fn of(delivery: &Delivery, root: &Root, now: Timestamp) -> Result<Occasion, Refusal> {
        match &delivery.run {
            Run::Scheduled(timing) => {
                let scheduled_time = scheduled_time_of_job(&root.job_name()?)?;
                judge_scheduled_time(scheduled_time, now, *timing)?;
                let id = DeliveryId::of_schedule(&delivery.schedule.uid, scheduled_time.unix());
                Ok(Occasion { id, scheduled_time, offset: Duration::from_secs(timing.offset_seconds.into()) })
            }
            Run::Triggered(Triggered { id, scheduled_time }) => {
                Ok(Occasion { id: id.clone(), scheduled_time: *scheduled_time, offset: Duration::ZERO })
            }
        }
    }

    /// The occasion of a check: now, whatever the Job's name says.
    pub(super) fn of_check(delivery: &Delivery, now: Timestamp) -> Occasion {
        let id = DeliveryId::of_schedule(&delivery.schedule.uid, now.unix());
        Occasion { id, scheduled_time: now, offset: Duration::ZERO }
    }

    /// How long until the delivery is due: at the scheduled time plus the offset within the minute.
    pub(super) fn due_in(&self, now: SystemTime) -> Duration {
        let due = UNIX_EPOCH + Duration::from_secs(self.scheduled_time.unix()) + self.offset;
        due.duration_since(now).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_due_at_the_scheduled_time_and_its_offset_or_at_once_when_that_has_passed() {
        let occasion = Occasion {
            id: DeliveryId::of_schedule("uid", 600),
            scheduled_time: Timestamp::from_unix(600).unwrap(),
            offset: Duration::from_secs(37),
        };
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(occasion.due_in(at(597)), Duration::from_secs(40));
        assert_eq!(occasion.due_in(at(636)), Duration::from_secs(1));
        assert_eq!(occasion.due_in(at(700)), Duration::ZERO);
    }
}
