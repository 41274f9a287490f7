//! A fact about an object, and the condition that it becomes, in the sense of kstatus.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::text::cut;

/// The longest message of a condition, in bytes. The API server refuses a status with a message longer than 32,768 characters;
/// this bound is far below that, since large objects are costly to everyone who reads them.
const LONGEST_MESSAGE: usize = 4_096;

/// A condition before it is compared with the current one.
pub(crate) struct ConditionUpdate {
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl ConditionUpdate {
    pub(crate) fn new(
        kind: &'static str,
        status: &'static str,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, status, reason: reason.into(), message: message.into() }
    }

    /// The condition. Its last transition time changes only when the condition's status does.
    pub(crate) fn condition(self, old: &[Condition], generation: Option<i64>, now: Timestamp) -> Condition {
        let unchanged = old.iter().find(|old| old.type_ == self.kind && old.status == self.status);
        Condition {
            type_: self.kind.into(),
            status: self.status.into(),
            reason: self.reason,
            message: cut(self.message, LONGEST_MESSAGE),
            observed_generation: generation,
            last_transition_time: unchanged.map_or(Time(now), |old| old.last_transition_time.clone()),
        }
    }
}
