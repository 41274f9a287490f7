//! The shipped program `postern operator`, as a process in the node's network.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::scraper::{Scraper, ask};
use super::{Cluster, usual_settings};
use crate::{eventually, program};

/// The readiness probe's answer of an operator that leads.
pub const LEADS: (u16, &str) = (200, "leads\n");

/// A process of the operator. It ends with the test.
pub struct OperatorProcess {
    child: Mutex<Child>,
    health: u16,
    metrics: u16,
    scraper: Scraper,
    /// Its configuration, its certificate and its log.
    folder: TempDir,
}

impl OperatorProcess {
    /// Starts an operator as if it were the pod with this name and namespace. It works only in this namespace, as the admin.
    pub fn start(cluster: &Cluster, namespace: &str, pod: &str) -> Self {
        let kubeconfig = cluster.dir.join("admin.kubeconfig");
        Self::start_as(&kubeconfig, namespace, pod, &json!({"watchNamespaces": [namespace]}))
    }

    /// Starts an operator that works in the whole cluster, with the rights that an installation gives it, and waits until it
    /// leads.
    pub async fn leading(cluster: &Cluster) -> Self {
        let kubeconfig = cluster.operator_kubeconfig().await;
        let operator = Self::start_as(&kubeconfig, "postern-system", "operator", &usual_settings());
        operator.is(LEADS).await;
        operator
    }

    /// Starts an operator as if it were the pod with this name and namespace, as the user of a kubeconfig and in the test's
    /// network. `change` is merged into its configuration.
    pub fn start_as(kubeconfig: &Path, namespace: &str, pod: &str, change: &Value) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let scraper = Scraper::generate();
        fs::write(path("tls.crt"), &scraper.certificate).unwrap();
        fs::write(path("tls.key"), &scraper.key).unwrap();
        let (health, metrics) = (new_port(), new_port());
        let mut settings = json!({
            "sender": {"image": "unused"},
            "nameServers": ["10.96.0.10"],
            "health": {"address": format!("127.0.0.1:{health}")},
            "metrics": {
                "address": format!("127.0.0.1:{metrics}"),
                "certificate": path("tls.crt"),
                "key": path("tls.key"),
            },
        });
        let changes = change.as_object().into_iter().flatten();
        settings.as_object_mut().unwrap().extend(changes.map(|(field, value)| (field.clone(), value.clone())));
        fs::write(path("settings.yaml"), settings.to_string()).unwrap();
        let child = Command::new(program("postern"))
            .args(["operator", "--config"])
            .arg(path("settings.yaml"))
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAME", pod)
            .env("POD_NAMESPACE", namespace)
            .stdin(Stdio::null())
            .stderr(fs::File::create(path("log")).unwrap())
            .spawn()
            .expect("`make operator` builds it");
        Self { child: Mutex::new(child), health, metrics, scraper, folder }
    }

    /// Waits until its readiness probe gives this answer.
    pub async fn is(&self, ready: (u16, &str)) {
        eventually(&format!("{ready:?}"), async || {
            let said = self.readiness().await.map_err(|e| (e.to_string(), self.log()))?;
            if (said.0, said.1.as_str()) == ready { Ok(()) } else { Err((said.1, self.log())) }
        })
        .await;
    }

    async fn readiness(&self) -> io::Result<(u16, String)> {
        ask(TcpStream::connect(("127.0.0.1", self.health)).await?, "/readyz", None).await
    }

    /// Asks for its metrics, and returns the status and the body.
    ///
    /// # Errors
    /// Why there was no complete answer.
    pub async fn scrape(&self, token: Option<&str>) -> io::Result<(u16, String)> {
        self.scraper.scrape(("127.0.0.1", self.metrics), token).await
    }

    /// Sends it a signal and waits until it has ended.
    pub async fn end(self, signal: Signal) -> ExitStatus {
        self.end_with_log(signal).await.0
    }

    /// Sends it a signal, waits until it has ended, and returns what it logged.
    pub async fn end_with_log(self, signal: Signal) -> (ExitStatus, String) {
        kill_process(Pid::from_child(&self.child.lock().unwrap()), signal).unwrap();
        self.ended().await
    }

    /// Waits until it has ended, and returns what it logged.
    pub async fn ended(self) -> (ExitStatus, String) {
        let ended = eventually("the operator to end", async || {
            self.child.lock().unwrap().try_wait().unwrap().ok_or_else(|| self.log())
        })
        .await;
        assert!(ended.signal().is_none_or(|signal| signal == Signal::KILL.as_raw()), "{ended}");
        (ended, self.log())
    }

    /// Its process id, as the machine numbers processes.
    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for OperatorProcess {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A port that no other operator of this test program has. It is below the ports that the system picks for connections, and
/// nothing in a cluster listens at it.
fn new_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
