//! Tests that each start clusters of their own, since they concern all of a cluster or break it: admission policies, a default
//! tier, CRDs, the whole audit log, an installation, the NetworkPolicy engine.
//!
//! Tests start in the alphabetical order of their paths. These take longest, so the module's name comes first.

mod admission;
mod cluster_lifecycle;
mod cost;
mod installed;
mod isolation;
mod leaks;
mod load_balancers;
mod older_crds;
mod tier_status;
mod upgrade;

use hyper::Request;
use postern_e2e::Cluster;
use serde_json::Value;

/// What the API server has at a path, as its admin sees it. Waits ask so: a kubectl each time would take the machine's time from
/// other tests.
async fn get(cluster: &Cluster, path: &str) -> kube::Result<Value> {
    cluster.client.request(Request::get(path).body(Vec::new()).unwrap()).await
}

/// The path of a schedule.
fn schedule_path(namespace: &str, name: &str) -> String {
    format!("/apis/postern.dev/v1alpha1/namespaces/{namespace}/webhookschedules/{name}")
}
