//! Installed for one namespace: everything works there, and nothing happens elsewhere.

use postern_e2e::DedicatedCluster;
use serde_json::json;

use super::{assert_operator_asked_for_nothing_forbidden, deliver, kubectl_get, receiver, tenant_with_schedule};

#[test]
fn only_the_watched_namespace_is_worked_in_and_cleared_at_the_end() {
    DedicatedCluster::with_images("namespaced").run(|cluster, _| async move {
        for (user, namespace) in [("alice", "team-a"), ("bob", "team-b")] {
            cluster.admit(user, namespace).await;
        }
        cluster.install_postern("--set watchNamespaces={team-a}");
        let receiver = receiver(&cluster);
        tenant_with_schedule(&cluster, "team-b", "bob", &receiver).await;
        let alice = tenant_with_schedule(&cluster, "team-a", "alice", &receiver).await;
        deliver(&alice, "first").await;
        cluster.must_run("kubectl wait whs/report --namespace team-a --for=condition=Protected --timeout=5m");
        let unseen = json!({"observedGeneration": -1});
        assert_eq!(kubectl_get(&cluster, "whs report --namespace team-b")["status"], unseen);

        cluster.must_run("helm uninstall postern --namespace postern-system --wait --timeout 5m");
        assert_eq!(kubectl_get(&cluster, "cronjob postern-report --namespace team-a")["spec"]["suspend"], true);
        let senders = "serviceaccounts,networkpolicies -A -l app.kubernetes.io/managed-by=postern";
        assert_eq!(kubectl_get(&cluster, senders)["items"], json!([]));
        assert_operator_asked_for_nothing_forbidden(&cluster);
    });
}
