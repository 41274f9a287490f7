//! When the deliveries that are being made have come to their end, and whose pods are still waited for. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// How long deliveries that are being made may go on.
const FINISH_WITHIN: Duration = Duration::from_mins(1);

/// What a look at the deliveries that are being made calls for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again, after a while.
    Look,
    /// None is left.
    Done,
    /// End those that are left.
    End,
}

/// What follows when so many deliveries are being made, so many were at the look before, and this long after the first.
///
/// One look without any is not enough: the CronJob controller may not have seen yet that a CronJob was suspended, and make
/// one more Job.
pub(super) fn next(running: usize, before: Option<usize>, waited: Duration) -> Next {
    match (running, before) {
        (0, Some(0)) => Next::Done,
        (0, _) => Next::Look,
        _ if waited >= FINISH_WITHIN => Next::End,
        _ => Next::Look,
    }
}

/// The pods of these Jobs, by their UIDs, that have not ended. Labels are not asked: a tenant can give them to any pod.
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
