//! The operator that is measured, and how much of the machine it uses.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use postern_e2e::{Cluster, LEADS, OperatorProcess, install_crds, usual_settings};
use rustix::process::Signal;
use serde_json::json;

/// An operator on a cluster, as a process in the node's network.
pub(crate) struct Subject {
    pub(crate) cluster: Cluster,
    kubeconfig: PathBuf,
    process: Option<OperatorProcess>,
}

/// How much memory a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// The resident KiB now.
    pub(crate) resident: u64,
    /// The most KiB that were resident at any time.
    pub(crate) peak: u64,
}

impl Subject {
    /// Installs the operator with one tier for all, which allows deliveries to the cluster's internet, and starts it.
    pub(crate) async fn install(cluster: Cluster) -> Self {
        install_crds(&cluster).await;
        let most = json!({"default": true, "maxSchedules": 10_000, "maxDeliveriesPerHour": 600_000});
        cluster.make_tier("default", most).await;
        let kubeconfig = cluster.operator_kubeconfig().await;
        let mut subject = Self { cluster, kubeconfig, process: None };
        subject.restart().await;
        subject
    }

    /// Ends the operator if it runs, starts it, and waits until it leads.
    pub(crate) async fn restart(&mut self) {
        if let Some(process) = self.process.take() {
            process.end(Signal::TERM).await;
        }
        let settings = usual_settings();
        let process = OperatorProcess::start_as(&self.kubeconfig, "postern-system", "operator", &settings);
        process.is(LEADS).await;
        self.process = Some(process);
    }

    /// The operator's memory once it has nothing to do.
    pub(crate) async fn memory(&self) -> Memory {
        let mut before = self.cpu();
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let now = self.cpu();
            if now.saturating_sub(before) <= Duration::from_millis(20) {
                break;
            }
            before = now;
        }
        let status = self.proc("status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
        };
        Memory { resident: field("VmRSS"), peak: field("VmHWM") }
    }

    /// The CPU time that the operator has used so far, user and system, to the hundredth of a second.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // The text in parentheses is the process's name; utime and stime are the fields 14 and 15 (proc(5)).
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }

    fn proc(&self, file: &str) -> String {
        let pid = self.process.as_ref().unwrap().pid();
        fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
    }
}
