//! Why a reconcile of a schedule has to be tried again.

use crate::operator::kubernetes::apply::ApplyError;
use crate::operator::tier::quota::ledger::RecordError;

/// Why a reconcile has to be tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// A child can't be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// What the schedule takes of its tier can't be recorded.
    #[error(transparent)]
    DeliveryHistory(#[from] RecordError),
    /// What the caches show is not what is there.
    #[error("the outcome of a delivery is not certain yet; the operator looks again")]
    StaleCache,
    /// A delivery can't be written as JSON.
    #[error("the delivery can't be written as JSON: {0}")]
    Build(#[from] serde_json::Error),
    /// The status can't be written.
    #[error("status: {0}")]
    Status(#[source] kube::Error),
}

impl ReconcileError {
    /// What kind of error it is, for metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Apply(ApplyError::NameTaken { .. }) => "NameTaken",
            Self::Apply(ApplyError::Outdated { .. } | ApplyError::Ending { .. }) | Self::StaleCache => "Outdated",
            Self::Apply(ApplyError::Api { .. }) => "ApplyFailed",
            Self::DeliveryHistory(_) => "UsageNotRecorded",
            Self::Build(_) => "BuildFailed",
            Self::Status(_) => "StatusFailed",
        }
    }

    /// Whether status says it: it is for a user to know, and not over by the next reconcile.
    pub(crate) fn is_for_users(&self) -> bool {
        match self {
            Self::Apply(ApplyError::NameTaken { .. } | ApplyError::Ending { .. } | ApplyError::Api { .. })
            | Self::DeliveryHistory(_) => true,
            Self::Apply(ApplyError::Outdated { .. }) | Self::StaleCache | Self::Build(_) | Self::Status(_) => false,
        }
    }
}
