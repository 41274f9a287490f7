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

pub use audit::Request;
pub use cluster::{Cluster, dir_of, on, on_cluster, pid_of};
pub use crds::{apply_crd, install_crds, install_own_crds};
pub use internet::{DnsAnswer, Host};
pub use network::Network;
pub use operator::usual_settings;
pub use own::Own;
use packets::Packets;
pub use pod::Pod;
pub use postern_e2e_receiver as receiver;
pub use postern_e2e_receiver::{Certificates, OK, Receiver, Stream};
pub use process::{LEADS, OperatorProcess};
pub use rights::OPERATOR;
pub use scraper::Scraper;
pub use sender::{Delivery, Ended};
pub use tenant::{KEY, Tenant};
pub use wait::eventually;
