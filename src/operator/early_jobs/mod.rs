//! Deliveries on the dot: the Job of the coming minute is made some seconds early, under the name that the CronJob controller
//! will give it, and its sender waits. At the minute, the CronJob controller finds the Job, adopts it as its own and goes on.
//!
//! So the controller decides when a delivery is due, as ever, and without this operator it makes the Job itself. Everything is
//! decided from the CronJob, its Jobs and their pods as the caches show them: a schedule that is suspended, held or waits for a key
//! has a suspended CronJob, and the lead is in the template.

pub(crate) mod controller;
mod pauses;
mod plan;
pub(crate) mod support;
mod wake;
