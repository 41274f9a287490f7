//! Who may change objects that have Postern's labels or prefix.

use postern_e2e::{Cluster, eventually};
use serde_json::{Value, json};

use super::children::{CRON_JOBS, Children, IMAGE, JOBS, PODS, anew, set};
use super::people::{ALICE, As, CAROL, DRAINER, DRY, POSTERN, may_do_all_in_the_namespace, refused_by};
use super::{proxies, ways_round};

pub(super) const CHILDREN: &str = "postern-lock-children";
pub(super) const NAMES: &str = "postern-lock-names";
pub(super) const WORDS: &str = "only Postern may write objects or templates with its labels \
    (app.kubernetes.io/managed-by=postern, postern.dev/…), account or names postern-…: change the schedule, or use other \
    labels and names";

pub(super) async fn all(cluster: &Cluster, children: &Children) {
    let pod = children.running(cluster, "postern-report-held").await;
    no_tenant_changes_or_deletes_a_child(cluster, &pod).await;
    no_tenant_makes_what_looks_like_a_child(cluster, children).await;
    a_tenant_works_as_ever_with_what_is_his(cluster, children).await;
    no_tenant_gets_at_a_sender_by_its_name(cluster, &pod).await;
    proxies::no_tenant_has_the_api_server_call_what_is_postern_s(cluster, &pod).await;
    ways_round::all(cluster, children, &pod).await;
    the_control_plane_does_its_work_and_no_more(cluster, children, &pod).await;
}

async fn no_tenant_changes_or_deletes_a_child(cluster: &Cluster, pod: &str) {
    let pod = format!("{PODS}/{pod}");
    let (account, policy) = (
        "/api/v1/namespaces/team/serviceaccounts/postern-sender",
        "/apis/networking.k8s.io/v1/namespaces/team/networkpolicies/postern-sender",
    );
    let label =
        |to: &Value| json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": to, "postern.dev/role": to}}});
    let own = json!({"metadata": {"annotations": {"a": "b"}}});
    let suspend = json!({"spec": {"suspend": true}});
    for (path, changes) in [
        (format!("{CRON_JOBS}/postern-report"), vec![suspend.clone(), label(&Value::Null), own]),
        (format!("{JOBS}/postern-report-held"), vec![suspend, label(&json!("alice"))]),
        (pod.clone(), vec![label(&Value::Null), json!({"spec": {"activeDeadlineSeconds": 1}})]),
        (account.into(), vec![json!({"imagePullSecrets": [{"name": "mine"}]}), label(&Value::Null)]),
        (policy.into(), vec![json!({"spec": {"egress": [{}]}}), label(&Value::Null)]),
    ] {
        for change in changes {
            let change = async |who: As| who.patch(cluster, &format!("{path}{DRY}"), &change).await;
            assert_eq!(refused_by(CHILDREN, change(ALICE).await), WORDS, "{path}");
            change(CAROL).await.unwrap();
        }
        let delete = async |who: As| who.try_delete(cluster, &path).await;
        assert_eq!(refused_by(CHILDREN, delete(ALICE).await), WORDS, "{path}");
        delete(CAROL).await.unwrap();
        can_be_written_as_it_was(cluster, &path).await;
    }
    refused_by(CHILDREN, ALICE.try_delete(cluster, CRON_JOBS).await);
    let debugger = json!({"spec": {"ephemeralContainers": [{"name": "d", "image": IMAGE}]}});
    refused_by(CHILDREN, ALICE.patch(cluster, &format!("{pod}/ephemeralcontainers{DRY}"), &debugger).await);
    let more = json!({"spec": {"containers": [{"name": "sender", "resources": {"limits": {"cpu": "300m"}}}]}});
    refused_by(CHILDREN, ALICE.patch(cluster, &format!("{pod}/resize{DRY}"), &more).await);
}

/// Such a write is no change: storage version migrations make it, and so do admins who renew the encryption at rest.
async fn can_be_written_as_it_was(cluster: &Cluster, path: &str) {
    eventually(&format!("{path} to be written as it was"), async || {
        let as_it_is = cluster.get(path).await.unwrap();
        match ALICE.replace(cluster, &format!("{path}{DRY}"), &as_it_is).await {
            // A controller wrote first: the CronJob controller writes the status every minute.
            Err(refusal) if refusal.contains("the object has been modified") => Err(refusal),
            answer => Ok(answer.unwrap()),
        }
    })
    .await;
}

