//! Who brings schedules to where they should be.

use std::fmt;
use std::fs;
use std::process::{Child, Command, Stdio};

use postern_e2e::{LEADS, OperatorProcess, program, usual_settings};
use rustix::process::Signal;
use serde_json::json;

use crate::installed::Installed;
use crate::scale::Template;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    Postern,
    /// The client that makes the schedules also makes their CronJobs and writes their statuses.
    BareClient,
    /// The operator of `e2e/peer`, with so many workers; 0 is controller-runtime's default.
    Peer {
        workers: u32,
    },
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postern => write!(f, "Postern"),
            Self::BareClient => write!(f, "a client without watches"),
            Self::Peer { workers: 0 } => write!(f, "controller-runtime, its defaults"),
            Self::Peer { workers } => write!(f, "controller-runtime, {workers} workers"),
        }
    }
}

/// A contender's process. It ends with this value.
pub(crate) enum Running {
    Postern(OperatorProcess),
    Peer(PeerProcess),
}

/// The peer's process, which is killed with this value.
pub(crate) struct PeerProcess(Child);

impl Running {
    /// Starts Postern, and waits until it leads.
    pub(crate) async fn postern(on: &Installed) -> Self {
        let mut settings = usual_settings();
        settings["isolation"] = json!("Warn");
        let process = OperatorProcess::start_as(&on.kubeconfig, "postern-system", "operator", &settings);
        process.is(LEADS).await;
        Self::Postern(process)
    }

    /// Starts the peer, and waits until it leads.
    pub(crate) async fn peer(on: &Installed, workers: u32, template: &Template) -> Self {
        let file = on.cluster.dir.join("peer-template.json");
        let text = json!({"cronJob": template.cron_job, "status": template.status}).to_string();
        fs::write(&file, text).unwrap();
        let child = Command::new(program("peer"))
            .args(["--lease-namespace", "postern-system", "--workers", &workers.to_string(), "--template"])
            .arg(file)
            .env("KUBECONFIG", &on.kubeconfig)
            .stdin(Stdio::null())
            .stderr(fs::File::create(on.cluster.dir.join("log/peer.log")).unwrap())
            .spawn()
            .expect("`make peer` builds it");
        let lease = "/apis/coordination.k8s.io/v1/namespaces/postern-system/leases/postern-operator";
        on.cluster.wait_for("the peer's Lease", lease, |lease| lease["spec"]["holderIdentity"].is_string()).await;
        Self::Peer(PeerProcess(child))
    }

    pub(crate) fn pid(&self) -> u32 {
        match self {
            Self::Postern(process) => process.pid(),
            Self::Peer(PeerProcess(child)) => child.id(),
        }
    }

    /// Ends it, and waits until it has ended.
    pub(crate) async fn end(self, signal: Signal) {
        if let Self::Postern(process) = self {
            process.end(signal).await;
        }
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
