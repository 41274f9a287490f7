//! Who may put a namespace in a tier, when tenants may edit their Namespace.

use hyper::Request;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use postern::api::TIER_LABEL;
use postern_e2e::{Cluster, eventually};
use serde_json::{Value, json};

use super::{make, words};

const WORDS: &str = "only those who may update webhooktiers.postern.dev may set, change or remove the label \
    postern.dev/tier: ask an admin of the cluster to do it";

/// They may do everything to namespaces, and everything to tiers except update them.
const TENANT: &str = "alice";
/// They may do the same, and update tiers. Nobody here has the rights of the cluster's admin, whom RBAC allows everything.
const ADMIN: &str = "carol";

/// The ways to write a Namespace.
const WAYS: [&str; 3] = ["", "/status", "/finalize"];

pub(super) async fn all(cluster: &Cluster) {
    make(cluster, &[namespace("unlabelled", None), namespace("labelled", Some("premium"))]);
    make(cluster, &[role(TENANT, &["get", "create", "patch", "delete"]), role(ADMIN, &["update"])].concat());
    for user in [TENANT, ADMIN] {
        let write = async || replace(cluster, user, "", namespace("unlabelled", None)).await;
        eventually("the user's rights to be seen", write).await;
    }
    for way in WAYS {
        no_tenant_can_set_change_or_remove_the_label_and_an_admin_can(cluster, way).await;
        a_tenant_can_write_whatever_else_there_is(cluster, way).await;
    }
    a_tenant_can_make_a_namespace_in_the_default_tier_alone(cluster).await;
    a_labelled_namespace_can_be_deleted(cluster).await;
}

fn namespace(name: &str, tier: Option<&str>) -> Value {
    let labels = tier.map(|tier| json!({TIER_LABEL: tier}));
    json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
    })
}

/// A user's rights to all namespaces, and these rights to tiers.
fn role(user: &str, tiers: &[&str]) -> Vec<Value> {
    let (group, resources) = ("rbac.authorization.k8s.io", WAYS.map(|way| format!("namespaces{way}")));
    vec![
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRole", "metadata": {"name": user},
            "rules": [
                {"apiGroups": [""], "resources": resources, "verbs": ["get", "create", "update", "patch", "delete"]},
                {"apiGroups": ["postern.dev"], "resources": ["webhooktiers"], "verbs": tiers},
            ],
        }),
        json!({
            "apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": user},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": user},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        }),
    ]
}

/// What the API server would make of a Namespace that a user writes in this way, or why it refuses.
async fn replace(cluster: &Cluster, user: &str, way: &str, namespace: Value) -> Result<Value, String> {
    let url = format!("/api/v1/namespaces/{}{way}", namespace["metadata"]["name"].as_str().unwrap());
    dry_run(cluster, Request::put(url + "?dryRun=All"), user, namespace).await
}

async fn create(cluster: &Cluster, user: &str, namespace: Value) -> Result<Value, String> {
    dry_run(cluster, Request::post("/api/v1/namespaces?dryRun=All"), user, namespace).await
}

async fn dry_run(
    cluster: &Cluster,
    to: hyper::http::request::Builder,
    user: &str,
    namespace: Value,
) -> Result<Value, String> {
    let request = to.header("Impersonate-User", user).header("Content-Type", "application/json");
    let request = request.body(namespace.to_string().into_bytes()).unwrap();
    cluster.client.request(request).await.map_err(words)
}

async fn no_tenant_can_set_change_or_remove_the_label_and_an_admin_can(cluster: &Cluster, way: &str) {
    for (name, tier) in [
        ("unlabelled", Some("premium")),
        ("unlabelled", Some("")),
        ("labelled", Some("unlimited")),
        ("labelled", Some("")),
        ("labelled", None),
    ] {
        let refusal = replace(cluster, TENANT, way, namespace(name, tier)).await;
        assert_eq!(refusal.unwrap_err(), WORDS, "{name}{way} to {tier:?}");
        let stored = replace(cluster, ADMIN, way, namespace(name, tier)).await.unwrap();
        assert_eq!(stored["metadata"]["labels"][TIER_LABEL].as_str(), tier, "{name}{way}");
    }
}

async fn a_tenant_can_write_whatever_else_there_is(cluster: &Cluster, way: &str) {
    for (name, tier) in [("unlabelled", None), ("labelled", Some("premium"))] {
        let mut changed = namespace(name, tier);
        changed["metadata"]["labels"]["owner"] = json!("alice");
        let stored = replace(cluster, TENANT, way, changed).await.unwrap();
        assert_eq!(stored["metadata"]["labels"]["owner"], "alice", "{name}{way}");
    }
}

async fn a_tenant_can_make_a_namespace_in_the_default_tier_alone(cluster: &Cluster) {
    for tier in ["premium", ""] {
        assert_eq!(create(cluster, TENANT, namespace("new", Some(tier))).await.unwrap_err(), WORDS, "{tier:?}");
        create(cluster, ADMIN, namespace("new", Some(tier))).await.unwrap();
    }
    create(cluster, TENANT, namespace("new", None)).await.unwrap();
}

async fn a_labelled_namespace_can_be_deleted(cluster: &Cluster) {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    namespaces.delete("labelled", &DeleteParams::default()).await.unwrap();
    eventually("the namespace to be gone", async || {
        namespaces.get_opt("labelled").await.unwrap().map_or(Ok(()), |left| Err(left.status))
    })
    .await;
}
