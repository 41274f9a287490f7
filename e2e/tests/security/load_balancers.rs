//! Which addresses of Services the operator treats as the cluster's own. They apply to all namespaces.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use postern_e2e::{DedicatedCluster, OperatorProcess, Tenant, eventually, install_crds};
use serde_json::{Value, json};

/// Addresses that a tenant writes into Services: each Service claims one by itself.
const CLAIMED: [&str; 4] = ["203.0.112.1", "203.0.112.2", "203.0.112.3", "203.0.112.4"];
/// The address that the cluster gives to one of them.
const GIVEN: &str = "203.0.112.77";

fn service(name: &str, annotations: &Value, spec: &Value, address: &str) -> Service {
    let mut all = json!({"ports": [{"port": 443}], "selector": {"app": "theirs"}});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "metadata": {"name": name, "annotations": annotations}, "spec": all,
        "status": {"loadBalancer": {"ingress": [{"ip": address}]}},
    }))
    .unwrap()
}

/// Makes the cluster give this address to a Service.
async fn give(services: &Api<Service>, name: &str, address: &str) {
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
    services.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

/// The load balancers in the delivery of the schedule `report`.
async fn told(tenant: &Tenant) -> Value {
    let cron_job = tenant.cron_jobs.get("postern-report").await.unwrap();
    let template = cron_job.spec.job_template.spec.unwrap().template;
    let delivery = &template.metadata.unwrap().annotations.unwrap()["postern.dev/delivery"];
    let delivery: Value = serde_json::from_str(delivery).unwrap();
    assert!(delivery["egress"]["deniedCIDRs"].is_array(), "{delivery}");
    delivery["egress"]["loadBalancers"].clone()
}

#[test]
fn no_service_of_a_tenant_changes_the_deliveries_of_another_and_what_the_cluster_gives_one_is_refused() {
    DedicatedCluster::control_plane("load-balancers").run(|cluster, attacker| async move {
        install_crds(&cluster).await;
        cluster.make_tier("default", json!({"default": true})).await;
        cluster.make_namespace("victim", json!({})).await;
        let _operator = OperatorProcess::leading(&cluster).await;
        let victim = Tenant::without_operator(&cluster, "victim");
        victim.make_schedule("report", "{}").await;
        victim.condition("report", "Ready", "True", "Ready").await;
        assert_eq!(told(&victim).await, Value::Null);
        let policies: Api<NetworkPolicy> = Api::namespaced(cluster.client.clone(), "victim");
        let before = policies.get("postern-sender").await.unwrap().spec;

        // As a tenant: each Service claims an address in another field, and all claim it in a status, which the API server drops.
        let services: Api<Service> = Api::namespaced(cluster.client.clone(), &attacker);
        let [external, pinned, annotated, status] = CLAIMED;
        for service in [
            service("external", &json!({}), &json!({"externalIPs": [external]}), external),
            service("pinned", &json!({}), &json!({"type": "LoadBalancer", "loadBalancerIP": pinned}), pinned),
            service("annotated", &json!({"example.com/ip": annotated}), &json!({"type": "LoadBalancer"}), annotated),
            service("status", &json!({}), &json!({"type": "LoadBalancer"}), status),
        ] {
            services.create(&PostParams::default(), &service).await.unwrap();
        }
        // Some load balancers grant any address that is asked for.
        give(&services, "pinned", pinned).await;
        give(&services, "annotated", annotated).await;
        // The address that is given last is reported last, so all earlier ones have been seen.
        give(&services, "status", GIVEN).await;

        eventually("what the cluster gave to be refused", async || {
            let told = told(&victim).await;
            if told == json!([GIVEN]) { Ok(()) } else { Err(told) }
        })
        .await;
        assert_eq!(policies.get("postern-sender").await.unwrap().spec, before);
    });
}
