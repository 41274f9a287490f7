//! Tiers, and which namespace is in which, as set by the cluster's admin.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use postern::api::{TIER_LABEL, WebhookTier};
use serde_json::{Value, json};

use super::Cluster;

impl Cluster {
    /// Makes a tier, or changes it. It allows nearly everything, including deliveries to the cluster's internet, except for what
    /// `change` sets.
    pub async fn make_tier(&self, name: &str, change: Value) {
        let mut spec = json!({
            "minInterval": "1m", "maxSchedules": 100, "maxDeliveriesPerHour": 6000,
            "maxAttempts": 20, "maxTimeoutSeconds": 60,
            "allowedCIDRs": ["203.0.113.0/24", "198.51.100.0/24"],
        });
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let tier = json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookTier", "metadata": {"name": name}, "spec": spec,
        });
        self.tiers().patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(&tier)).await.unwrap();
    }

    /// Changes some fields of a tier.
    pub async fn change_tier(&self, name: &str, change: Value) {
        let change = Patch::Merge(json!({"spec": change}));
        self.tiers().patch(name, &PatchParams::default(), &change).await.unwrap();
    }

    /// Puts a namespace in a tier, whether a tier with this name exists or not.
    pub async fn set_tier(&self, namespace: &str, tier: &str) {
        let label = Patch::Merge(json!({"metadata": {"labels": {TIER_LABEL: tier}}}));
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.patch(namespace, &PatchParams::default(), &label).await.unwrap();
    }

    fn tiers(&self) -> Api<WebhookTier> {
        Api::all(self.client.clone())
    }
}
