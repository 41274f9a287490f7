//! Installed for the whole cluster: tenants' permissions, who leads, what an upgrade and an uninstallation leave behind.

use std::net::IpAddr;

use postern::api::ROTATE_ANNOTATION;
use postern_e2e::{
    Cluster, DedicatedCluster, KEY, OPERATOR, Pod, Receiver, Request, Tenant, eventually, schedule_path,
};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::{assert_operator_asked_for_nothing_forbidden, deliver, kubectl_get, receiver, tenant_with_schedule};

/// The path of the CronJob of the schedule `report`.
const CRON_JOB: &str = "/apis/batch/v1/namespaces/team-a/cronjobs/postern-report";

#[test]
fn tenants_deliver_and_keep_apart_leaders_change_and_an_uninstallation_leaves_what_it_says() {
    DedicatedCluster::with_images("installed").run(|cluster, _| async move {
        cluster.install_postern("");
        cluster.admit("alice", "team-a").await;
        cluster.admit("bob", "team-b").await;
        let receiver = receiver(&cluster);
        let alice = tenant_with_schedule(&cluster, "team-a", "alice", &receiver).await;
        cluster.must_run("kubectl wait whs/report --namespace team-a --for=condition=Ready --timeout=5m");
        cluster.must_run("kubectl wait whs/report --namespace team-a --for=condition=TargetAllowed --timeout=5m");
        cluster.must_run("kubectl wait whs/report --namespace team-a --for=condition=Protected --timeout=5m");
        cluster.must_run("kubectl wait whs/report --namespace team-a --for=condition=EgressIsolated --timeout=5m");
        a_pod_of_another_namespace_was_tried(&cluster);
        nobody_but_the_node_reaches_the_probes(&cluster).await;

        tenants_keep_apart(&cluster);
        deliver(&alice, "first").await;
        the_last_is_verified(&receiver, 1);
        // The next leader has to continue this.
        let old_keys = its_keys_are_replaced(&alice).await;
        another_leads_when_the_leader_is_killed(&cluster).await;
        deliver(&alice, "second").await;
        the_last_is_verified(&receiver, 2);
        a_schedule_cost_two_writes_and_its_check_two(&cluster).await;
        the_replaced_keys_are_deleted(&cluster, &old_keys).await;
        an_upgrade_reaches_the_children(&cluster).await;
        assert_operator_asked_for_nothing_forbidden(&cluster);

        uninstalled_it_leaves_only_what_it_says(&cluster).await;
        installed_again_it_goes_on(&alice).await;
        without_the_operator_nothing_holds_a_namespace_back(&cluster);
    });
}

/// It was the operator's pod, whose address the operator gives to canaries.
fn a_pod_of_another_namespace_was_tried(cluster: &Cluster) {
    let canaries = kubectl_get(cluster, "jobs --namespace team-a --selector postern.dev/canary=true").to_string();
    let pods = kubectl_get(cluster, "pods --namespace postern-system --selector app.kubernetes.io/component=operator");
    let ips = pods["items"].as_array().unwrap().iter().map(|pod| pod["status"]["podIP"].as_str().unwrap());
    assert!(ips.into_iter().any(|ip| canaries.contains(&format!("{ip}:8443"))), "{canaries}");
}

/// Meanwhile the operators stay ready, as the node knows by the probes, and nothing restarts them.
async fn nobody_but_the_node_reaches_the_probes(cluster: &Cluster) {
    let stranger = Pod::start(cluster.client.clone(), "default", "stranger").await;
    let pods = kubectl_get(cluster, "pods --namespace postern-system --selector app.kubernetes.io/component=operator");
    for pod in pods["items"].as_array().unwrap() {
        let ip: IpAddr = pod["status"]["podIP"].as_str().unwrap().parse().unwrap();
        stranger.connect((ip, 8443).into()).await.unwrap();
        stranger.connect((ip, 8081).into()).await.unwrap_err();
        assert_eq!(pod["status"]["containerStatuses"][0]["ready"], true);
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 0);
    }
}

