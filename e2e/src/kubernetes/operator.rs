//! An operator for one test, only on the test's namespace, which can be stopped, killed and started again.

use std::sync::Once;
use std::thread::JoinHandle;

use postern::operator::metrics::Metrics;
use postern::operator::settings::Settings;
use postern::operator::{self, Readiness, Step};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Cluster;
use crate::{Network, eventually};

/// An operator in a thread of its own, in the node's network.
pub struct Operator {
    readiness: Readiness,
    stop: Option<oneshot::Sender<()>>,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Operator {
    /// Starts it on a namespace; `change` is merged into its configuration.
    pub fn start(cluster: &Cluster, namespace: &str, change: &Value) -> Self {
        let mut settings = usual_settings();
        settings["watchNamespaces"] = json!([namespace]);
        let changes = change.as_object().into_iter().flatten();
        settings.as_object_mut().unwrap().extend(changes.map(|(field, value)| (field.clone(), value.clone())));
        let settings = Settings::read(&settings.to_string(), "").unwrap();
        log_to_stderr();

        let (stop, stopped) = oneshot::channel::<()>();
        let (kill, killed) = oneshot::channel::<()>();
        let dir = cluster.dir.clone();
        let readiness = Readiness::default();
        let ready = readiness.clone();
        let thread = Network::of_node(cluster.pid).spawn(move || async move {
            let client = super::cluster::client(&dir, "admin").await;
            let stop = async { stopped.await.unwrap_or_default() };
            tokio::select! {
                () = operator::run_controllers(client, settings, Metrics::new(), ready, stop) => {}
                _ = killed => {}
            }
        });
        Self { readiness, stop: Some(stop), kill: Some(kill), thread: Some(thread) }
    }

    /// Waits until its caches are filled: objects that are made later are new to it.
    pub async fn has_filled_its_caches(&self) {
        eventually("the operator's caches", async || match self.readiness.step() {
            Step::Leading => Ok(()),
            other => Err(other),
        })
        .await;
    }

    /// Tells it to stop, and waits until it has ended.
    pub fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap();
    }

    /// Ends it at once, whatever it is doing.
    pub fn kill(mut self) {
        let _ = self.kill.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The operator's configuration on the test clusters.
pub fn usual_settings() -> Value {
    json!({
        "sender": {"image": "postern.dev/e2e/postern-sender:latest", "imagePullPolicy": "Never"},
        "spreadSeconds": 0,
        // The tests of checks enable them.
        "preflight": {"enabled": false},
        "isolation": "Unchecked",
        "nameServers": ["10.96.0.10"],
        "nameServerPods": [{
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }],
        "clusterCIDRs": ["10.244.0.0/16", "10.96.0.0/16", "192.168.77.0/24", "fd00:244::/48", "fd00:96::/112"],
    })
}

/// Makes all operators log to stderr. The operator's panic hook hides the message; this restores the tests' own hook, since a
/// test's panic message says why it failed.
fn log_to_stderr() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let hook = std::panic::take_hook();
        postern::sender::log_to_stderr();
        std::panic::set_hook(hook);
    });
}
