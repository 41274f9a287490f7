//! The CRDs of Postern on a cluster.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, ResourceExt};
use postern::api::Crd;
use tokio::sync::OnceCell;

use super::Cluster;

/// Installs the CRDs on the cluster that tests share, once for all of them.
pub async fn install_crds(cluster: &Cluster) {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED.get_or_init(async || install_own_crds(cluster).await).await;
}

/// Installs the CRDs on a cluster of a test's own.
pub async fn install_own_crds(cluster: &Cluster) {
    for crd in Crd::ALL {
        apply_crd(cluster, &crd.definition()).await;
    }
}

/// Installs one CRD, or replaces it, and waits until its objects can be made.
pub async fn apply_crd(cluster: &Cluster, definition: &CustomResourceDefinition) {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let name = definition.name_any();
    api.patch(&name, &PatchParams::apply("postern-e2e").force(), &Patch::Apply(definition)).await.unwrap();
    await_condition(api.clone(), &name, conditions::is_crd_established()).await.unwrap();
}
