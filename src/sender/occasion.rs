//! Which delivery of its schedule this is, and when it is due.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files::Root;
use super::refusal::Refusal;
use crate::delivery::{Delivery, Run, Timestamp, Triggered, judge_scheduled_time, scheduled_time_of_job};
use crate::signing::DeliveryId;

#[derive(Clone)]
pub(super) struct Occasion {
    pub(super) id: DeliveryId,
    pub(super) scheduled_time: Timestamp,
    /// When to send: at the scheduled time plus the offset within the minute.
    pub(super) due: SystemTime,
    /// Whether the sender may be started before that.
    has_lead: bool,
}

impl Occasion {
    /// Reads the occasion from the Job's name, or takes it from the person's request for the delivery.
    pub(super) fn of(delivery: &Delivery, root: &Root, now: Timestamp) -> Result<Occasion, Refusal> {
        match &delivery.run {
            Run::Scheduled(timing) => {
                let scheduled_time = scheduled_time_of_job(&root.job_name()?)?;
                judge_scheduled_time(scheduled_time, now, *timing)?;
                let id = DeliveryId::of_schedule(&delivery.schedule.uid, scheduled_time.unix());
                let due = system_time(scheduled_time) + Duration::from_secs(timing.offset_seconds.into());
                Ok(Occasion { id, scheduled_time, due, has_lead: timing.lead_seconds > 0 })
            }
            Run::Triggered(Triggered { id, scheduled_time }) => Ok(Occasion::at_once(id.clone(), *scheduled_time)),
        }
    }

    /// The occasion of a check: now, whatever the Job's name says.
    pub(super) fn of_check(delivery: &Delivery, now: Timestamp) -> Occasion {
        Occasion::at_once(DeliveryId::of_schedule(&delivery.schedule.uid, now.unix()), now)
    }

    fn at_once(id: DeliveryId, scheduled_time: Timestamp) -> Occasion {
        Occasion { id, scheduled_time, due: system_time(scheduled_time), has_lead: false }
    }

    /// Whether the sender was started early on purpose, and it isn't due yet.
    pub(super) fn is_early(&self, now: SystemTime) -> bool {
        self.has_lead && now < self.due
    }
}

fn system_time(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.unix())
}