/// The places of the labels of each kind's pods, or of the kind's own labels.
pub(super) fn imitations(children: &Children) -> Vec<(String, Value, Vec<&'static str>)> {
    let mut pod = children.pod("mine");
    pod["metadata"]["labels"] = json!({"app": "mine"});
    pod["spec"]["serviceAccountName"] = json!("default");
    pod["spec"].as_object_mut().unwrap().remove("serviceAccount");
    let template = json!({"metadata": pod["metadata"], "spec": pod["spec"]});
    let mut endless = template.clone();
    endless["spec"]["restartPolicy"] = json!("Always");
    endless["spec"].as_object_mut().unwrap().remove("activeDeadlineSeconds");
    let mut all = vec![
        (PODS.to_owned(), pod, vec!["/metadata/labels"]),
        (
            "/api/v1/namespaces/team/serviceaccounts".into(),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "mine", "labels": {}}}),
            vec!["/metadata/labels"],
        ),
        (
            "/api/v1/namespaces/team/secrets".into(),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "labels": {}}}),
            vec!["/metadata/labels"],
        ),
        ("/apis/networking.k8s.io/v1/namespaces/team/networkpolicies".into(), policy(), vec!["/metadata/labels"]),
        (
            JOBS.into(),
            json!({
                "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "mine", "labels": {}}, "spec": {"template": template},
            }),
            vec!["/metadata/labels", "/spec/template/metadata/labels"],
        ),
        (
            CRON_JOBS.into(),
            json!({
                "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "mine", "labels": {}},
                "spec": {
                    "schedule": "@yearly",
                    "jobTemplate": {"metadata": {"labels": {}}, "spec": {"template": template}},
                },
            }),
            vec![
                "/metadata/labels",
                "/spec/jobTemplate/metadata/labels",
                "/spec/jobTemplate/spec/template/metadata/labels",
            ],
        ),
    ];
    for (kind, plural) in [
        ("Deployment", "deployments"),
        ("ReplicaSet", "replicasets"),
        ("StatefulSet", "statefulsets"),
        ("DaemonSet", "daemonsets"),
    ] {
        let object = json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "mine", "labels": {}},
            "spec": {"selector": {"matchLabels": {"app": "mine"}}, "template": endless},
        });
        let pointers = vec!["/metadata/labels", "/spec/template/metadata/labels"];
        all.push((format!("/apis/apps/v1/namespaces/team/{plural}"), object, pointers));
    }
    all.push((
        "/api/v1/namespaces/team/replicationcontrollers".into(),
        json!({
            "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "mine", "labels": {}},
            "spec": {"selector": {"app": "mine"}, "template": endless},
        }),
        vec!["/metadata/labels", "/spec/template/metadata/labels"],
    ));
    all
}

fn policy() -> Value {
    let metadata = json!({"name": "mine", "labels": {}});
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata,
        "spec": {"podSelector": {}, "policyTypes": ["Egress"]},
    })
}

async fn no_tenant_makes_what_looks_like_a_child(cluster: &Cluster, children: &Children) {
    for (path, object, pointers) in imitations(children) {
        let path = format!("{path}{DRY}");
        ALICE.create(cluster, &path, &object).await.unwrap_or_else(|refusal| panic!("{path}: {refusal}"));
        for pointer in pointers {
            for (label, value) in [
                ("app.kubernetes.io~1managed-by", "postern"),
                ("postern.dev~1role", "sender"),
                ("postern.dev~1role", ""),
                ("postern.dev~1schedule", "report"),
            ] {
                let mut imitation = object.clone();
                set(&mut imitation, &format!("{pointer}/{label}"), json!(value));
                assert_eq!(
                    refused_by(CHILDREN, ALICE.create(cluster, &path, &imitation).await),
                    WORDS,
                    "{path} {pointer}"
                );
            }
        }
    }
    // A copy of a child, and a Job of the tenant's own that has the label.
    refused_by(CHILDREN, ALICE.create(cluster, &format!("{CRON_JOBS}{DRY}"), &anew(&children.cron_job, "copy")).await);
    refused_by(CHILDREN, ALICE.create(cluster, &format!("{JOBS}{DRY}"), &children.job("copy")).await);
}

async fn a_tenant_works_as_ever_with_what_is_his(cluster: &Cluster, children: &Children) {
    for (path, mut object, _) in imitations(children) {
        if path == PODS || path == JOBS {
            // The object should not start anything.
            let template = if path == PODS { "/spec" } else { "/spec/template/spec" };
            set(&mut object, &format!("{template}/schedulerName"), json!("none"));
        }
        if path.starts_with("/apis/apps") || path.ends_with("replicationcontrollers") {
            continue;
        }
        ALICE.create(cluster, &path, &object).await.unwrap();
        let one = format!("{path}/mine");
        ALICE
            .patch(cluster, &one, &json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}}))
            .await
            .unwrap();
        let label = json!({"metadata": {"labels": {"postern.dev/role": "sender"}}});
        assert_eq!(refused_by(CHILDREN, ALICE.patch(cluster, &one, &label).await), WORDS, "{path}");
        ALICE
            .delete(cluster, &one, &json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"}))
            .await
            .unwrap();
    }
}

