//! Why a reconcile of a schedule has to be retried.

use crate::operator::kubernetes::apply::ApplyError;
use crate::operator::tier::quota::ledger::RecordError;

/// Why a reconcile has to be retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    /// A child can't be written.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The schedule's use of its tier can't be recorded.
    #[error(transparent)]
    NotRecorded(#[from] RecordError),
    /// A cache is behind the API server.
    #[error("the outcome of a delivery is not certain yet; the operator looks again")]
    StaleCache,
    /// A delivery can't be serialized to JSON.
    #[error("the delivery can't be written as JSON: {0}")]
    Build(#[from] serde_json::Error),
    /// The status can't be written.
    #[error("status: {0}")]
    Status(#[source] kube::Error),
}

impl ReconcileError {
    /// The kind of error, for metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Apply(ApplyError::NameTaken { .. }) => "NameTaken",
            Self::Apply(ApplyError::Outdated { .. } | ApplyError::Ending { .. }) | Self::StaleCache => "Outdated",
            Self::Apply(ApplyError::Api { .. }) => "ApplyFailed",
            Self::NotRecorded(_) => "UsageNotRecorded",
            Self::Build(_) => "BuildFailed",
            Self::Status(_) => "StatusFailed",
        }
    }

    /// Whether the status reports it: users can act on it, and the next reconcile won't resolve it.
    pub(crate) fn is_for_users(&self) -> bool {
        match self {
            Self::Apply(ApplyError::NameTaken { .. } | ApplyError::Ending { .. } | ApplyError::Api { .. })
            | Self::NotRecorded(_) => true,
            Self::Apply(ApplyError::Outdated { .. }) | Self::StaleCache | Self::Build(_) | Self::Status(_) => false,
        }
    }
}
