//! How much a tenant can make the operator write: with hundreds of refused schedules, and with a NetworkPolicy that comes and
//! goes.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use postern::api::WebhookSchedule;
use postern_e2e::{Cluster, DedicatedCluster, OPERATOR, OperatorProcess, Tenant, count, eventually, install_crds};
use serde_json::json;

/// More than the tier allows: these are refused.
const REFUSED: usize = 300;
const ACCEPTED: usize = 3;

fn says(schedule: &WebhookSchedule, kind: &str, status: &str) -> bool {
    let mut conditions = schedule.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|condition| condition.type_ == kind && condition.status == status)
}

/// Waits until this many schedules of a namespace have this condition.
async fn say(schedules: &Api<WebhookSchedule>, count: usize, kind: &str, status: &str) {
    eventually(&format!("{count} schedules to have {kind} {status}"), async || {
        let all = schedules.list(&ListParams::default()).await.unwrap().items;
        let those = all.iter().filter(|schedule| says(schedule, kind, status)).count();
        if those == count { Ok(()) } else { Err(those) }
    })
    .await;
}

/// A NetworkPolicy that opens everything to all pods, including senders.
fn wide() -> NetworkPolicy {
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]});
    serde_json::from_value(json!({"metadata": {"name": "wide"}, "spec": spec})).unwrap()
}

#[test]
fn three_hundred_refused_schedules_and_a_policy_made_and_deleted_twenty_times_cost_a_few_writes() {
    DedicatedCluster::control_plane("flood").run(|cluster, namespace| async move {
        install_crds(&cluster).await;
        cluster.make_tier("default", json!({"default": true, "maxSchedules": ACCEPTED})).await;
        let _operator = OperatorProcess::leading(&cluster).await;
        let tenant = Tenant::without_operator(&cluster, &namespace);
        let schedules = &tenant.schedules;
        for number in 0..ACCEPTED + REFUSED {
            tenant.make_schedule(&format!("s-{number}"), "{}").await;
        }
        say(schedules, ACCEPTED, "Accepted", "True").await;
        say(schedules, REFUSED, "Accepted", "False").await;

        let since = cluster.audit_log_length();
        let policies: Api<NetworkPolicy> = Api::namespaced(cluster.client.clone(), &namespace);
        for _ in 0..20 {
            policies.create(&PostParams::default(), &wide()).await.unwrap();
            policies.delete("wide", &DeleteParams::default()).await.unwrap();
        }
        another_namespaces_schedule_is_in_force(&cluster).await;
        policies.create(&PostParams::default(), &wide()).await.unwrap();
        say(schedules, ACCEPTED, "EgressIsolated", "False").await;
        policies.delete("wide", &DeleteParams::default()).await.unwrap();
        say(schedules, 0, "EgressIsolated", "False").await;

        let all = cluster.requests_of(OPERATOR, since);
        let writes: Vec<_> = all.into_iter().filter(|it| it.writes() && !it.is_lease()).collect();
        println!("{} writes: {:#?}", writes.len(), count(&writes));
        let of_refused = |name: &str| name.strip_prefix("s-").is_some_and(|number| number.parse::<usize>().is_ok());
        let status =
            writes.iter().filter(|it| it.resource == "webhookschedules/status" && of_refused(&it.name)).count();
        // The condition changed at most twice in the time for which good news must hold, and each accepted schedule has it.
        assert!(status <= 4 * ACCEPTED, "{status} of {:#?}", count(&writes));
        assert!(writes.len() <= 10 * ACCEPTED + 10, "{:#?}", count(&writes));
    });
}

async fn another_namespaces_schedule_is_in_force(cluster: &Cluster) {
    cluster.make_namespace("quiet", json!({})).await;
    let tenant = Tenant::without_operator(cluster, "quiet");
    tenant.make_schedule("report", "{}").await;
    say(&tenant.schedules, 1, "Ready", "True").await;
}