async fn no_tenant_gets_at_a_sender_by_its_name(cluster: &Cluster, pod: &str) {
    let eviction = |pod: &str| json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "team"}});
    let what = |words: &str| {
        format!(
            "{words} is not allowed: names that begin with postern- are reserved for Postern. Choose other names for your pods, \
             Services and ServiceAccounts"
        )
    };
    for connection in ["exec?command=/toolbox&stdout=1", "attach?stdout=1", "portforward", "proxy"] {
        let connect =
            async |who: As, pod: &str| who.create(cluster, &format!("{PODS}/{pod}/{connection}"), &json!({})).await;
        let words = what(&format!("{} of {pod}", connection.split('?').next().unwrap()));
        assert_eq!(refused_by(NAMES, connect(ALICE, pod).await), words);
        // Either the pod doesn't exist, or the connection isn't upgraded; neither failure comes from a policy.
        let refusals = [connect(ALICE, "mine").await.unwrap_err(), connect(CAROL, "postern-x").await.unwrap_err()];
        assert!(refusals.iter().all(|refusal| !refusal.contains("ValidatingAdmissionPolicy")), "{refusals:?}");
    }
    let evict = async |who: As| who.create(cluster, &format!("{PODS}/{pod}/eviction{DRY}"), &eviction(pod)).await;
    assert_eq!(refused_by(NAMES, evict(ALICE).await), what(&format!("eviction of {pod}")));
    evict(CAROL).await.unwrap();
    evict(DRAINER).await.unwrap();

    let token = async |who: As, account: &str| {
        let path = format!("/api/v1/namespaces/team/serviceaccounts/{account}/token{DRY}");
        who.create(cluster, &path, &json!({"spec": {}})).await
    };
    assert_eq!(refused_by(NAMES, token(ALICE, "postern-sender").await), what("token of postern-sender"));
    token(CAROL, "postern-sender").await.unwrap();
    token(ALICE, "default").await.unwrap();
}

/// A controller, by its account.
macro_rules! controller {
    ($name:literal) => {
        As { user: concat!("system:serviceaccount:kube-system:", $name), groups: &[] }
    };
}

/// `going_on` shows what this cluster's controllers do by themselves; this shows who else may do what.
async fn the_control_plane_does_its_work_and_no_more(cluster: &Cluster, children: &Children, pod: &str) {
    let manager = As { user: "system:kube-controller-manager", groups: &[] };
    let kubelet = As { user: format!("system:node:{}", node(cluster)).leak(), groups: &["system:nodes"] };
    let (pods, pod) = (format!("{PODS}{DRY}"), format!("{PODS}/{pod}"));
    let (jobs, job) = (format!("{JOBS}{DRY}"), format!("{JOBS}/postern-report-held"));
    let annotate = json!({"metadata": {"annotations": {"a": "b"}}});
    // Only some clusters give the first two the rights that they have here. The third only has a controller's name, which must
    // not mislead the policies.
    let taints = controller!("taint-eviction-controller");
    let namesake = As { user: "system:serviceaccount:team:job-controller", groups: &[] };
    for who in [manager, taints, namesake] {
        may_do_all_in_the_namespace(cluster, who).await;
    }

    for who in [controller!("job-controller"), manager] {
        who.create(cluster, &pods, &children.pod("postern-x")).await.unwrap();
        who.patch(cluster, &format!("{pod}{DRY}"), &annotate).await.unwrap();
    }
    for who in [controller!("cronjob-controller"), manager, POSTERN] {
        who.create(cluster, &jobs, &children.job("postern-x")).await.unwrap();
        who.try_delete(cluster, &job).await.unwrap();
    }
    for who in [
        controller!("job-controller"),
        controller!("namespace-controller"),
        controller!("node-controller"),
        controller!("pod-garbage-collector"),
        controller!("generic-garbage-collector"),
        taints,
        As { user: "system:kube-scheduler", groups: &[] },
        kubelet,
        manager,
    ] {
        who.try_delete(cluster, &pod).await.unwrap_or_else(|refusal| panic!("{}: {refusal}", who.user));
    }
    controller!("ttl-after-finished-controller").try_delete(cluster, &job).await.unwrap();
    controller!("generic-garbage-collector").patch(cluster, &format!("{job}{DRY}"), &annotate).await.unwrap();

    for who in [
        controller!("replicaset-controller"),
        controller!("daemon-set-controller"),
        controller!("replication-controller"),
    ] {
        refused_by(CHILDREN, who.create(cluster, &pods, &children.pod("postern-x")).await);
        refused_by(CHILDREN, who.try_delete(cluster, &pod).await);
    }
    refused_by(CHILDREN, controller!("cronjob-controller").try_delete(cluster, &pod).await);
    refused_by(CHILDREN, namesake.create(cluster, &pods, &children.pod("postern-x")).await);
}

/// The name of the cluster's node.
pub(super) fn node(cluster: &Cluster) -> String {
    cluster.run(&["kubectl", "get", "nodes", "--output", "jsonpath={.items[0].metadata.name}"], "").unwrap()
}