/// This many requests came, and the official library verifies the last one. It does so within five minutes of the signature.
fn the_last_is_verified(receiver: &Receiver, count: usize) {
    let requests = receiver.requests();
    assert_eq!(requests.len(), count);
    let last = requests.last().unwrap();
    Webhook::new(KEY).unwrap().verify(&last.body, &last.header_map()).unwrap();
}

fn tenants_keep_apart(cluster: &Cluster) {
    let can = |user: &str, what: &str| cluster.run_line(&format!("kubectl auth can-i --as {user} {what}")).is_ok();
    for (what, alice, bob) in [
        ("get whs --namespace team-a", true, false),
        ("create whs --namespace team-a", true, false),
        ("delete whs --namespace team-a", true, false),
        ("update whs --subresource=status --namespace team-a", false, false),
        ("get secrets --namespace team-a", true, false),
        ("list whs --all-namespaces", false, false),
        ("get webhooktiers", false, false),
        ("create webhooktiers", false, false),
        ("update webhooktiers", false, false),
        ("update webhooktiers --subresource=status", false, false),
        ("patch namespaces", false, false),
        ("get leases --namespace postern-system", false, false),
    ] {
        assert_eq!((can("alice", what), can("bob", what)), (alice, bob), "{what}");
    }
    for attempt in [
        "kubectl --as bob --namespace team-a get whs",
        "kubectl --as bob --namespace team-a delete whs report",
        "kubectl --as bob --namespace team-a annotate whs report postern.dev/trigger=mine",
        "kubectl --as alice --namespace team-a patch whs report --subresource=status --type=merge -p {\"status\":{\"tier\":\"x\"}}",
        "kubectl --as alice label namespace team-a --overwrite postern.dev/tier=other",
        "kubectl --as alice delete webhooktier free",
    ] {
        let refusal = cluster.run_line(attempt).unwrap_err();
        assert!(refusal.contains("(Forbidden)"), "{attempt}: {refusal}");
    }
}

