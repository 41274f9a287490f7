//! How the tests reach a cluster: its networks, its API server, its pods, the DNS and the hosts of its internet. Only
//! `crds`, `operator`, `process`, `rights`, `scraper`, `sender` and `tenant` know Postern; the rest serves the tests of every feature.

mod audit;
mod cluster;
mod command;
mod crds;
mod internet;
mod network;
mod operator;
mod own;
mod packets;
mod pod;
mod process;
mod rights;
mod scraper;
mod sender;
mod tenant;
mod wait;

// The receivers of the sender's own tests, which have them on the loopback interface.
#[path = "../../../tests/sender/support/certificates.rs"]
#[allow(dead_code, reason = "what only the sender's own tests need")]
mod certificates;
#[path = "../../../tests/sender/support/receiver.rs"]
#[allow(dead_code, reason = "what only the sender's own tests need")]
pub(crate) mod receiver;

pub use audit::Request;
pub(crate) use certificates::Certificates;
pub use cluster::{Cluster, dir_of, on, on_cluster, pid_of};
pub use crds::{apply_crd, install_crds, install_own_crds};
pub use internet::{DnsAnswer, Host};
pub use network::Network;
pub use operator::usual_settings;
pub use own::Own;
use packets::Packets;
pub use pod::Pod;
pub use process::{LEADS, OperatorProcess};
pub(crate) use receiver::{OK, Receiver, Stream};
pub use rights::OPERATOR;
pub use scraper::Scraper;
pub use sender::{Delivery, Ended};
pub use tenant::{KEY, Tenant};
pub use wait::eventually;
