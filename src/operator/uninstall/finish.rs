//! When to stop waiting for running deliveries, and which pods are still running. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// How long running deliveries may continue.
const FINISH_WITHIN: Duration = Duration::from_mins(1);

/// What to do after checking the running deliveries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Check again, after a while.
    Look,
    /// No delivery is running.
    Done,
    /// End the running deliveries.
    End,
}

/// What to do when this many deliveries are running, when `before` were running at the previous check, and this long after the
/// first.
///
/// A single check without any isn't enough: the CronJob controller may not have seen yet that a CronJob was suspended, and may
/// make one more Job.
pub(super) fn next(running: usize, before: Option<usize>, waited: Duration) -> Next {
    match (running, before) {
        (0, Some(0)) => Next::Done,
        (0, _) => Next::Look,
        _ if waited >= FINISH_WITHIN => Next::End,
        _ => Next::Look,
    }
}

/// The pods of these Jobs, given by UID, that have not ended. Labels are ignored: a tenant can put them on any pod.
pub(super) fn running_pods(pods: Vec<Pod>, jobs: &BTreeSet<String>) -> Vec<Pod> {
    let is_of_one = |pod: &Pod| {
        let owners = pod.owner_references();
        owners.iter().any(|owner| owner.controller == Some(true) && jobs.contains(&owner.uid))
    };
    pods.into_iter().filter(|pod| is_of_one(pod) && !has_ended(pod)).collect()
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
