//! Installed for the whole cluster: what tenants may, who leads, what an upgrade and an uninstallation leave.

use postern_e2e::{KEY, eventually};
use serde_json::Value;
use standardwebhooks::Webhook;

use super::{Admin, Request, on_own_cluster};

#[test]
fn tenants_deliver_and_keep_apart_leaders_change_and_an_uninstallation_leaves_what_it_says() {
    on_own_cluster("installed", |admin| async move {
        admin.installs("");
        admin.admits("alice", "team-a");
        admin.admits("bob", "team-b");
        let receiver = admin.receiver();
        admin.schedules("alice", "team-a", &receiver);
        admin.does("kubectl wait whs/report --namespace team-a --for=condition=Ready --timeout=2m");
        admin.does("kubectl wait whs/report --namespace team-a --for=condition=TargetAllowed --timeout=2m");
        admin.does("kubectl wait whs/report --namespace team-a --for=condition=Protected --timeout=2m");
        admin.does("kubectl wait whs/report --namespace team-a --for=condition=EgressIsolated --timeout=2m");
        a_pod_of_another_namespace_was_tried(&admin);

        tenants_keep_apart(&admin);
        admin.delivers("alice", "team-a", "first").await;
        another_leads_when_the_leader_is_killed(&admin).await;
        admin.delivers("alice", "team-a", "second").await;
        let requests = receiver.requests();
        assert_eq!(requests.len(), 2);
        for request in requests {
            Webhook::new(KEY).unwrap().verify(&request.body, &request.header_map()).unwrap();
        }
        a_schedule_cost_two_writes_and_its_check_two(&admin);
        its_keys_are_replaced_and_deleted(&admin).await;
        an_upgrade_reaches_the_children(&admin).await;
        admin.finds_the_operator_innocent();

        uninstalled_it_leaves_only_what_it_says(&admin).await;
        installed_again_it_goes_on(&admin).await;
        without_the_operator_nothing_holds_a_namespace_back(&admin);
    });
}

/// It was the operator's, which says where it is.
fn a_pod_of_another_namespace_was_tried(admin: &Admin) {
    let canaries = admin.gets("jobs --namespace team-a --selector postern.dev/canary=true").to_string();
    let pods = admin.gets("pods --namespace postern-system --selector app.kubernetes.io/component=operator");
    let ips = pods["items"].as_array().unwrap().iter().map(|pod| pod["status"]["podIP"].as_str().unwrap());
    assert!(ips.into_iter().any(|ip| canaries.contains(&format!("{ip}:8081"))), "{canaries}");
}

fn tenants_keep_apart(admin: &Admin) {
    let can = |user: &str, what: &str| admin.tries(&format!("kubectl auth can-i --as {user} {what}")).is_ok();
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
        let refusal = admin.tries(attempt).unwrap_err();
        assert!(refusal.contains("(Forbidden)"), "{attempt}: {refusal}");
    }
}

fn holder(admin: &Admin) -> String {
    let lease = admin.gets("lease postern-operator --namespace postern-system");
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

async fn another_leads_when_the_leader_is_killed(admin: &Admin) {
    let killed = holder(admin);
    admin.does(&format!("kubectl delete pod {killed} --namespace postern-system --grace-period=0 --force"));
    eventually("another leader", async || {
        let now = holder(admin);
        if now != killed && !now.is_empty() { Ok(()) } else { Err(now) }
    })
    .await;
}

fn a_schedule_cost_two_writes_and_its_check_two(admin: &Admin) {
    let requests = admin.requests_of_the_operator();
    let about_children = |resource: &str| {
        let of_it = requests.iter().filter(|request| request.is_write() && request.resource == resource);
        of_it.filter(|request| matches!(&*request.name, "report" | "postern-report")).count()
    };
    // Beside the first status there is one for the check, one for each trigger and one for each delivery; one more if the second
    // trigger came within the tier's smallest gap, and had to wait; and one if the schedule was there before the proof that its
    // namespace's network is closed.
    let written = (about_children("cronjobs"), about_children("webhookschedules/status"));
    assert!(matches!(written, (1, 6..=8)), "{written:?}");
    let of_check = |request: &&Request| request.name.starts_with("postern-report-c");
    let checks: Vec<_> = requests.iter().filter(of_check).collect();
    assert!(matches!(checks[..], [made] if made.verb == "create" && made.resource == "jobs"), "{checks:?}");
}

/// With the operator's own rights, under the policies.
async fn its_keys_are_replaced_and_deleted(admin: &Admin) {
    admin.makes_schedule("alice", "team-a", "signed", &serde_json::json!({"managed": {}}));
    admin.does("kubectl wait whs/signed --namespace team-a --for=condition=Ready --timeout=2m");
    let there = || {
        let list = admin.gets("secrets --namespace team-a -l postern.dev/schedule=signed");
        let names = list["items"].as_array().unwrap().iter().map(|secret| secret["metadata"]["name"].clone());
        names.collect::<Vec<_>>()
    };
    let old = there();
    assert_eq!(old.len(), 1);
    for value in ["now", "revoke"] {
        admin.does(&format!(
            "kubectl --as alice --namespace team-a annotate whs signed --overwrite postern.dev/rotate-keys={value}"
        ));
        let followed = |signed: &Value| signed["status"]["lastRotation"]["value"] == value;
        admin.sees("the rotation", "whs signed --namespace team-a", followed).await;
    }
    eventually("the older keys to be gone", async || match there() {
        left if left.len() == 1 && left != old => Ok(()),
        left => Err(left),
    })
    .await;
}

async fn an_upgrade_reaches_the_children(admin: &Admin) {
    admin.does("kubectl apply --server-side -f crds/");
    admin.helm("upgrade", "--set sender.resources.limits.memory=48Mi");
    let memory = "/spec/jobTemplate/spec/template/spec/containers/0/resources/limits/memory";
    let raised = |cron_job: &Value| cron_job.pointer(memory) == Some(&Value::from("48Mi"));
    admin.sees("the limit in the CronJob", "cronjob postern-report --namespace team-a", raised).await;
}

async fn uninstalled_it_leaves_only_what_it_says(admin: &Admin) {
    admin.does("helm uninstall postern --namespace postern-system --wait --timeout 5m");
    let cron_job = admin.gets("cronjob postern-report --namespace team-a");
    assert_eq!(cron_job["spec"]["suspend"], true);
    let senders =
        admin.gets("serviceaccounts,networkpolicies --namespace team-a -l app.kubernetes.io/managed-by=postern");
    assert_eq!(senders["items"], serde_json::json!([]));
    for left in ["whs/report --namespace team-a", "webhooktiers/free", "crd/webhookschedules.postern.dev"] {
        admin.gets(left);
    }
    eventually("the operator to be gone", async || match admin.left() {
        left if left.is_empty() => Ok(()),
        left => Err(left),
    })
    .await;
}

async fn installed_again_it_goes_on(admin: &Admin) {
    admin.installs("");
    let resumed = |cron_job: &Value| cron_job["spec"]["suspend"] == false;
    admin.sees("the CronJob to go on", "cronjob postern-report --namespace team-a", resumed).await;
    admin.delivers("alice", "team-a", "third").await;
}

fn without_the_operator_nothing_holds_a_namespace_back(admin: &Admin) {
    admin.does("helm uninstall postern --namespace postern-system --no-hooks --wait --timeout 5m");
    admin.does("kubectl delete namespace team-a --timeout 2m");
    admin.does("kubectl delete -f crds/ --timeout 2m");
}
