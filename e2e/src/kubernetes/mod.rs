//! Everything that needs a Kubernetes client: the API server and its audit log, pods, and Postern on a cluster.
//!
//! `audit`, `cluster`, `packets` and `pod` don't know Postern.

mod audit;
mod cluster;
mod crds;
mod dedicated;
mod installation;
mod operator;
mod operator_account;
mod packets;
mod pod;
mod process;
mod scraper;
mod sender;
mod tenant;
mod tiers;

pub use audit::{Request, count};
pub use cluster::{Cluster, on_cluster};
pub use crds::{apply_crd, install_crds};
pub use dedicated::DedicatedCluster;
pub use operator::usual_settings;
pub use operator_account::OPERATOR;
pub use pod::Pod;
pub use process::{LEADS, OperatorProcess};
pub use scraper::Scraper;
pub use sender::{Delivery, Ended};
pub use tenant::{KEY, Tenant, schedule_path};