async fn holder(cluster: &Cluster) -> String {
    let leases = "/apis/coordination.k8s.io/v1/namespaces/postern-system/leases";
    let lease = cluster.get(&format!("{leases}/postern-operator")).await.unwrap();
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

async fn another_leads_when_the_leader_is_killed(cluster: &Cluster) {
    let killed = holder(cluster).await;
    cluster.must_run(&format!("kubectl delete pod {killed} --namespace postern-system --grace-period=0 --force"));
    eventually("another leader", async || {
        let now = holder(cluster).await;
        if now != killed && !now.is_empty() { Ok(()) } else { Err(now) }
    })
    .await;
}

async fn a_schedule_cost_two_writes_and_its_check_two(cluster: &Cluster) {
    // Besides the first status, there is one write for the check, one for each trigger and one for each delivery. There is one
    // more if the second trigger came within the tier's smallest gap and had to wait, and one if the schedule was there before
    // the proof that its namespace's network is closed. The log may have the last write after its effect is seen.
    eventually("the writes for the schedule", async || {
        let requests = cluster.requests_of(OPERATOR, 0);
        let about_children = |resource: &str| {
            let of_it = requests.iter().filter(|request| request.writes() && request.resource == resource);
            of_it.filter(|request| matches!(&*request.name, "report" | "postern-report")).count()
        };
        let written = (about_children("cronjobs"), about_children("webhookschedules/status"));
        assert!(written.0 <= 1 && written.1 <= 8, "{written:?}");
        if written.0 == 1 && written.1 >= 6 { Ok(()) } else { Err(written) }
    })
    .await;
    let requests = cluster.requests_of(OPERATOR, 0);
    let of_check = |request: &&Request| request.name.starts_with("postern-report-c");
    let checks: Vec<_> = requests.iter().filter(of_check).collect();
    assert!(matches!(checks[..], [made] if made.verb == "create" && made.resource == "jobs"), "{checks:?}");
}

/// The Secrets of the keys that Postern made for the schedule `signed`.
async fn keys_of_signed(cluster: &Cluster) -> Vec<Value> {
    let path = "/api/v1/namespaces/team-a/secrets?labelSelector=postern.dev/schedule%3Dsigned";
    let list = cluster.get(path).await.unwrap();
    list["items"].as_array().unwrap().iter().map(|secret| secret["metadata"]["name"].clone()).collect()
}

/// The operator replaces them with its own rights, under the policies. Returns the first key.
async fn its_keys_are_replaced(alice: &Tenant) -> Vec<Value> {
    let cluster = &alice.cluster;
    alice.make_schedule_with("signed", json!({"body": null, "signing": {"managed": {}}})).await;
    cluster.must_run("kubectl wait whs/signed --namespace team-a --for=condition=Ready --timeout=5m");
    let old = keys_of_signed(cluster).await;
    assert_eq!(old.len(), 1);
    for value in ["now", "revoke"] {
        alice.annotate("signed", ROTATE_ANNOTATION, value).await;
        let followed = |signed: &Value| signed["status"]["lastRotation"]["value"] == value;
        cluster.wait_for("the rotation", &schedule_path("team-a", "signed"), followed).await;
    }
    old
}

async fn the_replaced_keys_are_deleted(cluster: &Cluster, old: &[Value]) {
    eventually("the older keys to be gone", async || match keys_of_signed(cluster).await {
        left if left.len() == 1 && left != old => Ok(()),
        left => Err(left),
    })
    .await;
}

async fn an_upgrade_reaches_the_children(cluster: &Cluster) {
    cluster.must_run("kubectl apply --server-side --force-conflicts -f crds/");
    cluster.upgrade_postern("--set sender.resources.limits.memory=48Mi");
    let memory = "/spec/jobTemplate/spec/template/spec/containers/0/resources/limits/memory";
    let raised = |cron_job: &Value| cron_job.pointer(memory) == Some(&Value::from("48Mi"));
    cluster.wait_for("the limit in the CronJob", CRON_JOB, raised).await;
}

/// What the operator has left behind, in its namespace and in the whole cluster.
fn left(cluster: &Cluster) -> Vec<String> {
    let kinds = "all,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets";
    let in_namespace = cluster.must_run(&format!("kubectl get {kinds} --namespace postern-system --output name"));
    let kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings";
    let of_cluster = cluster.must_run(&format!("kubectl get {kinds} --output name"));
    let is_of_kubernetes = |name: &str| name.ends_with("/default") || name.ends_with("/kube-root-ca.crt");
    let ours = of_cluster.lines().filter(|name| name.contains("postern"));
    in_namespace.lines().filter(|name| !is_of_kubernetes(name)).chain(ours).map(String::from).collect()
}

async fn uninstalled_it_leaves_only_what_it_says(cluster: &Cluster) {
    cluster.must_run("helm uninstall postern --namespace postern-system --wait --timeout 5m");
    let cron_job = kubectl_get(cluster, "cronjob postern-report --namespace team-a");
    assert_eq!(cron_job["spec"]["suspend"], true);
    let senders = kubectl_get(
        cluster,
        "serviceaccounts,networkpolicies --namespace team-a -l app.kubernetes.io/managed-by=postern",
    );
    assert_eq!(senders["items"], json!([]));
    for left in ["whs/report --namespace team-a", "webhooktiers/free", "crd/webhookschedules.postern.dev"] {
        kubectl_get(cluster, left);
    }
    eventually("the operator to be gone", async || match left(cluster) {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    })
    .await;
}

async fn installed_again_it_goes_on(alice: &Tenant) {
    let cluster = &alice.cluster;
    cluster.install_postern("");
    let resumed = |cron_job: &Value| cron_job["spec"]["suspend"] == false;
    cluster.wait_for("the CronJob to go on", CRON_JOB, resumed).await;
    deliver(alice, "third").await;
}

fn without_the_operator_nothing_holds_a_namespace_back(cluster: &Cluster) {
    cluster.must_run("helm uninstall postern --namespace postern-system --no-hooks --wait --timeout 5m");
    cluster.must_run("kubectl delete namespace team-a --timeout 5m");
    cluster.must_run("kubectl delete -f crds/ --timeout 5m");
}
