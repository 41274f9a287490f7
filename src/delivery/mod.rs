//! The contract between the operator and the sender: what to do ([`Delivery`]) and what happened ([`Outcome`]).
//!
//! A canary has a contract of its own, which works in the same way: [`Probes`] and [`Findings`].
//!
//! Both sides depend on this folder and not on each other. It holds types, their limits and how they are read; it reads no files
//! or clocks and opens no connections.
//!
//! Versions: a sender reads only the [`Delivery`] version that it was built with, and refuses unknown fields, since it must not
//! ignore a restriction that it doesn't know. The operator reads every [`Outcome`] version up to its own and ignores unknown
//! fields: fields are only ever added, and the version rises only when an old reader would misread the new form.

mod canary;
mod contract;
mod headers;
mod limits;
mod outcome;
mod parse;
mod reason;
mod schedule_time;
mod timestamp;
mod validate;

pub use canary::{CanaryUnreadable, Findings, MAX_PROBES, MAX_PROBES_BYTES, Place, Probe, Probes};
pub use contract::{
    Backoff, Body, ClientCertificate, Delivery, FileRef, Header, KeyRef, Method, Origin, Retries, Run, Schedule,
    Scheduled, Scheme, Signing, Tls, Triggered, ValueSource,
};
pub use headers::{HeaderNameRefused, Reserved, check_header_name, is_header_value};
pub use limits::*;
pub use outcome::{AddressFamily, Attempt, Outcome, OutcomeClass, OutcomeUnreadable, Timings};
pub use parse::DeliveryInvalid;
pub use reason::Reason;
pub use schedule_time::{JobNameInvalid, ScheduledTimeRefused, judge_scheduled_time, scheduled_time_of_job};
pub use timestamp::{Timestamp, TimestampMalformed};
