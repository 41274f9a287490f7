//! Ways to get round the labels: a name, an owner, an account, a status, a binding.

use postern_e2e::{Cluster, eventually};
use serde_json::{Value, json};

use super::children::{ACCOUNTS, CRON_JOBS, Children, JOBS, PODS, POLICIES, set};
use super::lock::{CHILDREN, WORDS, imitations, node};
use super::people::{ALICE, As, CAROL, DRY, TEAM, refused_by};

const STATUS: &str = "postern-lock-status";

/// `pod` is the pod of the Job `postern-report-held`.
pub(super) async fn all(cluster: &Cluster, children: &Children, pod: &str) {
    nobody_is_first_by_the_name_of_a_child_to_come(cluster, children).await;
    nobody_slips_a_job_or_a_pod_under_a_child(cluster, children).await;
    nobody_is_the_sender_s_account(cluster, children).await;
    nobody_marks_a_pod_or_unmarks_a_child_by_its_status(cluster, children, pod).await;
    nobody_marks_a_pod_by_its_binding(cluster).await;
    nobody_writes_what_the_operator_says(cluster).await;
}

async fn nobody_is_first_by_the_name_of_a_child_to_come(cluster: &Cluster, children: &Children) {
    for (path, object, _) in imitations(children) {
        let named = async |who: As, name: &str| {
            let mut object = object.clone();
            object["metadata"]["name"] = json!(name);
            who.create(cluster, &format!("{path}{DRY}"), &object).await
        };
        for name in ["postern", "posterns-backup", "postern-sender", "postern-report-29999999"] {
            // The operator makes nothing of other kinds with such a name.
            let is_kept = match &*path {
                JOBS | CRON_JOBS => name.starts_with("postern-"),
                ACCOUNTS | POLICIES => name == "postern-sender",
                _ => false,
            };
            let answer = named(ALICE, name).await;
            if is_kept {
                assert_eq!(refused_by(CHILDREN, answer), WORDS, "{path}/{name}");
            } else {
                answer.unwrap_or_else(|refusal| panic!("{path}/{name}: {refusal}"));
            }
        }
    }
    let mut job = plain_job(children);
    job["metadata"] = json!({"generateName": "postern-report-"});
    refused_by(CHILDREN, ALICE.create(cluster, &format!("{JOBS}{DRY}"), &job).await);
    CAROL.create(cluster, &format!("{JOBS}{DRY}"), &job).await.unwrap();

    // In the namespace where the uninstallation is such a Job.
    let bind = "kubectl create rolebinding alice --namespace postern-system --clusterrole cluster-admin --user alice";
    cluster.must_run(bind);
    job["metadata"] = json!({"name": "postern-uninstall"});
    let path = format!("/apis/batch/v1/namespaces/postern-system/jobs{DRY}");
    eventually("the uninstallation to be let through", async || ALICE.create(cluster, &path, &job).await).await;
}

/// A tenant's own Job.
fn plain_job(children: &Children) -> Value {
    imitations(children).into_iter().find(|(path, ..)| path == JOBS).unwrap().1
}

async fn nobody_slips_a_job_or_a_pod_under_a_child(cluster: &Cluster, children: &Children) {
    for (path, object, _) in imitations(children) {
        let owned = async |kind: &str, name: &str, is_controller: bool| {
            let version = if kind == "WebhookSchedule" { "postern.dev/v1alpha1" } else { "batch/v1" };
            let owner =
                json!({"apiVersion": version, "kind": kind, "name": name, "uid": "u", "controller": is_controller});
            let mut object = object.clone();
            object["metadata"]["ownerReferences"] = json!([owner]);
            ALICE.create(cluster, &format!("{path}{DRY}"), &object).await
        };
        for kind in ["CronJob", "Job"] {
            assert_eq!(refused_by(CHILDREN, owned(kind, "postern-report", true).await), WORDS, "{path}: {kind}");
            owned(kind, "report", true).await.unwrap();
            owned(kind, "postern-report", false).await.unwrap();
        }
        // Like a tenant's Secret that should be deleted with their schedule.
        owned("WebhookSchedule", "postern-report", true).await.unwrap();
    }
}

async fn nobody_is_the_sender_s_account(cluster: &Cluster, children: &Children) {
    for (path, object, pointers) in imitations(children) {
        for pointer in pointers {
            let account = format!("{}/spec/serviceAccountName", pointer.strip_suffix("/metadata/labels").unwrap());
            let mut object = object.clone();
            // Not every kind has a pod template.
            if object.pointer(&account).is_none() {
                continue;
            }
            set(&mut object, &account, json!("postern-sender"));
            let answer = ALICE.create(cluster, &format!("{path}{DRY}"), &object).await;
            assert_eq!(refused_by(CHILDREN, answer), WORDS, "{path} {pointer}");
        }
    }
    let token = async |account: &str| {
        let metadata = json!({"name": "token", "annotations": {"kubernetes.io/service-account.name": account}});
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": metadata,
        });
        ALICE.create(cluster, &format!("/api/v1/namespaces/{TEAM}/secrets{DRY}"), &secret).await
    };
    assert_eq!(refused_by(CHILDREN, token("postern-sender").await), WORDS);
    token("default").await.unwrap();
}

