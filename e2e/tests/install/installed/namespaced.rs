//! Installed for one namespace: the same there, and nothing elsewhere.

use serde_json::Value;

use super::on_own_cluster;

#[test]
fn only_the_watched_namespace_is_worked_in_and_cleared_at_the_end() {
    on_own_cluster("namespaced", |admin| async move {
        for (user, namespace) in [("alice", "team-a"), ("bob", "team-b")] {
            admin.admits(user, namespace);
        }
        admin.installs("--set watchNamespaces={team-a}");
        let receiver = admin.receiver();
        admin.schedules("bob", "team-b", &receiver);
        admin.schedules("alice", "team-a", &receiver);
        admin.delivers("alice", "team-a", "first").await;
        admin.does("kubectl wait whs/report --namespace team-a --for=condition=Protected --timeout=5m");
        assert_eq!(admin.gets("whs report --namespace team-b")["status"], Value::Null);

        admin.does("helm uninstall postern --namespace postern-system --wait --timeout 5m");
        assert_eq!(admin.gets("cronjob postern-report --namespace team-a")["spec"]["suspend"], true);
        let senders = "serviceaccounts,networkpolicies -A -l app.kubernetes.io/managed-by=postern";
        assert_eq!(admin.gets(senders)["items"], serde_json::json!([]));
        admin.finds_the_operator_innocent();
    });
}
