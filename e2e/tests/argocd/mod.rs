//! A real Argo CD beside a cluster: what `config/argocd` makes of Postern, and of tenants' schedules.
//!
//! `make argocd` builds it, and runs these tests.

mod chart;
mod git;
mod kustomize;
mod releases;
mod scripts;
mod server;
mod tenants;

use std::fs;

use postern_e2e::{Cluster, KEY, Receiver, Tenant, repository, schedule_path};
use serde_json::{Value, json};

use super::install::installed::HOST;

/// A file of `config/argocd`, with this repository in place of the one that it names.
fn shipped(file: &str, url: &str) -> String {
    let text = fs::read_to_string(repository().join("config/argocd").join(file)).unwrap();
    let (_, named) = text.split_once("repoURL: ").unwrap();
    text.replace(named.lines().next().unwrap(), url)
}

/// Makes a Secret with the receiver's URL and its authority, and with a signing key.
fn make_secret(cluster: &Cluster, namespace: &str, name: &str, receiver: &Receiver) {
    let url = format!("https://{HOST}/hook?token=a-canary");
    let data = json!({"url": url, "signing-key": KEY, "ca.crt": receiver.certificates.ca_pem});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    cluster.create(namespace, &secret);
}

/// A schedule that uses this Secret and isn't due for months, as a file in Git; `change` replaces fields of the spec.
fn schedule(name: &str, secret: &str, change: Value) -> Value {
    let key = |key: &str| json!({"secretKeyRef": {"name": secret, "key": key}});
    let mut spec = json!({
        "schedule": "@yearly",
        "target": {"urlFrom": key("url"), "tls": {"caBundleFrom": key("ca.crt")}},
        "signing": {"keysFrom": [key("signing-key")]},
    });
    let Value::Object(change) = change else { panic!("{change} has no fields") };
    spec.as_object_mut().unwrap().extend(change);
    json!({"apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "metadata": {"name": name}, "spec": spec})
}

/// Triggers a delivery, and waits until it has arrived.
async fn deliver(tenant: &Tenant, name: &str, value: &str) {
    tenant.trigger(name, value).await;
    let path = schedule_path(&tenant.namespace, name);
    tenant.cluster.wait_for("the delivery", &path, |schedule| delivered(schedule, value)).await;
}

/// Whether the delivery that this value of the trigger asks for has arrived.
fn delivered(schedule: &Value, value: &str) -> bool {
    let status = &schedule["status"];
    let is_it = |delivery: &Value| delivery["id"] == status["lastTrigger"]["id"] && delivery["outcome"] == "Delivered";
    status["lastTrigger"]["value"] == value
        && status["recentDeliveries"].as_array().is_some_and(|all| all.iter().any(is_it))
}
