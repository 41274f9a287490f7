//! What becomes of deliveries where no NetworkPolicy is enforced: on a cluster of its own, whose engine stands still for a while.

use std::fs;
use std::path::PathBuf;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use postern::api::DeliveryOutcome;
use postern_e2e::{Cluster, DedicatedCluster, OK, Receiver, Tenant, eventually, install_own_crds, on};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// The NetworkPolicy engine of a cluster. It goes on when the test ends.
struct Engine(Pid);

impl Engine {
    fn of(cluster: &Cluster) -> Self {
        let space = |process: &PathBuf| fs::read_link(process.join("ns/pid")).ok();
        let own = space(&PathBuf::from(format!("/proc/{}", cluster.pid)));
        let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let is_engine = |process: &PathBuf| {
            let command = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
            let program = command.split('\0').next().unwrap_or_default();
            program.ends_with("kube-router") && space(process) == own
        };
        let engine = processes.into_iter().find(is_engine).expect("the cluster's engine");
        let pid = engine.file_name().unwrap().to_str().unwrap().parse().unwrap();
        Self(Pid::from_raw(pid).unwrap())
    }

    fn stop(&self) {
        kill_process(self.0, Signal::STOP).unwrap();
    }

    fn go_on(&self) {
        kill_process(self.0, Signal::CONT).unwrap();
    }
}

/// Waits until what is known of a schedule's namespace has this status, and returns the message.
async fn isolated(tenant: &Tenant, status: &str) -> String {
    eventually(&format!("EgressIsolated to be {status}"), async || {
        let conditions = tenant.status("report").await.conditions;
        let found = conditions.iter().find(|condition| condition.type_ == "EgressIsolated");
        let met = found.filter(|condition| condition.status == status);
        met.map(|condition| condition.message.clone()).ok_or(conditions)
    })
    .await
}

/// Waits until a sender of a schedule runs.
async fn sender_runs(tenant: &Tenant, schedule: &str) {
    let pods: Api<Pod> = Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace);
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
    let own = DedicatedCluster::new("isolation");
    own.up_with_images();
    on(&own.name, |cluster, namespace| async move {
        install_own_crds(&cluster).await;
        let engine = Engine::of(&cluster);
        engine.stop();
        cluster.run(&["kubectl", "create", "namespace", "lenient"], "").unwrap();
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
        // The one warns and delivers, the other holds.
        assert_eq!(lenient.deliveries("report", 1).await[0].outcome, DeliveryOutcome::Delivered);
        strict.condition("report", "Scheduled", "False", "NotIsolated").await;
        let status = strict.status("report").await;
        assert!(status.recent_deliveries.is_empty() && status.last_trigger.is_none(), "{status:?}");
        assert!(of_strict.requests().is_empty());

        engine.go_on();
        isolated(&strict, "True").await;
        assert_eq!(strict.deliveries("report", 1).await[0].outcome, DeliveryOutcome::Delivered);
        isolated(&lenient, "True").await;

        // What was proved an hour ago is no proof for a pod of now: each sender waits until the API server is out of its reach.
        for schedule in ["late", "never"] {
            strict.make_schedule(schedule, "{}").await;
        }
        engine.stop();
        strict.trigger("late", "now").await;
        sender_runs(&strict, "late").await;
        engine.go_on();
        assert_eq!(strict.deliveries("late", 1).await[0].outcome, DeliveryOutcome::Delivered);
        engine.stop();
        strict.trigger("never", "now").await;
        let refused = strict.deliveries("never", 1).await.remove(0);
        assert_eq!((refused.outcome, refused.reason.as_str()), (DeliveryOutcome::Refused, "NotIsolated"));
        assert!(refused.detail.unwrap().contains("10.96.0.1:443"));
        engine.go_on();
        assert_eq!((of_lenient.requests().len(), of_strict.requests().len()), (1, 2));
    });
}
