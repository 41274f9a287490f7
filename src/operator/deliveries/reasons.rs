//! The reasons that the operator finds itself when no sender reported one.

/// A reason that the operator found itself, and what to do.
pub(crate) type Why = (&'static str, &'static str);

pub(super) const PODS_LOST: Why =
    ("PodLost", "its pods were lost before the sender could say how it ended: check whether nodes fail");
pub(super) const JOB_DELETED: Why =
    ("JobDeleted", "its Job was deleted before it ended, by hand or because concurrencyPolicy is Replace");
pub(super) const POD_NOT_CREATED: Why = (
    "PodNotCreated",
    "no pod could be made for it: see the namespace's ResourceQuotas and LimitRanges, and kubectl describe job",
);
pub(super) const UNSCHEDULABLE: Why = ("Unschedulable", "no node could take its pod in time: ask your admin");
pub(super) const IMAGE_NOT_PULLED: Why =
    ("ImagePullBackOff", "the node could not pull the sender's image in time: ask your admin");
pub(super) const POD_NOT_STARTED: Why =
    ("PodNotStarted", "its pod did not start in time: see kubectl describe pod, or ask your admin");
pub(crate) const POD_DEADLINE_EXCEEDED: Why =
    ("PodDeadlineExceeded", "the pod was stopped after its deadline: check whether nodes can run it");
pub(super) const EVICTED: Why = ("Evicted", "the node ran short of a resource and evicted the pod");
pub(super) const OUT_OF_MEMORY: Why =
    ("OOMKilled", "the sender had too little memory: ask your admin to raise its limit");
pub(super) const ENDED_SILENTLY: Why = ("SenderEndedSilently", "the pod ended before the sender could say how");
pub(super) const DEADLINE_MISSED: Why = (
    "DeadlineMissed",
    "no Job was made for it within startingDeadlineSeconds: a quota limits Jobs, or the control plane was down",
);
pub(super) const PREVIOUS_STILL_RUNNING: Why = (
    "PreviousStillRunning",
    "the previous delivery was still being tried, and concurrencyPolicy is Forbid: give each delivery less time, or \
     use Allow",
);
