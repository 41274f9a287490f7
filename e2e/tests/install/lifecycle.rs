//! Postern comes and goes, on a cluster of the test's own, with the images that are shipped.

use super::objects::NAMESPACE;
use crate::harness::{Cluster, Own, eventually, on};

const OPERATOR: &str = "system:serviceaccount:postern-system:postern-operator";

/// A command that must succeed, by words without blanks in them.
fn must(cluster: &Cluster, command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    cluster.run(&words, "").unwrap_or_else(|problem| panic!("{command}: {problem}"))
}

/// What is left of the operator, in its namespace and for the whole cluster.
fn left(cluster: &Cluster) -> Vec<String> {
    let kinds = "deployments,replicasets,jobs,pods,configmaps,services,serviceaccounts,roles,rolebindings,networkpolicies,\
                 poddisruptionbudgets";
    let own = must(cluster, &format!("kubectl get {kinds} --namespace {NAMESPACE} --output name"));
    let whole = must(cluster, "kubectl get clusterroles,clusterrolebindings --output name");
    let kubernetes = |name: &str| name.ends_with("/default") || name.ends_with("/kube-root-ca.crt");
    let ours = whole.lines().filter(|name| name.contains("postern"));
    own.lines().filter(|name| !kubernetes(name)).chain(ours).map(String::from).collect()
}

#[test]
fn uninstalling_pauses_every_cron_job_and_leaves_schedules_which_a_new_installation_goes_on_with() {
    let own = Own::new("install");
    for args in [&["up"][..], &["image", "e2e/images/postern"], &["image", "e2e/images/postern-sender"]] {
        let output = own.command(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    on(own.name.clone(), |cluster, tenant| async move {
        must(&cluster, &format!("kubectl create namespace {NAMESPACE}"));
        must(&cluster, &format!("kubectl label namespace {NAMESPACE} pod-security.kubernetes.io/enforce=restricted"));
        for mode in [String::new(), format!("--set watchNamespaces={{{tenant}}}")] {
            must(
                &cluster,
                &format!(
                    "helm install postern charts/postern --namespace {NAMESPACE} --values e2e/demo/values.yaml {mode} --wait"
                ),
            );
            must(&cluster, &format!("kubectl apply --namespace {tenant} -f config/samples/schedule-minimal.yaml"));
            let running = "--for=jsonpath={.spec.suspend}=false --timeout=60s";
            must(
                &cluster,
                &format!("kubectl wait cronjob/postern-hourly-ping --namespace {tenant} --for=create --timeout=60s"),
            );
            must(&cluster, &format!("kubectl wait cronjob/postern-hourly-ping --namespace {tenant} {running}"));
            must(
                &cluster,
                &format!("kubectl wait whs/hourly-ping --namespace {tenant} --for=condition=Ready --timeout=60s"),
            );

            must(&cluster, &format!("helm uninstall postern --namespace {NAMESPACE} --wait"));
            let suspend = format!("kubectl get cronjobs --namespace {tenant} -o jsonpath={{.items[*].spec.suspend}}");
            assert_eq!(must(&cluster, &suspend), "true", "{mode}");
            let children = format!("kubectl get serviceaccounts,networkpolicies --namespace {tenant} --output name");
            assert_eq!(must(&cluster, &children), "serviceaccount/default\n", "{mode}");
            let kept = must(&cluster, "kubectl get webhookschedules,webhooktiers --all-namespaces --output name");
            assert_eq!(kept.lines().count(), 3, "{mode}: {kept}");
            eventually("the operator to be gone", async || match left(&cluster) {
                left if left.is_empty() => Ok(()),
                left => Err(left),
            })
            .await;
        }
        // Nothing waits for an operator that is gone.
        must(&cluster, &format!("kubectl delete whs --all --namespace {tenant} --timeout=60s"));

        let log = cluster.audit_log();
        let mut requests = log.iter().filter(|line| line["user"]["username"] == OPERATOR).peekable();
        assert!(requests.peek().is_some());
        for request in requests {
            assert_ne!(request["objectRef"]["resource"], "secrets", "{request}");
            assert_ne!(request["responseStatus"]["code"], 403, "it lacks a right: {request}");
        }
    });
}
