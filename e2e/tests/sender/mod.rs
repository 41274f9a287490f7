//! The sender's image as it is shipped, in pods like those that the operator makes. Every packet that a sender sends is recorded.

mod checking;
mod inward;
mod pod;
mod receivers;
mod resolving;

/// The cluster's name server.
const DNS: &str = "udp 10.96.0.10:53";
/// An internet address.
const PUBLIC: &str = "203.0.113.10";
/// An internet address where nothing listens.
const CLOSED: &str = "203.0.113.20";
/// The metadata service, where clouds keep credentials.
const METADATA: &str = "169.254.169.254";
