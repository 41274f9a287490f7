//! The operator's ServiceAccount, with exactly the rights that the kustomize base gives it.

use std::path::PathBuf;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use super::Cluster;
use crate::eventually;

/// The operator's user name at the API server.
pub const OPERATOR: &str = "system:serviceaccount:postern-system:postern-operator";

impl Cluster {
    /// Makes the operator's ServiceAccount with its rights, and returns a kubeconfig that is valid for an hour.
    pub async fn operator_kubeconfig(&self) -> PathBuf {
        self.run(&["kubectl", "create", "namespace", "postern-system"], "").unwrap();
        self.run(&["kubectl", "apply", "--kustomize", "config/rbac"], "").unwrap();
        // The API server gets to know roles and bindings, of the cluster and of namespaces, one after the other.
        for [verb, resource, namespace] in [
            ["list", "webhookschedules.postern.dev", "postern-system"],
            ["update", "leases.coordination.k8s.io/postern-operator", "postern-system"],
            ["list", "endpointslices.discovery.k8s.io", "default"],
        ] {
            let question = ["kubectl", "auth", "can-i", verb, resource, "--namespace", namespace, "--as", OPERATOR];
            eventually("the operator's rights to be seen", async || self.run(&question, "")).await;
        }

        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), "postern-system");
        let request = TokenRequest::default();
        let made = accounts.create_token_request("postern-operator", &PostParams::default(), &request).await.unwrap();
        self.write_kubeconfig("postern-operator", json!({"token": made.status.unwrap().token}), "default")
    }
}
