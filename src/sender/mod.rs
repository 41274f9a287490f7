//! One delivery, from the files of the pod to its outcome.
