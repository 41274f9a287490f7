//! What the operator's account may write when RBAC allows everything.

use postern_e2e::Cluster;
use serde_json::{Value, json};

use super::children::{ACCOUNTS, CRON_JOBS, Children, IMAGE, POLICIES, anew, set};
use super::confine_fields::ANNOTATIONS;
use super::make;
use super::people::{CAROL, DRY, POSTERN, TEAM, refused_by};

const POLICY: &str = "postern-confine-operator";
pub(super) const SECRETS: &str = "/api/v1/namespaces/team/secrets";

const NOTHING_ELSE: &str = "the operator's account may write only schedules' children, statuses, Events about Postern, \
    access reviews, its own Lease, its ConfigMaps postern-usage-…, and its Deployment's scale, to 0";
const LABELLED: &str = "the operator's account may write only objects that have the label \
    app.kubernetes.io/managed-by=postern before and after the write, and a name that begins with postern-";
const ONE_OF_A_NAMESPACE: &str = "the operator's account may create and update only the ServiceAccount and the NetworkPolicy \
    that are named postern-sender";
const ONE_BY_ONE: &str = "the operator's account may not delete a collection, but only one object at a time";
const KEYS_ALONE: &str = "the operator's account may only create and delete Secrets, not change them, and only immutable \
    ones of type postern.dev/signing-key";
const KEY_ALONE: &str =
    "a Secret that the operator's account creates may have only the entry key, of at most 256 characters in base64";
const NO_ECHO: &str = "the operator's account must delete a Secret in the background and without dry run, and may not delete \
    one that has finalizers";

pub(super) async fn all(cluster: &Cluster, children: &Children) {
    it_touches_nothing_of_a_tenant(cluster, children).await;
    its_secrets_are_signing_keys(cluster, children).await;
    it_can_have_no_secret_shown(cluster, children).await;
    it_writes_nothing_else(cluster).await;
}

async fn it_touches_nothing_of_a_tenant(cluster: &Cluster, children: &Children) {
    for (path, child) in
        [(CRON_JOBS, &children.cron_job), (POLICIES, &children.network_policy), (ACCOUNTS, &children.service_account)]
    {
        let create = format!("{path}{DRY}");
        let other = POSTERN.create(cluster, &create, &anew(child, "postern-other")).await;
        if path == CRON_JOBS {
            other.unwrap();
        } else {
            assert_eq!(refused_by(POLICY, other), ONE_OF_A_NAMESPACE, "{path}");
        }
        assert_eq!(
            refused_by(POLICY, POSTERN.create(cluster, &create, &anew(child, "other")).await),
            LABELLED,
            "{path}"
        );
        let mut theirs = anew(child, "postern-theirs");
        theirs["metadata"]["labels"] = json!({});
        theirs["metadata"]["ownerReferences"] = json!([]);
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
}

/// A signing key of the schedule, as the operator makes it.
pub(super) fn key(name: &str, children: &Children) -> Value {
    let owners = &children.cron_job["metadata"]["ownerReferences"];
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "postern.dev/signing-key", "immutable": true,
        "metadata": {
            "name": name, "namespace": TEAM, "labels": {"app.kubernetes.io/managed-by": "postern"},
            "ownerReferences": owners,
        },
        "stringData": {"key": format!("whsk_{}", "A".repeat(88))},
    })
}

async fn its_secrets_are_signing_keys(cluster: &Cluster, children: &Children) {
    POSTERN.create(cluster, &format!("{SECRETS}{DRY}"), &key("postern-report-1", children)).await.unwrap();
    // The API server demands the annotation before it asks any policy.
    let mut token = key("postern-report-1", children);
    token["type"] = json!("kubernetes.io/service-account-token");
    token["metadata"]["annotations"] = json!({"kubernetes.io/service-account.name": "default"});
    let refusal = refused_by(POLICY, POSTERN.create(cluster, &format!("{SECRETS}{DRY}"), &token).await);
    assert_eq!(refusal, ANNOTATIONS);
    for (pointer, value, words) in [
        ("/type", json!("Opaque"), KEYS_ALONE),
        ("/immutable", json!(false), KEYS_ALONE),
        ("/metadata/labels", json!({}), LABELLED),
        // A name that a tenant's workload might look for.
        ("/metadata/name", json!("database"), LABELLED),
        ("/stringData/program", json!("#!"), KEY_ALONE),
        ("/stringData/key", json!("a".repeat(193)), KEY_ALONE),
    ] {
        let mut secret = key("postern-report-1", children);
        set(&mut secret, pointer, value.clone());
        let refusal = refused_by(POLICY, POSTERN.create(cluster, &format!("{SECRETS}{DRY}"), &secret).await);
        assert_eq!(refusal, words, "{pointer}: {value}");
    }
}

