//! Whoever makes a schedule or changes its spec must be allowed to read the Secrets that it names.

use postern_e2e::{Cluster, eventually};
use serde_json::{Value, json};

use super::children::SCHEDULES;
use super::make;
use super::people::{ALICE, Answer, As, DAVE, DRY, POSTERN, TEAM, refused_by};
use crate::api::submit::Draft;

const POLICY: &str = "postern-readable-secrets";

fn words(secret: &str) -> String {
    format!(
        "the schedule uses Secret {secret}, which you may not read: use a Secret that you may get, or ask an admin of the \
         namespace for permission to get this one"
    )
}

fn path(rest: &str) -> String {
    format!("{SCHEDULES}{rest}")
}

pub(super) async fn all(cluster: &Cluster) {
    let Draft(theirs) = full();
    refused_by(POLICY, DAVE.create(cluster, &path(DRY), &theirs).await);
    ALICE.create(cluster, &path(DRY), &theirs).await.unwrap();

    each_of_sixteen_secrets_must_be_readable(cluster).await;
    a_change_of_the_spec_is_held_to_the_same(cluster).await;
    keys_that_postern_made_count_while_they_sign(cluster).await;
}

/// Names as many Secrets as a spec can, in every place that a spec has for them. Each Secret is called after its field.
fn full() -> Draft {
    let secret = |name: &str| json!({"secretKeyRef": {"name": name, "key": "k"}});
    let headers = ["h-1", "h-2", "h-3", "h-4"];
    let keys: Vec<Value> = (1..=8).map(|number| secret(&format!("key-{number}"))).collect();
    Draft::schedule()
        .with("spec.target.urlFrom", secret("url"))
        .with("spec.target.headers", headers.map(|name| json!({"name": name, "valueFrom": secret(name)})).into())
        .with(
            "spec.target.tls",
            json!({"caBundleFrom": secret("ca"), "clientCertificateFrom": {"secretRef": {"name": "mtls"}}}),
        )
        .with("spec.body", secret("body"))
        .with("spec.signing.keysFrom", keys.into())
}

const NAMES: [&str; 16] = [
    "url", "ca", "mtls", "body", "h-1", "h-2", "h-3", "h-4", "key-1", "key-2", "key-3", "key-4", "key-5", "key-6",
    "key-7", "key-8",
];

/// Lets dave read the Secrets with these names.
fn readable(names: &[&str]) -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    let metadata = json!({"name": "dave-reads", "namespace": TEAM});
    [
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": names}],
        }),
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "dave-reads"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "dave"}],
        }),
    ]
}

/// Waits until the API server knows dave's rights, and therefore gives this answer.
async fn answers(what: &str, cluster: &Cluster, draft: &Value, expected: Result<(), &str>) {
    eventually(what, async || match (DAVE.create(cluster, &path(DRY), draft).await, expected) {
        (Ok(_), Ok(())) => Ok(()),
        (Err(refusal), Err(secret)) if refusal.ends_with(&words(secret)) => Ok(()),
        (other, _) => Err(other),
    })
    .await;
}

async fn each_of_sixteen_secrets_must_be_readable(cluster: &Cluster) {
    let Draft(theirs) = full();
    make(cluster, &readable(&NAMES));
    answers("all of them to be readable", cluster, &theirs, Ok(())).await;
    for missing in NAMES {
        let others: Vec<&str> = NAMES.into_iter().filter(|name| *name != missing).collect();
        make(cluster, &readable(&others));
        answers(missing, cluster, &theirs, Err(missing)).await;
    }
    // Neither a ConfigMap nor a literal value asks for a right to Secrets.
    make(cluster, &readable(&["hook"]));
    let map = json!({"configMapKeyRef": {"name": "map", "key": "k"}});
    let Draft(mapped) = Draft::schedule()
        .with("spec.body", map.clone())
        .with("spec.target.tls", json!({"caBundleFrom": map}))
        .with("spec.target.headers", json!([{"name": "a", "value": "b"}, {"name": "c", "valueFrom": map}]));
    answers("ConfigMaps to be nobody's concern", cluster, &mapped, Ok(())).await;
}

