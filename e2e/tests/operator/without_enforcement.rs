//! What happens to deliveries while the cluster's NetworkPolicy engine enforces nothing.

use kube::api::ListParams;
use postern::api::DeliveryOutcome;
use postern_e2e::{Cluster, DedicatedCluster, OK, Receiver, Tenant, eventually, install_crds};
use serde_json::json;

/// Makes the cluster behave like one without a NetworkPolicy engine: every new connection is allowed.
fn stop_enforcement(cluster: &Cluster) {
    change_queue_rules(cluster, "--delete");
}

/// Lets the engine judge every new connection again.
fn resume_enforcement(cluster: &Cluster) {
    change_queue_rules(cluster, "--append");
}

/// Removes or restores the rules that queue new connections for the engine. They are those of `e2e/cluster/network.go`; if they
/// aren't there, they can't be deleted, and the test fails.
fn change_queue_rules(cluster: &Cluster, change: &str) {
    let rule = ["--match", "conntrack", "--ctstate", "NEW", "--jump", "NFQUEUE", "--queue-num", "100"];
    for program in ["iptables", "ip6tables"] {
        for chain in [&["FORWARD"][..], &["INPUT", "!", "--in-interface", "lo"]] {
            cluster.run(&[&[program, change], chain, &rule].concat(), "").unwrap();
        }
    }
}

/// Waits until the isolation of a schedule's namespace has this status, and returns the message.
async fn isolated(tenant: &Tenant, status: &str) -> String {
    eventually(&format!("EgressIsolated to be {status}"), async || {
        let conditions = tenant.status("report").await.conditions;
        let found = conditions.iter().find(|condition| condition.type_ == "EgressIsolated");
        let met = found.filter(|condition| condition.status == status);
        met.map(|condition| condition.message.clone()).ok_or(conditions)
    })
    .await
}

/// Waits until a schedule's sender runs.
async fn sender_runs(tenant: &Tenant, schedule: &str) {
    let pods = tenant.pods();
    let theirs = ListParams::default().labels(&format!("postern.dev/schedule={schedule}"));
    eventually("a sender to run", async || {
        let pods = pods.list(&theirs).await.unwrap().items;
        let phases: Vec<_> = pods.into_iter().filter_map(|pod| pod.status?.phase).collect();
        if phases.iter().any(|phase| phase == "Running") { Ok(()) } else { Err(phases) }
    })
    .await;
}

#[test]
fn without_an_engine_it_is_told_and_where_a_proof_is_required_nothing_is_sent_until_the_engine_is_back() {
    DedicatedCluster::with_images("isolation").run(|cluster, namespace| async move {
        install_crds(&cluster).await;
        stop_enforcement(&cluster);
        cluster.make_namespace("lenient", json!({})).await;
        let lenient = Tenant::with_settings(cluster.clone(), "lenient".into(), json!({"isolation": "Warn"})).await;
        let strict = Tenant::with_settings(cluster.clone(), namespace, json!({"isolation": "Require"})).await;

        let (of_lenient, of_strict) =
            (lenient.receiver(Receiver::by_turns([OK])).await, strict.receiver(Receiver::by_turns([OK])).await);
        for tenant in [&lenient, &strict] {
            tenant.make_schedule("report", "{}").await;
            tenant.trigger("report", "first").await;
        }
        for tenant in [&lenient, &strict] {
            let message = isolated(tenant, "False").await;
            assert!(message.contains("10.96.0.1:443 (the API server)"), "{message}");
        }
        // The lenient tenant is warned and delivers; the other holds its deliveries.
        assert_eq!(lenient.deliveries("report", 1).await[0].outcome, DeliveryOutcome::Delivered);
        strict.condition("report", "Scheduled", "False", "NotIsolated").await;
        let status = strict.status("report").await;
        assert!(status.recent_deliveries.is_empty() && status.last_trigger.is_none(), "{status:?}");
        assert!(of_strict.requests().is_empty());

        resume_enforcement(&cluster);
        isolated(&strict, "True").await;
        assert_eq!(strict.deliveries("report", 1).await[0].outcome, DeliveryOutcome::Delivered);
        isolated(&lenient, "True").await;

        // A proof from an hour ago doesn't cover a new pod: each sender waits until it can't reach the API server.
        for schedule in ["late", "never"] {
            strict.make_schedule(schedule, "{}").await;
        }
        stop_enforcement(&cluster);
        strict.trigger("late", "now").await;
        sender_runs(&strict, "late").await;
        resume_enforcement(&cluster);
        assert_eq!(strict.deliveries("late", 1).await[0].outcome, DeliveryOutcome::Delivered);
        stop_enforcement(&cluster);
        strict.trigger("never", "now").await;
        let refused = strict.deliveries("never", 1).await.remove(0);
        assert_eq!((refused.outcome, refused.reason.as_str()), (DeliveryOutcome::Refused, "NotIsolated"));
        assert!(refused.detail.unwrap().contains("10.96.0.1:443"));
        resume_enforcement(&cluster);
        assert_eq!((of_lenient.requests().len(), of_strict.requests().len()), (1, 2));
    });
}
