//! Postern as the chart installs it, and tenants as an admin admits them.

use super::Cluster;
use crate::eventually;

impl Cluster {
    /// Installs Postern with the chart. Unless the namespace exists already, it is made and held to the Pod Security Standard
    /// `restricted`. `values` are more arguments for Helm.
    pub fn install_postern(&self, values: &str) {
        if self.run_line("kubectl create namespace postern-system").is_ok() {
            self.must_run("kubectl label namespace postern-system pod-security.kubernetes.io/enforce=restricted");
        }
        self.helm("install", values);
    }

    /// Upgrades the installation. `values` are more arguments for Helm.
    pub fn upgrade_postern(&self, values: &str) {
        self.helm("upgrade", values);
    }

    fn helm(&self, verb: &str, values: &str) {
        self.must_run(&format!(
            "helm {verb} postern charts/postern --namespace postern-system \
             --values e2e/demo/values.yaml {values} --wait --timeout 5m"
        ));
    }

    /// Makes a namespace of the premium tier that a user may edit, and waits until the API server knows the user's rights.
    pub async fn admit(&self, user: &str, namespace: &str) {
        self.must_run(&format!("kubectl create namespace {namespace}"));
        self.must_run(&format!(
            "kubectl label namespace {namespace} postern.dev/tier=premium pod-security.kubernetes.io/enforce=restricted"
        ));
        self.must_run(&format!(
            "kubectl create rolebinding {user} --clusterrole=edit --user={user} --namespace {namespace}"
        ));
        let question = format!("kubectl auth can-i create secrets --as {user} --namespace {namespace}");
        eventually("the user's rights to be seen", async || self.run_line(&question)).await;
    }
}
