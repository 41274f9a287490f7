//! Tenants can't fill the operator's memory with what they write.

use std::fs;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::PostParams;
use postern::api::WebhookSchedule;
use postern_e2e::{Cluster, DedicatedCluster, LEADS, OperatorProcess, eventually, install_crds};
use rustix::process::Signal;
use serde_json::{Map, Value, json};

/// The chart's memory limit, in KiB.
const LIMIT: u64 = 256 * 1024;
const POLICIES: usize = 8;
const SCHEDULES: usize = 20;

/// Eight policies of 2 MB, as much as etcd accepts for each, and 36,000 annotations, as many as Kubernetes accepts. They keep a
/// control plane busy, so it is one of its own.
#[test]
fn neither_huge_network_policies_nor_huge_schedules_fill_the_memory() {
    DedicatedCluster::control_plane("memory").run(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let first = OperatorProcess::start(&cluster, &namespace, "first");
        first.is(LEADS).await;
        let small = peak(&first);
        make_policies(&cluster, &namespace).await;
        make_schedules(&cluster, &namespace).await;
        every_schedule_has_a_status(&cluster, &namespace).await;
        let watched = peak(&first);
        first.end(Signal::TERM).await;

        let second = OperatorProcess::start(&cluster, &namespace, "second");
        second.is(LEADS).await;
        let listed = peak(&second);
        eprintln!("peak memory in KiB: {small} without, {watched} by watches, {listed} by listings");
        assert!(watched < LIMIT && listed < LIMIT, "{watched} and {listed} KiB");
    });
}

/// The most memory that a process has used so far, in KiB.
fn peak(operator: &OperatorProcess) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", operator.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn make_policies(cluster: &Cluster, namespace: &str) {
    let policies: Api<NetworkPolicy> = Api::namespaced(cluster.client.clone(), namespace);
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": vec![json!({}); 700_000]});
    let mut policy: NetworkPolicy = serde_json::from_value(json!({"spec": spec})).unwrap();
    for number in 0..POLICIES {
        policy.metadata.name = Some(format!("huge-{number}"));
        policies.create(&PostParams::default(), &policy).await.unwrap();
    }
}

async fn make_schedules(cluster: &Cluster, namespace: &str) {
    let schedules: Api<WebhookSchedule> = Api::namespaced(cluster.client.clone(), namespace);
    let annotations: Map<String, Value> = (0..36_000).map(|n| (format!("a{n}"), json!(""))).collect();
    let schedule = |number: usize| {
        serde_json::from_value(json!({
            "metadata": {"name": format!("huge-{number}"), "annotations": annotations},
            "spec": {
                "schedule": "@yearly",
                "target": {"urlFrom": {"secretKeyRef": {"name": "hook", "key": "url"}}},
                "signing": {"scheme": "None"},
            },
        }))
    };
    for number in 0..SCHEDULES {
        schedules.create(&PostParams::default(), &schedule(number).unwrap()).await.unwrap();
    }
}

async fn every_schedule_has_a_status(cluster: &Cluster, namespace: &str) {
    let schedules: Api<WebhookSchedule> = Api::namespaced(cluster.client.clone(), namespace);
    for number in 0..SCHEDULES {
        eventually("the operator to look at a schedule", async || {
            let schedule = schedules.get(&format!("huge-{number}")).await.unwrap();
            let seen = schedule.status.and_then(|status| status.observed_generation);
            if seen == schedule.metadata.generation { Ok(()) } else { Err("not yet") }
        })
        .await;
    }
}
