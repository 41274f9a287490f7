//! The sender's image as it is shipped, in a pod such as the operator makes: one delivery in each pod, and every packet that it sends.

mod checking;
mod inward;
mod pod;
mod receivers;
mod resolving;
