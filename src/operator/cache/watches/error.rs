//! Classifies the API server's answers to a failed watch.

use kube::runtime::watcher::Error;

/// Whether the permission is missing.
pub(super) fn is_forbidden(error: &Error) -> bool {
    code(error) == Some(403)
}

/// Whether the permission is missing, or the API server doesn't serve the kind.
pub(super) fn is_unreadable(error: &Error) -> bool {
    matches!(code(error), Some(403 | 404))
}

fn code(error: &Error) -> Option<u16> {
    let (Error::InitialListFailed(source) | Error::WatchStartFailed(source) | Error::WatchFailed(source)) = error
    else {
        return None;
    };
    if let kube::Error::Api(status) = source { Some(status.code) } else { None }
}
