//! What the operator's account may write, when RBAC keeps nothing from it.

use postern_e2e::Cluster;
use serde_json::{Value, json};

use super::children::{ACCOUNTS, CRON_JOBS, Children, IMAGE, JOBS, POLICIES, anew, set};
use super::make;
use super::people::{CAROL, DRY, POSTERN, TEAM, refused_by};

const POLICY: &str = "postern-confine-operator";
const SECRETS: &str = "/api/v1/namespaces/team/secrets";

const NOTHING_ELSE: &str = "Postern's operator writes nothing of this kind, or not by this name";
const LABELLED: &str = "Postern's operator writes only what has the label app.kubernetes.io/managed-by=postern, before and \
    after, and names all but Secrets with the prefix postern-";
const ONE_BY_ONE: &str = "Postern's operator deletes one object at a time";
const KEYS_ALONE: &str =
    "Postern's operator makes and deletes immutable Secrets of type postern.dev/signing-key, and changes none";
const OWNED: &str = "a WebhookSchedule must be the controller of a Secret that Postern's operator makes";
const NO_ECHO: &str = "Postern's operator deletes Secrets for good and in the background: without dry run, and none that a \
    finalizer holds";
const ONE_POD: &str = "each Job of Postern's operator runs one pod";
const SENDERS_ALONE: &str = "Postern's operator makes NetworkPolicies for senders alone";
const LABELS: &str =
    "the pods of Postern's operator have the sender's labels, and no labels and annotations but those of Postern";
const POD: &str = "the pods of Postern's operator set no fields but those that senders need";
const ACCOUNT: &str = "the pods of Postern's operator have the account postern-sender, and no token";
const VOLUMES: &str =
    "the pods of Postern's operator mount Secrets, ConfigMaps and what they know of themselves, and nothing else";
const POD_RESTRICTED: &str = "the pods of Postern's operator meet the Pod Security Standard restricted";
const ONE_CONTAINER: &str = "the pods of the operator of Postern have one container, sender, of the image \
    postern.dev/e2e/toolbox:latest: if the configuration of the operator names another, set it in this policy, too";
const PRIORITY: &str = "the pods of the operator of Postern have no priority class: if the configuration of the operator \
    names another, set it in this policy, too";
const CONTAINER: &str = "the containers of Postern's operator set no fields but those that a sender needs";
const RESTRICTED: &str =
    "the containers of Postern's operator meet the Pod Security Standard restricted, and write nothing";

pub(super) async fn all(cluster: &Cluster, children: &Children) {
    its_pods_are_those_of_senders(cluster, children).await;
    its_jobs_run_one_pod_each(cluster, children).await;
    an_older_template_may_stay_as_it_is(cluster, children).await;
    it_touches_nothing_of_a_tenant(cluster, children).await;
    its_secrets_are_signing_keys_of_schedules(cluster, children).await;
    it_can_have_no_secret_shown(cluster, children).await;
    it_writes_nothing_else(cluster).await;
}

