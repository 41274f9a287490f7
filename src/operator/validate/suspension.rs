//! Whether the tenant paused a schedule.

use std::collections::BTreeMap;

use crate::api::SUSPEND_ANNOTATION;

/// What pauses a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspendedBy {
    /// `spec.suspend`.
    Spec,
    /// The annotation `postern.dev/suspend`, and not the spec.
    Annotation,
}

/// What pauses a schedule with this `spec.suspend` and these annotations; the spec comes first.
pub(super) fn suspended_by(spec: bool, annotations: &BTreeMap<String, String>) -> Option<SuspendedBy> {
    if spec {
        return Some(SuspendedBy::Spec);
    }
    // Whoever writes "yes" means it.
    let is_set = annotations.get(SUSPEND_ANNOTATION).is_some_and(|value| !matches!(value.as_str(), "" | "false"));
    is_set.then_some(SuspendedBy::Annotation)
}
