//! A cluster with a client of its API server, as the cluster's admin.

use std::ops::Deref;
use std::path::Path;

use hyper::Request;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

use crate::{ClusterHandle, Network, eventually};

/// A running cluster, with a client for its API server. It can do everything that its handle can.
#[derive(Clone)]
pub struct Cluster {
    /// The admin's client. It works only in the node's network.
    pub client: Client,
    handle: ClusterHandle,
}

impl Deref for Cluster {
    type Target = ClusterHandle;

    fn deref(&self) -> &ClusterHandle {
        &self.handle
    }
}

/// Runs a test on the cluster that most tests share, in its network and in a new namespace for this test. The test gets the
/// namespace's name.
///
/// The namespace is deleted when the test succeeds. After a failure it stays, so that people can look at it.
pub fn on_cluster<F: Future<Output = ()>>(test: impl FnOnce(Cluster, String) -> F + Send + 'static) {
    run_on(&std::env::var("POSTERN_CLUSTER").unwrap_or_else(|_| "test".into()), test);
}

/// Runs a test in the same way on the cluster with this name.
pub(super) fn run_on<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Cluster, String) -> F + Send + 'static) {
    let handle = ClusterHandle::open(name);
    let node = Network::of_node(handle.pid);
    let work = async move || {
        let cluster = Cluster::connect(handle).await;
        let metadata = ObjectMeta { generate_name: Some("e2e-".into()), ..ObjectMeta::default() };
        let namespace = cluster.create_namespace(metadata).await;
        test(cluster.clone(), namespace.clone()).await;
        Api::<Namespace>::all(cluster.client).delete(&namespace, &DeleteParams::default()).await.unwrap();
    };
    if let Err(panic) = node.spawn(work).join() {
        std::panic::resume_unwind(panic);
    }
}

/// A client for a user of the cluster that has a kubeconfig. It works only in the node's network.
pub(super) async fn client(dir: &Path, user: &str) -> Client {
    Client::try_from(config(dir, user).await).unwrap()
}

async fn config(dir: &Path, user: &str) -> Config {
    let kubeconfig = Kubeconfig::read_from(dir.join(format!("{user}.kubeconfig"))).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

impl Cluster {
    /// Connects to a running cluster.
    async fn connect(handle: ClusterHandle) -> Self {
        Self { client: client(&handle.dir, "admin").await, handle }
    }

    /// A client that acts as any user, as `kubectl --as` does.
    pub async fn client_as(&self, user: &str) -> Client {
        let mut config = config(&self.dir, "admin").await;
        config.auth_info.impersonate = Some(user.into());
        Client::try_from(config).unwrap()
    }

    /// What the API server has at a path. Tests that wait use this, since a kubectl process for each question would take the
    /// machine's time from other tests.
    ///
    /// # Errors
    /// Why the API server returns nothing.
    pub async fn get(&self, path: &str) -> kube::Result<Value> {
        self.client.request(Request::get(path).body(Vec::new()).unwrap()).await
    }

    /// Waits until what the API server has at a path is as wanted, and returns it.
    pub async fn wait_for(&self, what: &str, path: &str, met: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || match self.get(path).await {
            Ok(object) if met(&object) => Ok(object),
            other => Err(other.map(|object| object.to_string())),
        })
        .await
    }

    /// Creates an object or a list of objects with kubectl.
    pub fn create(&self, namespace: &str, object: &Value) {
        self.run(&["kubectl", "--namespace", namespace, "create", "-f-"], &object.to_string()).unwrap();
    }

    /// Makes a namespace with these labels, and waits until pods can be made in it.
    pub async fn make_namespace(&self, name: &str, labels: Value) {
        let metadata = json!({"name": name, "labels": labels});
        self.create_namespace(serde_json::from_value(metadata).unwrap()).await;
    }

    async fn create_namespace(&self, metadata: ObjectMeta) -> String {
        let namespace = Namespace { metadata, ..Namespace::default() };
        let made = Api::all(self.client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        let name = made.metadata.name.unwrap();
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &name);
        eventually("the namespace's ServiceAccount", async || accounts.get("default").await).await;
        name
    }

    /// Finds out whether a privileged pod would be accepted in a namespace.
    ///
    /// # Errors
    /// Why it would not.
    pub async fn try_privileged_pod(&self, namespace: &str) -> Result<(), kube::Error> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "privileged"},
            "spec": {"containers": [{
                "name": "main", "image": "postern.dev/e2e/toolbox:latest", "securityContext": {"privileged": true},
            }]},
        }))
        .unwrap();
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        pods.create(&dry_run, &pod).await.map(drop)
    }

    /// Holds a namespace's pods to the Pod Security Standard `restricted`; returns why a privileged one is refused.
    pub async fn restrict(&self, namespace: &str) -> String {
        let restricted = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.patch(namespace, &PatchParams::default(), &Patch::Merge(restricted)).await.unwrap();
        // Admission gets to know the label through a watch.
        eventually("the label to be seen", async || match self.try_privileged_pod(namespace).await {
            Ok(()) => Err("it was accepted"),
            Err(refusal) => Ok(refusal.to_string()),
        })
        .await
    }
}