async fn its_pods_are_those_of_senders(cluster: &Cluster, children: &Children) {
    let path = format!("{JOBS}{DRY}");
    POSTERN.create(cluster, &path, &children.job("postern-more")).await.unwrap();
    let container = |field: &str| format!("/spec/containers/0{field}");
    let sources = "/spec/volumes/0/projected/sources/-";
    for (pointer, value, words) in [
        ("/metadata/labels/postern.dev~1role", json!("other"), LABELS),
        ("/metadata/labels/app.kubernetes.io~1managed-by", json!("alice"), LABELS),
        ("/metadata/labels/app", json!("shop"), LABELS),
        ("/metadata/annotations/k8s.v1.cni.cncf.io~1networks", json!("other"), LABELS),
        ("/spec/hostNetwork", json!(true), POD),
        ("/spec/hostPID", json!(true), POD),
        ("/spec/hostIPC", json!(true), POD),
        ("/spec/nodeName", json!("node"), POD),
        ("/spec/initContainers", json!([{"name": "first", "image": IMAGE}]), POD),
        ("/spec/runtimeClassName", json!("other"), POD),
        ("/spec/hostAliases", json!([{"ip": "10.0.0.1", "hostnames": ["hooks.example.com"]}]), POD),
        ("/spec/priorityClassName", json!("system-cluster-critical"), PRIORITY),
        ("/spec/serviceAccountName", json!("default"), ACCOUNT),
        ("/spec/automountServiceAccountToken", json!(true), ACCOUNT),
        ("/spec/volumes/-", json!({"name": "host", "hostPath": {"path": "/"}}), VOLUMES),
        ("/spec/volumes/-", json!({"name": "claim", "persistentVolumeClaim": {"claimName": "theirs"}}), VOLUMES),
        ("/spec/volumes/-", json!({"name": "secret", "secret": {"secretName": "theirs"}}), VOLUMES),
        (sources, json!({"serviceAccountToken": {"path": "token"}}), VOLUMES),
        ("/spec/securityContext/runAsNonRoot", json!(false), POD_RESTRICTED),
        ("/spec/securityContext/seccompProfile", json!({"type": "Unconfined"}), POD_RESTRICTED),
        ("/spec/securityContext/supplementalGroups", json!([0]), POD_RESTRICTED),
        ("/spec/securityContext", Value::Null, POD_RESTRICTED),
        ("/spec/containers/-", json!({"name": "second", "image": IMAGE}), ONE_CONTAINER),
        (&container("/image"), json!("busybox"), ONE_CONTAINER),
        (&container("/name"), json!("other"), ONE_CONTAINER),
        (&container("/command"), json!(["sh"]), CONTAINER),
        (&container("/env"), json!([{"name": "A", "value": "b"}]), CONTAINER),
        (&container("/envFrom"), json!([{"secretRef": {"name": "theirs"}}]), CONTAINER),
        (&container("/lifecycle"), json!({"postStart": {"httpGet": {"host": "10.0.0.1", "port": 80}}}), CONTAINER),
        (&container("/livenessProbe"), json!({"tcpSocket": {"host": "10.0.0.1", "port": 80}}), CONTAINER),
        (&container("/securityContext"), Value::Null, RESTRICTED),
        (&container("/securityContext/allowPrivilegeEscalation"), json!(true), RESTRICTED),
        (&container("/securityContext/readOnlyRootFilesystem"), json!(false), RESTRICTED),
        (&container("/securityContext/runAsNonRoot"), json!(false), RESTRICTED),
        (&container("/securityContext/runAsUser"), json!(0), RESTRICTED),
        (&container("/securityContext/capabilities"), json!({"drop": ["ALL"], "add": ["NET_RAW"]}), RESTRICTED),
        (&container("/securityContext/seccompProfile"), json!({"type": "Unconfined"}), RESTRICTED),
        (&container("/securityContext/procMount"), json!("Default"), RESTRICTED),
    ] {
        let mut job = children.job("postern-more");
        if pointer == "/spec/containers/-" || pointer.ends_with("/name") {
            // The failure policy speaks of the one container.
            job["spec"].as_object_mut().unwrap().remove("podFailurePolicy");
        }
        let mut template = job["spec"]["template"].take();
        if pointer.ends_with("serviceAccountName") {
            template["spec"].as_object_mut().unwrap().remove("serviceAccount");
        }
        set(&mut template, pointer, value.clone());
        job["spec"]["template"] = template.clone();
        let refusal = refused_by(POLICY, POSTERN.create(cluster, &path, &job).await);
        assert_eq!(refusal, words, "{pointer}: {value}");

        let mut cron_job = anew(&children.cron_job, "postern-more");
        cron_job["spec"]["jobTemplate"]["spec"] = job["spec"].clone();
        let refusal = refused_by(POLICY, POSTERN.create(cluster, &format!("{CRON_JOBS}{DRY}"), &cron_job).await);
        assert_eq!(refusal, words, "in a CronJob: {pointer}: {value}");
    }
}

