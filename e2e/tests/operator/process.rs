//! The operator as the process that a pod runs: who leads, how it ends, and what it shows to whom. Each operator works only in
//! the test's namespace.

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::Api;
use kube::api::PostParams;
use postern_e2e::{Cluster, LEADS, OperatorProcess, eventually, install_crds, on_cluster};
use rustix::process::Signal;
use serde_json::json;

const STANDS_BY: (u16, &str) = (200, "stands by: another process leads\n");

async fn holder(cluster: &Cluster, namespace: &str) -> Option<String> {
    let leases: Api<Lease> = Api::namespaced(cluster.client.clone(), namespace);
    leases.get("postern-operator").await.unwrap().spec.unwrap().holder_identity
}

/// Makes a ServiceAccount with this name, and returns a token for it.
async fn token(cluster: &Cluster, namespace: &str, name: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), namespace);
    let account = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let request = accounts.create_token_request(name, &PostParams::default(), &TokenRequest::default()).await.unwrap();
    request.status.unwrap().token.unwrap()
}

#[test]
fn one_leads_and_another_takes_over_when_it_is_killed_or_told_to_stop() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let first = OperatorProcess::start(&cluster, &namespace, "first");
        first.is(LEADS).await;
        assert_eq!(holder(&cluster, &namespace).await.as_deref(), Some("first"));
        let second = OperatorProcess::start(&cluster, &namespace, "second");
        second.is(STANDS_BY).await;

        first.end(Signal::KILL).await;
        second.is(LEADS).await;
        assert_eq!(holder(&cluster, &namespace).await.as_deref(), Some("second"));

        let ended = second.end(Signal::TERM).await;
        assert_eq!(ended.code(), Some(0), "{ended}");
        assert_eq!(holder(&cluster, &namespace).await, None);

        let third = OperatorProcess::start(&cluster, &namespace, "third");
        third.is(LEADS).await;
        let fourth = OperatorProcess::start(&cluster, &namespace, "fourth");
        fourth.is(STANDS_BY).await;
        let ended = fourth.end(Signal::TERM).await;
        assert_eq!(ended.code(), Some(0), "{ended}");
        assert_eq!(holder(&cluster, &namespace).await.as_deref(), Some("third"));
    });
}

#[test]
fn a_leader_that_has_lost_its_lease_ends() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let operator = OperatorProcess::start(&cluster, &namespace, "operator");
        operator.is(LEADS).await;
        let leases: Api<Lease> = Api::namespaced(cluster.client.clone(), &namespace);
        eventually("the Lease to be another's", async || {
            let mut lease = leases.get("postern-operator").await.unwrap();
            lease.spec.get_or_insert_default().holder_identity = Some("another".into());
            // The leader may renew the Lease in between.
            leases.replace("postern-operator", &PostParams::default(), &lease).await
        })
        .await;
        let (ended, log) = operator.ended().await;
        assert_eq!(ended.code(), Some(1), "{log}");
        assert!(log.contains("somebody else took the Lease or deleted it"), "{log}");
        assert_eq!(holder(&cluster, &namespace).await.as_deref(), Some("another"));
    });
}

#[test]
fn metrics_are_shown_to_whom_rbac_lets_read_them_and_to_nobody_else() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let operator = OperatorProcess::start(&cluster, &namespace, "operator");
        operator.is(LEADS).await;
        let name = format!("reads-metrics-{namespace}");
        let role: ClusterRole = serde_json::from_value(json!({
            "metadata": {"name": name}, "rules": [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}],
        }))
        .unwrap();
        Api::all(cluster.client.clone()).create(&PostParams::default(), &role).await.unwrap();
        let binding: ClusterRoleBinding = serde_json::from_value(json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "scraper", "namespace": namespace}],
        }))
        .unwrap();
        Api::all(cluster.client.clone()).create(&PostParams::default(), &binding).await.unwrap();

        let scraper = token(&cluster, &namespace, "scraper").await;
        // The operator remembers an answer for a minute.
        let review: SubjectAccessReview = serde_json::from_value(json!({"spec": {
            "user": format!("system:serviceaccount:{namespace}:scraper"),
            "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
        }}))
        .unwrap();
        eventually("the binding to be seen", async || {
            let review = Api::all(cluster.client.clone()).create(&PostParams::default(), &review).await.unwrap();
            if review.status.unwrap().allowed { Ok(()) } else { Err("not allowed yet") }
        })
        .await;
        let (status, text) = eventually("the metrics", async || operator.scrape(Some(&scraper)).await).await;
        assert_eq!(status, 200, "{text}");
        assert!(text.contains("postern_build_info{version="), "{text}");
        assert!(text.contains("\npostern_leader 1\n"), "{text}");

        assert_eq!(operator.scrape(None).await.unwrap().0, 401);
        assert_eq!(operator.scrape(Some("not-a-token")).await.unwrap().0, 401);
        let stranger = token(&cluster, &namespace, "stranger").await;
        assert_eq!(operator.scrape(Some(&stranger)).await.unwrap().0, 403);

        let (_, log) = operator.end_with_log(Signal::TERM).await;
        assert!(!log.contains(&scraper) && !log.contains(&stranger), "{log}");
    });
}