async fn a_change_of_the_spec_is_held_to_the_same(cluster: &Cluster) {
    let Draft(alices) = Draft::schedule().with("spec.target.urlFrom.secretKeyRef.name", json!("url"));
    ALICE.create(cluster, &path(""), &alices).await.unwrap();
    let change = async |change: Value| -> Answer { DAVE.merge(cluster, &path(&format!("/draft{DRY}")), &change).await };
    // Dave may read `hook`; the schedule names `url`, too.
    let stolen = json!({"spec": {"body": {"secretKeyRef": {"name": "other", "key": "k"}}}});
    assert_eq!(refused_by(POLICY, change(stolen).await), words("url"));
    assert_eq!(refused_by(POLICY, change(json!({"spec": {"suspend": true}})).await), words("url"));
    let his_own = json!({"spec": {"target": {"urlFrom": {"secretKeyRef": {"name": "hook"}}}}});
    change(his_own).await.unwrap();
    // The spec stays the same.
    change(json!({"metadata": {"annotations": {"postern.dev/trigger": "1"}, "finalizers": ["example.com/hold"]}}))
        .await
        .unwrap();
    let status = path(&format!("/draft/status{DRY}"));
    POSTERN.merge(cluster, &status, &json!({"status": {"tier": "usual"}})).await.unwrap();
    DAVE.delete(cluster, &path("/draft"), &json!({})).await.unwrap();
}

/// Otherwise a user could make the keys sign anything, and pass it on as the schedule's own delivery.
async fn keys_that_postern_made_count_while_they_sign(cluster: &Cluster) {
    let Draft(alices) = Draft::schedule().with("spec.signing", json!({"managed": {}}));
    ALICE.create(cluster, &path(""), &alices).await.unwrap();
    let key = |name: &str, state: &str| json!({"fingerprint": "sha256:00000000", "state": state, "secretName": name});
    let keys = [("new", "Pending"), ("active", "Active"), ("retiring", "Retiring"), ("old", "Retired")];
    let keys = keys.map(|(name, state)| key(name, state));
    let status = json!({"status": {"signingKeys": keys}});
    POSTERN.merge(cluster, &path("/draft/status"), &status).await.unwrap();

    let change = async |who: As, spec: Value| -> Answer {
        who.merge(cluster, &path(&format!("/draft{DRY}")), &json!({"spec": spec})).await
    };
    let retarget = json!({"target": {"urlFrom": {"secretKeyRef": {"key": "other"}}}});
    for (readable_names, refused) in [
        (&["hook"][..], Some("active")),
        (&["hook", "active"], Some("retiring")),
        (&["hook", "active", "retiring"], None),
    ] {
        make(cluster, &readable(readable_names));
        eventually("his rights to be seen", async || match (change(DAVE, retarget.clone()).await, refused) {
            (Ok(_), None) => Ok(()),
            (Err(refusal), Some(secret)) if refusal.ends_with(&words(secret)) => Ok(()),
            (other, _) => Err(other),
        })
        .await;
    }
    make(cluster, &readable(&["hook"]));
    eventually("his rights to be gone", async || match change(DAVE, retarget.clone()).await {
        Err(_) => Ok(()),
        stored => Err(stored),
    })
    .await;
    // It signs with the user's own key, and with none of Postern's.
    let keys_from = json!([{"secretKeyRef": {"name": "hook", "key": "signing-key"}}]);
    change(DAVE, json!({"signing": {"managed": null, "keysFrom": keys_from}})).await.unwrap();
    change(ALICE, retarget).await.unwrap();
    ALICE.delete(cluster, &path("/draft"), &json!({})).await.unwrap();
}