async fn its_jobs_run_one_pod_each(cluster: &Cluster, children: &Children) {
    for field in ["parallelism", "completions"] {
        let mut job = children.job("postern-more");
        job["spec"][field] = json!(2);
        assert_eq!(
            refused_by(POLICY, POSTERN.create(cluster, &format!("{JOBS}{DRY}"), &job).await),
            ONE_POD,
            "{field}"
        );
        let mut cron_job = anew(&children.cron_job, "postern-more");
        cron_job["spec"]["jobTemplate"]["spec"] = job["spec"].take();
        let answer = POSTERN.create(cluster, &format!("{CRON_JOBS}{DRY}"), &cron_job).await;
        assert_eq!(refused_by(POLICY, answer), ONE_POD, "in a CronJob: {field}");
    }
}

/// As of a CronJob that the operator of a former release made.
async fn an_older_template_may_stay_as_it_is(cluster: &Cluster, children: &Children) {
    let mut older = anew(&children.cron_job, "postern-older");
    let image = "/spec/jobTemplate/spec/template/spec/containers/0/image";
    set(&mut older, image, json!("postern-sender:0.0.1"));
    set(&mut older, "/metadata/ownerReferences", json!([]));
    set(&mut older, "/spec/schedule", json!("@yearly"));
    make(cluster, &[older.clone()]);
    let path = format!("{CRON_JOBS}/postern-older{DRY}");
    POSTERN.patch(cluster, &path, &json!({"spec": {"suspend": true}})).await.unwrap();
    set(&mut older, image, json!("postern-sender:0.0.2"));
    assert_eq!(refused_by(POLICY, POSTERN.merge(cluster, &path, &json!({"spec": older["spec"]})).await), ONE_CONTAINER);
    POSTERN.delete(cluster, &format!("{CRON_JOBS}/postern-older"), &json!({})).await.unwrap();
}

async fn it_touches_nothing_of_a_tenant(cluster: &Cluster, children: &Children) {
    for (path, child) in
        [(CRON_JOBS, &children.cron_job), (POLICIES, &children.network_policy), (ACCOUNTS, &children.service_account)]
    {
        let create = format!("{path}{DRY}");
        POSTERN.create(cluster, &create, &anew(child, "postern-other")).await.unwrap();
        assert_eq!(
            refused_by(POLICY, POSTERN.create(cluster, &create, &anew(child, "other")).await),
            LABELLED,
            "{path}"
        );
        let mut theirs = anew(child, "postern-theirs");
        theirs["metadata"]["labels"] = json!({});
        theirs["metadata"]["ownerReferences"] = json!([]);
        for pointer in ["/spec/jobTemplate/metadata/labels", "/spec/jobTemplate/spec/template/metadata/labels"] {
            if let Some(labels) = theirs.pointer_mut(pointer) {
                *labels = json!({"app": "theirs"});
            }
        }
        assert_eq!(refused_by(POLICY, POSTERN.create(cluster, &create, &theirs).await), LABELLED, "{path}");

        make(cluster, &[theirs]);
        let one = format!("{path}/postern-theirs{DRY}");
        let label = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "postern"}}});
        assert_eq!(refused_by(POLICY, POSTERN.patch(cluster, &one, &label).await), LABELLED, "{path}");
        assert_eq!(
            refused_by(POLICY, POSTERN.try_delete(cluster, &format!("{path}/postern-theirs")).await),
            LABELLED,
            "{path}"
        );

        let name = child["metadata"]["name"].as_str().unwrap();
        let unlabel = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": null}}});
        let own = format!("{path}/{name}{DRY}");
        assert_eq!(refused_by(POLICY, POSTERN.patch(cluster, &own, &unlabel).await), LABELLED, "{path}");
        POSTERN.try_delete(cluster, &format!("{path}/{name}")).await.unwrap();
        let all =
            POSTERN.delete(cluster, &format!("{path}?labelSelector=app.kubernetes.io/managed-by"), &json!({})).await;
        assert_eq!(refused_by(POLICY, all), ONE_BY_ONE, "{path}");
    }
    for selector in
        [json!({}), json!({"matchLabels": {"app": "shop"}}), json!({"matchLabels": {"postern.dev/role": "sender"}})]
    {
        let mut policy = anew(&children.network_policy, "postern-more");
        policy["spec"]["podSelector"] = selector;
        let answer = POSTERN.create(cluster, &format!("{POLICIES}{DRY}"), &policy).await;
        assert_eq!(refused_by(POLICY, answer), SENDERS_ALONE);
    }
}

