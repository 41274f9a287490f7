//! A cluster with all that an installation brings, except the operator: CRDs, a tier, permissions and admission policies.

use std::path::PathBuf;

use k8s_openapi::NamespaceResourceScope;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use postern_e2e::{Cluster, install_crds};
use serde_json::json;

/// The cluster, and the kubeconfig of the operator's account.
#[derive(Clone)]
pub(crate) struct Installed {
    pub(crate) cluster: Cluster,
    pub(crate) kubeconfig: PathBuf,
}

impl Installed {
    /// Installs it, with one tier for all namespaces, which allows deliveries to the cluster's internet.
    pub(crate) async fn new(cluster: Cluster) -> Self {
        install_crds(&cluster).await;
        for (tier, is_default) in [("default", true), ("changing", false)] {
            let most = json!({"default": is_default, "maxSchedules": 10_000, "maxDeliveriesPerHour": 600_000});
            cluster.make_tier(tier, most).await;
        }
        let kubeconfig = cluster.operator_kubeconfig().await;
        cluster.run(&["kubectl", "apply", "-f-"], &admission_policies(&cluster)).unwrap();
        Self { cluster, kubeconfig }
    }

    /// A client for the operator's account.
    pub(crate) async fn operator(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// The objects of a kind in a namespace, for the admin.
    pub(crate) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.cluster.client.clone(), namespace)
    }
}

/// The admission policies, as the chart makes them for the images that clusters load.
fn admission_policies(cluster: &Cluster) -> String {
    let chart = "helm template postern charts/postern --namespace postern-system --values e2e/demo/values.yaml";
    let all = cluster.must_run(chart);
    let policies = all.split("\n---\n").filter(|object| object.contains("\nkind: ValidatingAdmissionPolicy"));
    policies.collect::<Vec<_>>().join("\n---\n")
}
