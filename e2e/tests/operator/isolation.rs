//! Whether the network is closed to senders, as canaries find out and as other `NetworkPolicies` allow.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use postern_e2e::{Cluster, KEY, OK, Receiver, Tenant, eventually, on_cluster};
use serde_json::{Value, json};

async fn proving(cluster: Cluster, namespace: String, isolation: &str) -> Tenant {
    Tenant::with_settings(cluster, namespace, json!({"isolation": isolation})).await
}

fn policies(tenant: &Tenant) -> Api<NetworkPolicy> {
    Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace)
}

/// Makes a NetworkPolicy of the tenant's that selects every pod.
async fn make_policy(tenant: &Tenant, name: &str, egress: Value) {
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": egress});
    let policy = serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap();
    policies(tenant).create(&PostParams::default(), &policy).await.unwrap();
}

/// An egress rule that allows everything.
fn everything() -> Value {
    json!([{}])
}

async fn canaries(tenant: &Tenant) -> Vec<Job> {
    tenant.jobs().list(&ListParams::default().labels("postern.dev/canary=true")).await.unwrap().items
}

/// Waits until the isolation is proved, and returns the message. The clusters' NetworkPolicy engine may be late with a new pod.
async fn proved(tenant: &Tenant, schedule: &str) -> String {
    eventually("EgressIsolated to be True", async || {
        let conditions = tenant.status(schedule).await.conditions;
        let found =
            conditions.iter().find(|condition| condition.type_ == "EgressIsolated" && condition.status == "True");
        found.map(|condition| condition.message.clone()).ok_or(conditions)
    })
    .await
}

#[test]
fn a_network_that_is_closed_to_senders_is_proved_once_and_an_operator_that_starts_knows_it() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = proving(cluster, namespace, "Warn").await;
        tenant.make_secret(json!({"url": "https://hooks.example/", "key": KEY}), &no_certificates()).await;
        tenant.make_schedule("report", "{}").await;
        let message = proved(&tenant, "report").await;
        assert!(message.starts_with("a canary pod reached a name server and none of "), "{message}");

        let before = canaries(&tenant).await;
        assert_eq!(before.len(), 1);
        let policy = policies(&tenant).get("postern-sender").await.unwrap();
        assert_eq!(before[0].owner_references()[0].uid, policy.uid().unwrap());
        let pod = &before[0].spec.as_ref().unwrap().template.spec.as_ref().unwrap();
        assert_eq!(pod.containers[0].image.as_deref(), Some("postern.dev/e2e/postern-sender:latest"));
        assert!(!json!(pod).to_string().contains("secret"), "it carries nothing");

        tenant.kill_operator();
        tenant.start_operator();
        tenant.make_schedule("other", "{}").await;
        proved(&tenant, "other").await;
        assert_eq!(canaries(&tenant).await[0].uid(), before[0].uid(), "no other canary was needed");
    });
}

#[test]
fn a_canary_goes_with_the_last_schedule() {
    on_cluster(|cluster, namespace| async move {
        let tenant = proving(cluster, namespace, "Warn").await;
        tenant.make_schedule("report", "{}").await;
        proved(&tenant, "report").await;
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
        eventually("the canary and its policy to go", async || {
            let left = (
                canaries(&tenant).await.len(),
                policies(&tenant).list(&ListParams::default()).await.unwrap().items.len(),
            );
            if left == (0, 0) { Ok(()) } else { Err(left) }
        })
        .await;
    });
}

#[test]
fn another_policy_that_opens_the_inside_to_senders_is_named_for_as_long_as_it_is_there() {
    on_cluster(|cluster, namespace| async move {
        let tenant = proving(cluster, namespace, "Warn").await;
        let names = json!([{"ports": [{"port": 53, "protocol": "UDP"}]}]);
        make_policy(&tenant, "names-alone", names).await;
        tenant.make_schedule("report", "{}").await;
        proved(&tenant, "report").await;

        make_policy(&tenant, "all-of-it", everything()).await;
        let message = tenant.condition("report", "EgressIsolated", "False", "ForeignPolicy").await;
        assert!(message.starts_with("NetworkPolicy all-of-it lets senders reach"), "{message}");
        let told = eventually("the Event", async || tenant.events("ForeignPolicy").await.pop().ok_or("none")).await;
        assert_eq!(told.0, message);
        tenant.condition("report", "Ready", "True", "Ready").await;

        policies(&tenant).delete("all-of-it", &DeleteParams::default()).await.unwrap();
        proved(&tenant, "report").await;
    });
}