/// A signing key of the schedule, as the operator makes it.
fn key(name: &str, children: &Children) -> Value {
    let owners = &children.cron_job["metadata"]["ownerReferences"];
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "postern.dev/signing-key", "immutable": true,
        "metadata": {
            "name": name, "namespace": TEAM, "labels": {"app.kubernetes.io/managed-by": "postern"},
            "ownerReferences": owners,
        },
        "stringData": {"key": "a canary"},
    })
}

async fn its_secrets_are_signing_keys_of_schedules(cluster: &Cluster, children: &Children) {
    POSTERN.create(cluster, &format!("{SECRETS}{DRY}"), &key("report-1", children)).await.unwrap();
    let tokens = json!("kubernetes.io/service-account-token");
    for (pointer, value, words) in [
        ("/type", json!("Opaque"), KEYS_ALONE),
        ("/type", tokens, KEYS_ALONE),
        ("/immutable", json!(false), KEYS_ALONE),
        ("/metadata/labels", json!({}), LABELLED),
        ("/metadata/ownerReferences", json!([]), OWNED),
        ("/metadata/ownerReferences/0/kind", json!("WebhookTier"), OWNED),
        ("/metadata/ownerReferences/0/apiVersion", json!("other.dev/v1"), OWNED),
        ("/metadata/ownerReferences/0/controller", json!(false), OWNED),
    ] {
        let mut secret = key("report-1", children);
        set(&mut secret, pointer, value.clone());
        if pointer == "/type" {
            secret["metadata"]["annotations"] = json!({"kubernetes.io/service-account.name": "default"});
        }
        let refusal = refused_by(POLICY, POSTERN.create(cluster, &format!("{SECRETS}{DRY}"), &secret).await);
        assert_eq!(refusal, words, "{pointer}: {value}");
    }
}

async fn it_can_have_no_secret_shown(cluster: &Cluster, children: &Children) {
    let mut theirs = key("theirs", children);
    theirs["type"] = json!("Opaque");
    let mut held = key("held", children);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let mut unlabelled = key("unlabelled", children);
    unlabelled["metadata"]["labels"] = json!({});
    for secret in [&mut theirs, &mut held, &mut unlabelled] {
        secret["metadata"]["ownerReferences"] = json!([]);
    }
    make(cluster, &[theirs, held, unlabelled]);
    POSTERN.create(cluster, SECRETS, &key("report-1", children)).await.unwrap();

    let one = |name: &str| format!("{SECRETS}/{name}");
    let foreground = json!({"propagationPolicy": "Foreground"});
    for (path, options, words) in [
        (one("theirs"), json!({}), KEYS_ALONE),
        (one("unlabelled"), json!({}), LABELLED),
        (one("held"), json!({}), NO_ECHO),
        (one("report-1"), foreground, NO_ECHO),
        (one("report-1"), json!({"propagationPolicy": "Orphan"}), NO_ECHO),
        (one("report-1"), json!({"orphanDependents": true}), NO_ECHO),
        (one("report-1"), json!({"dryRun": ["All"]}), NO_ECHO),
        (SECRETS.into(), json!({}), ONE_BY_ONE),
    ] {
        let refusal = refused_by(POLICY, POSTERN.delete(cluster, &path, &options).await);
        assert!(
            refusal == words || path == SECRETS && [LABELLED, ONE_BY_ONE].contains(&&*refusal),
            "{path} {options}: {refusal}"
        );
    }
    let let_go = json!({"metadata": {"finalizers": null}});
    CAROL.patch(cluster, &one("held"), &let_go).await.unwrap();
    let change = json!({"metadata": {"annotations": {"a": "b"}}});
    assert_eq!(refused_by(POLICY, POSTERN.patch(cluster, &one("report-1"), &change).await), KEYS_ALONE);
    let answer = POSTERN.delete(cluster, &one("report-1"), &json!({"propagationPolicy": "Background"})).await.unwrap();
    assert_eq!((&answer["kind"], &answer["data"]), (&json!("Status"), &Value::Null));
}

