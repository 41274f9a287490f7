//! Postern as the chart installs it: with its images, its rights and its policies.

mod cluster_wide;
mod namespaced;

use postern_e2e::{Certificates, Cluster, DnsAnswer, KEY, OK, OPERATOR, Receiver, Request, Tenant, schedule_path};
use serde_json::{Value, json};

/// The receiver's host.
pub const HOST: &str = "hooks.example.com";

/// The output of `kubectl get` for these arguments.
pub fn kubectl_get(cluster: &Cluster, arguments: &str) -> Value {
    serde_json::from_str(&cluster.must_run(&format!("kubectl get {arguments} -o json"))).unwrap()
}

/// A receiver on the internet that takes every delivery.
pub fn receiver(cluster: &Cluster) -> Receiver {
    cluster.set_dns(HOST, &[DnsAnswer::addresses(["203.0.113.10"])]);
    let listener = cluster.listen_on_the_internet("203.0.113.10", 443);
    Receiver::on(listener, Certificates::good(HOST), false, Receiver::by_turns([OK]))
}

/// A user with a Secret for a receiver, and with the schedule `report`, which isn't due for months and sends no body.
async fn tenant_with_schedule(cluster: &Cluster, namespace: &str, user: &str, receiver: &Receiver) -> Tenant {
    let tenant = Tenant::of_user(cluster, namespace, user).await;
    let url = format!("https://{HOST}/hook?token=a-canary");
    tenant.make_secret(json!({"url": url, "key": KEY}), &receiver.certificates).await;
    tenant.make_schedule_with("report", json!({"body": null})).await;
    tenant
}

/// Triggers a delivery of the schedule `report`, and waits until it is in the status.
async fn deliver(tenant: &Tenant, value: &str) {
    tenant.trigger("report", value).await;
    let is_delivered = |schedule: &Value| {
        let (trigger, last) = (&schedule["status"]["lastTrigger"], &schedule["status"]["lastDelivery"]);
        trigger["value"] == value && last["id"] == trigger["id"] && last["outcome"] == "Delivered"
    };
    tenant.cluster.wait_for("the delivery", &schedule_path(&tenant.namespace, "report"), is_delivered).await;
}

/// Asserts that the operator never asked for what a Secret contains, and never for something that it may not have.
fn assert_operator_asked_for_nothing_forbidden(cluster: &Cluster) {
    let requests = cluster.requests_of(OPERATOR, 0);
    assert!(requests.len() > 20, "{requests:?}");
    let is_of_key = |request: &Request| {
        matches!(request.verb.as_str(), "create" | "delete") && request.name.starts_with("postern-signed-k")
    };
    let is_forbidden =
        |request: &Request| request.resource.contains("secret") && !is_of_key(request) || request.code == 403;
    let forbidden: Vec<_> = requests.iter().filter(|request| is_forbidden(request)).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
}