#[test]
fn what_a_policy_really_opens_is_seen_by_a_canary() {
    on_cluster(|cluster, namespace| async move {
        let tenant = proving(cluster, namespace, "Warn").await;
        make_policy(&tenant, "all-of-it", everything()).await;
        tenant.make_schedule("report", "{}").await;
        tenant.condition("report", "EgressIsolated", "False", "ForeignPolicy").await;
        let found = eventually("what the canary found", async || {
            let pods: Api<k8s_openapi::api::core::v1::Pod> =
                Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace);
            let pods = pods.list(&ListParams::default().labels("postern.dev/canary=true")).await.unwrap().items;
            let status = json!(pods.first().and_then(|pod| pod.status.clone()));
            let message = status.pointer("/containerStatuses/0/state/terminated/message");
            message.and_then(Value::as_str).map(str::to_owned).ok_or(status)
        })
        .await;
        // The API server at its Service and behind it, and the kubelet, by IPv4 and IPv6.
        for address in ["10.96.0.1:443", "192.168.77.10:6443", "192.168.77.10:10250", "[fd00:244::1]:10250"] {
            assert!(found.contains(address), "{address}: {found}");
        }
    });
}

#[test]
fn where_a_proof_is_required_nothing_is_sent_without_it_and_what_waited_is_sent_then() {
    on_cluster(|cluster, namespace| async move {
        let tenant = proving(cluster, namespace, "Require").await;
        make_policy(&tenant, "all-of-it", everything()).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.make_schedule("report", "{}").await;
        let message = tenant.condition("report", "Scheduled", "False", "NotIsolated").await;
        assert_eq!(tenant.condition("report", "Ready", "False", "NotIsolated").await, message);
        let held = tenant.cron_job("report", "the CronJob", |_| true).await;
        assert_eq!(held.spec.suspend, Some(true));
        tenant.trigger("report", "now").await;
        // When the operator has handled a later change, it has also handled the trigger.
        tenant.change("report", json!({"spec": {"body": {"inline": "[]"}}})).await;
        tenant.is_at_generation("report", 2).await;
        assert!(tenant.status("report").await.last_trigger.is_none() && receiver.requests().is_empty());

        policies(&tenant).delete("all-of-it", &DeleteParams::default()).await.unwrap();
        let delivered = tenant.deliveries("report", 1).await;
        assert_eq!(delivered[0].reason, "Delivered", "{delivered:?}");
        assert_eq!(receiver.requests().len(), 1);
        tenant.cron_job("report", "the CronJob to go on", |cron_job| cron_job.spec.suspend == Some(false)).await;
    });
}

#[test]
fn another_tier_calls_for_another_proof() {
    on_cluster(|cluster, namespace| async move {
        let tenant = proving(cluster, namespace, "Warn").await;
        tenant.make_schedule("report", "{}").await;
        proved(&tenant, "report").await;
        let before = canaries(&tenant).await[0].name_any();
        tenant.change_tier(json!({"allowedPorts": [8443]})).await;
        eventually("another canary, and it alone", async || {
            let names: Vec<_> = canaries(&tenant).await.iter().map(ResourceExt::name_any).collect();
            if names.len() == 1 && names[0] != before { Ok(()) } else { Err(names) }
        })
        .await;
        proved(&tenant, "report").await;
    });
}

#[test]
fn the_api_server_stays_closed_though_the_tier_opens_the_network_that_it_is_in() {
    on_cluster(|cluster, namespace| async move {
        let settings = json!({"isolation": "Warn", "clusterCIDRs": []});
        let tenant = Tenant::with_settings(cluster, namespace, settings).await;
        tenant.make_tier(json!({"allowedCIDRs": ["192.168.77.0/24"], "allowedPorts": [6443]})).await;
        tenant.make_schedule("report", "{}").await;
        tenant
            .cron_job("report", "the tier in the delivery", |cron_job| {
                let told = json!(cron_job).to_string();
                told.contains("192.168.77.0/24") && told.contains("192.168.77.10/32") && told.contains("10.96.0.1/32")
            })
            .await;
        let policy = json!(policies(&tenant).get("postern-sender").await.unwrap().spec);
        let opened = json!({"ipBlock": {"cidr": "192.168.77.0/24", "except": ["192.168.77.10/32"]}});
        assert!(policy["egress"][1]["to"].as_array().unwrap().contains(&opened), "{policy}");
        proved(&tenant, "report").await;
    });
}

/// Certificates for a receiver that doesn't exist.
fn no_certificates() -> postern_e2e::Certificates {
    postern_e2e::Certificates::good("hooks.example")
}