async fn it_writes_nothing_else(cluster: &Cluster) {
    let deployments = "/apis/apps/v1/namespaces/postern-system/deployments";
    let pod = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}});
    let deployment = |name: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "postern-system"},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": pod},
        })
    };
    make(cluster, &["postern-operator", "other"].map(deployment));
    let scale = async |name: &str, replicas: u32| {
        let path = format!("{deployments}/{name}/scale{DRY}");
        POSTERN.merge(cluster, &path, &json!({"spec": {"replicas": replicas}})).await
    };
    scale("postern-operator", 0).await.unwrap();
    assert_eq!(refused_by(POLICY, scale("postern-operator", 1).await), NOTHING_ELSE);
    assert_eq!(refused_by(POLICY, scale("other", 0).await), NOTHING_ELSE);

    let lease =
        |name: &str| json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}});
    let event = |about: &str| {
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e"}, "eventTime": "2027-01-15T08:00:00.000000Z",
            "type": "Normal", "reason": "R", "action": "A", "reportingController": "c", "reportingInstance": "i",
            "regarding": {"apiVersion": about, "kind": "K", "name": "n", "namespace": TEAM},
        })
    };
    let named =
        |kind: &str, version: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "postern-x"}});
    let bare = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "postern-x", "labels": {"app.kubernetes.io/managed-by": "postern"}},
        "spec": {"containers": [{"name": "sender", "image": IMAGE}]},
    });
    let events = format!("/apis/events.k8s.io/v1/namespaces/{TEAM}/events");
    POSTERN.create(cluster, &format!("{events}{DRY}"), &event("postern.dev/v1alpha1")).await.unwrap();
    for (path, object) in [
        ("/apis/coordination.k8s.io/v1/namespaces/postern-system/leases".into(), lease("other")),
        ("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases".into(), lease("postern-operator")),
        (events, event("v1")),
        ("/api/v1/namespaces/kube-system/pods".into(), bare),
        ("/api/v1/namespaces/team/configmaps".into(), named("ConfigMap", "v1")),
        ("/api/v1/namespaces".into(), named("Namespace", "v1")),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles".into(),
            named("ClusterRole", "rbac.authorization.k8s.io/v1"),
        ),
        ("/api/v1/namespaces/team/serviceaccounts/default/token".into(), json!({"spec": {}})),
    ] {
        assert_eq!(
            refused_by(POLICY, POSTERN.create(cluster, &format!("{path}{DRY}"), &object).await),
            NOTHING_ELSE,
            "{path}"
        );
    }
    let schedule = format!("/apis/postern.dev/v1alpha1/namespaces/{TEAM}/webhookschedules/report");
    for (part, refused) in [("", true), ("/status", false)] {
        let change = json!({"metadata": {"annotations": {"a": "b"}}, "status": {"tier": "a"}});
        let answer = POSTERN.merge(cluster, &format!("{schedule}{part}{DRY}"), &change).await;
        assert_eq!(answer.is_err(), refused, "{part}: {answer:?}");
    }
}