async fn nobody_marks_a_pod_or_unmarks_a_child_by_its_status(cluster: &Cluster, children: &Children, pod: &str) {
    let labels = |labels: Value| json!({"metadata": {"labels": labels}});
    let annotations = |annotations: Value| json!({"metadata": {"annotations": annotations}});
    let unlabel = labels(json!({"app.kubernetes.io/managed-by": null, "postern.dev/role": null}));
    let (held, report) = (format!("{JOBS}/postern-report-held"), format!("{CRON_JOBS}/postern-report"));
    let own_pod = mine(cluster, children).await;
    for (path, change) in [
        (format!("{PODS}/{pod}"), unlabel.clone()),
        (format!("{PODS}/{pod}"), labels(json!({"batch.kubernetes.io/job-name": "postern-report-1"}))),
        (format!("{PODS}/{pod}"), annotations(json!({"postern.dev/delivery": "{}"}))),
        (held.clone(), unlabel.clone()),
        (held.clone(), annotations(json!({"postern.dev/check": "1"}))),
        (report.clone(), unlabel),
        (report.clone(), json!({"metadata": {"ownerReferences": []}})),
        (own_pod.clone(), labels(json!({"postern.dev/role": "sender"}))),
        (own_pod.clone(), labels(json!({"app.kubernetes.io/managed-by": "postern"}))),
        (own_pod.clone(), annotations(json!({"postern.dev/delivery": "{}"}))),
    ] {
        let write = async |who: As| who.merge(cluster, &format!("{path}/status{DRY}"), &change).await;
        assert_eq!(refused_by(CHILDREN, write(ALICE).await), WORDS, "{path}: {change}");
        write(CAROL).await.unwrap();
    }
    for path in [&format!("{PODS}/{pod}"), &held, &report, &own_pod] {
        // Network plugins do this.
        let annotate = annotations(json!({"cni.example.com/address": "10.0.0.1"}));
        ALICE.merge(cluster, &format!("{path}/status{DRY}"), &annotate).await.unwrap();
    }
    ALICE.merge(cluster, &format!("{own_pod}/status{DRY}"), &labels(json!({"app": "shop"}))).await.unwrap();
}

/// Makes a tenant's own pod, which is never scheduled, and returns its path.
async fn mine(cluster: &Cluster, children: &Children) -> String {
    let mut pod = imitations(children).into_iter().find(|(path, ..)| path == PODS).unwrap().1;
    pod["metadata"]["name"] = json!("mine-to-bind");
    set(&mut pod, "/spec/schedulerName", json!("none"));
    ALICE.create(cluster, PODS, &pod).await.unwrap();
    format!("{PODS}/mine-to-bind")
}

/// A binding's labels and annotations become those of the pod.
async fn nobody_marks_a_pod_by_its_binding(cluster: &Cluster) {
    let node = node(cluster);
    for path in [format!("{PODS}/mine-to-bind/binding{DRY}"), format!("/api/v1/namespaces/{TEAM}/bindings{DRY}")] {
        let bind = async |who: As, field: &str, name: &str, value: &str| {
            let mut metadata = json!({"name": "mine-to-bind", "namespace": TEAM});
            metadata[field] = json!({name: value});
            let node = json!({"kind": "Node", "name": node});
            let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": node});
            who.create(cluster, &path, &binding).await
        };
        for (field, name, value) in [
            ("labels", "postern.dev/role", "sender"),
            ("labels", "app.kubernetes.io/managed-by", "postern"),
            ("annotations", "postern.dev/delivery", "{}"),
            ("annotations", "postern.dev/probes", "[]"),
        ] {
            assert_eq!(refused_by(CHILDREN, bind(ALICE, field, name, value).await), WORDS, "{path} {name}");
        }
        bind(CAROL, "labels", "postern.dev/role", "sender").await.unwrap();
        bind(ALICE, "labels", "topology.kubernetes.io/zone", "a").await.unwrap();
    }
}

async fn nobody_writes_what_the_operator_says(cluster: &Cluster) {
    // This is the only right of hers that reaches beyond her namespace.
    for command in [
        "kubectl create clusterrole tier-status --verb patch --resource webhooktiers.postern.dev/status",
        "kubectl create clusterrolebinding tier-status --clusterrole tier-status --user alice --user carol",
    ] {
        cluster.must_run(command);
    }
    for (path, change) in [
        (format!("/namespaces/{TEAM}/webhookschedules/report"), json!({"tier": "a"})),
        ("/webhooktiers/minutely".into(), json!({"namespaces": 1, "schedules": 1})),
    ] {
        let path = format!("/apis/postern.dev/v1alpha1{path}/status{DRY}");
        let write = async |who: As| who.merge(cluster, &path, &json!({"status": change})).await;
        eventually("whoever may override to have the right", async || write(CAROL).await).await;
        assert_eq!(
            refused_by(STATUS, write(ALICE).await),
            "only Postern's operator may write the status: change the spec, or use an annotation such as postern.dev/trigger",
            "{path}"
        );
    }
}