async fn it_can_have_no_secret_shown(cluster: &Cluster, children: &Children) {
    let mut theirs = key("postern-theirs", children);
    theirs["type"] = json!("Opaque");
    let mut held = key("postern-held", children);
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let mut unlabelled = key("postern-unlabelled", children);
    unlabelled["metadata"]["labels"] = json!({});
    for secret in [&mut theirs, &mut held, &mut unlabelled] {
        secret["metadata"]["ownerReferences"] = json!([]);
    }
    make(cluster, &[theirs, held, unlabelled]);
    POSTERN.create(cluster, SECRETS, &key("postern-report-1", children)).await.unwrap();

    let one = |name: &str| format!("{SECRETS}/{name}");
    let foreground = json!({"propagationPolicy": "Foreground"});
    for (path, options, words) in [
        (one("postern-theirs"), json!({}), KEYS_ALONE),
        (one("postern-unlabelled"), json!({}), LABELLED),
        (one("postern-held"), json!({}), NO_ECHO),
        (one("postern-report-1"), foreground, NO_ECHO),
        (one("postern-report-1"), json!({"propagationPolicy": "Orphan"}), NO_ECHO),
        (one("postern-report-1"), json!({"orphanDependents": true}), NO_ECHO),
        (one("postern-report-1"), json!({"dryRun": ["All"]}), NO_ECHO),
        (SECRETS.into(), json!({}), ONE_BY_ONE),
    ] {
        let refusal = refused_by(POLICY, POSTERN.delete(cluster, &path, &options).await);
        assert!(
            refusal == words || path == SECRETS && [LABELLED, ONE_BY_ONE].contains(&&*refusal),
            "{path} {options}: {refusal}"
        );
    }
    let let_go = json!({"metadata": {"finalizers": null}});
    CAROL.patch(cluster, &one("postern-held"), &let_go).await.unwrap();
    let change = json!({"metadata": {"labels": {"postern.dev/schedule": "b"}}});
    assert_eq!(refused_by(POLICY, POSTERN.patch(cluster, &one("postern-report-1"), &change).await), KEYS_ALONE);
    let answer =
        POSTERN.delete(cluster, &one("postern-report-1"), &json!({"propagationPolicy": "Background"})).await.unwrap();
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
            "type": "Normal", "reason": "R", "action": "A", "reportingController": "postern", "reportingInstance": "i",
            "regarding": {"apiVersion": about, "kind": "K", "name": "n", "namespace": TEAM},
        })
    };
    let named =
        |kind: &str, version: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"name": "postern-x"}});
    let bare = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "postern-x", "labels": {"app.kubernetes.io/managed-by": "postern"}},
        "spec": {"containers": [{"name": "sender", "image": IMAGE}]},
    });
    let record = |name: &str| {
        let labels = json!({"app.kubernetes.io/managed-by": "postern"});
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels},
            "data": {"usage": "{}"}, "binaryData": {"schedules": "AAAA"},
        })
    };
    let own = format!("/api/v1/namespaces/postern-system/configmaps{DRY}");
    POSTERN.create(cluster, &own, &record("postern-usage-other")).await.unwrap();
    let events = format!("/apis/events.k8s.io/v1/namespaces/{TEAM}/events");
    POSTERN.create(cluster, &format!("{events}{DRY}"), &event("postern.dev/v1alpha1")).await.unwrap();
    for (path, object) in [
        ("/apis/coordination.k8s.io/v1/namespaces/postern-system/leases".into(), lease("other")),
        ("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases".into(), lease("postern-operator")),
        (events, event("v1")),
        ("/api/v1/namespaces/kube-system/pods".into(), bare),
        ("/api/v1/namespaces/team/configmaps".into(), record("postern-usage-team")),
        ("/api/v1/namespaces/postern-system/configmaps".into(), record("postern-operator")),
        (
            "/api/v1/namespaces/postern-system/configmaps".into(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "postern-usage-team"}}),
        ),
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
