//! Where a delivery may go: the rules for URLs, host names and addresses, and the look-up that follows them.
//!
//! A URL becomes a [`Target`] (judged by its spelling, scheme, port and name), a target becomes [`Checked`] addresses
//! (judged one by one, and all of them), and only a `Checked` can be connected to. What is *not* here: connecting,
//! TLS and HTTP (`sender`), and who sets the rules (the admin's tier, through the operator).

mod address;
mod exchange;
mod host;
mod look_up;
mod name;
mod reason;
pub mod registry;
mod resolve;
mod rules;
mod target;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod test_dns;

pub use address::{Checked, judge, judge_all};
pub use host::Host;
pub use look_up::Resolver;
pub use reason::{Reason, Refusal};
pub use resolve::{Resolved, resolve};
pub use rules::{HostPattern, PatternError, Rules};
#[cfg(feature = "operator")]
pub(crate) use target::seen;
pub use target::{MAX_URL_BYTES, PathAndQuery, Target, masked};
