//! Requests in people's names, and how the policies answer them.

use hyper::Request;
use hyper::http::request::Builder;
use postern_e2e::{Cluster, OPERATOR, eventually};
use serde_json::{Value, json};

use super::{make, said};

/// Added to a path, it keeps the API server from storing what it accepts. Deletions say so in their options.
pub(super) const DRY: &str = "?dryRun=All";
/// The tenants' namespace.
pub(super) const TEAM: &str = "team";
/// They may do everything in the tenants' namespace, and nothing elsewhere.
pub(super) const ALICE: As = As { user: "alice", groups: &[] };
/// They may write schedules there, and nothing else.
pub(super) const DAVE: As = As { user: "dave", groups: &[] };
/// They may evict pods in all namespaces, and nothing else.
pub(super) const DRAINER: As = As { user: "drainer", groups: &[] };
/// They may do everything in the tenants' namespace, and override the lock.
pub(super) const CAROL: As = As { user: "carol", groups: &[] };
/// The operator's account, with every right that RBAC can give.
pub(super) const POSTERN: As = As { user: OPERATOR, groups: &[] };

/// Somebody, as the API server knows them.
#[derive(Clone, Copy)]
pub(super) struct As {
    pub user: &'static str,
    pub groups: &'static [&'static str],
}

/// What the API server stored, or why it refused.
pub(super) type Answer = Result<Value, String>;

impl As {
    pub async fn create(self, cluster: &Cluster, path: &str, object: &Value) -> Answer {
        self.send(cluster, Request::post(path).header("Content-Type", "application/json"), object).await
    }

    pub async fn replace(self, cluster: &Cluster, path: &str, object: &Value) -> Answer {
        self.send(cluster, Request::put(path).header("Content-Type", "application/json"), object).await
    }

    /// Changes an object by a strategic merge patch.
    pub async fn patch(self, cluster: &Cluster, path: &str, change: &Value) -> Answer {
        let strategic = Request::patch(path).header("Content-Type", "application/strategic-merge-patch+json");
        self.send(cluster, strategic, change).await
    }

    /// Changes an object by a merge patch, for kinds that support no strategic one.
    pub async fn merge(self, cluster: &Cluster, path: &str, change: &Value) -> Answer {
        self.send(cluster, Request::patch(path).header("Content-Type", "application/merge-patch+json"), change).await
    }

    /// Finds out whether an object could be deleted.
    pub async fn try_delete(self, cluster: &Cluster, path: &str) -> Answer {
        self.delete(cluster, path, &json!({"dryRun": ["All"]})).await
    }

    pub async fn delete(self, cluster: &Cluster, path: &str, options: &Value) -> Answer {
        self.send(cluster, Request::delete(path).header("Content-Type", "application/json"), options).await
    }

    async fn send(self, cluster: &Cluster, request: Builder, body: &Value) -> Answer {
        let mut request = request.header("Impersonate-User", self.user);
        for group in self.groups {
            request = request.header("Impersonate-Group", *group);
        }
        let request = request.body(body.to_string().into_bytes()).unwrap();
        cluster.client.request(request).await.map_err(|error| match error {
            kube::Error::Api(status) => status.message.clone(),
            other => panic!("{other}"),
        })
    }
}

/// The message with which a policy refused.
#[track_caller]
pub(super) fn refused_by(policy: &str, answer: Answer) -> String {
    let refusal = answer.map_or_else(|refusal| refusal, |stored| panic!("{policy} let it through: {stored}"));
    assert!(refusal.contains(&format!("ValidatingAdmissionPolicy '{policy}' with binding '{policy}'")), "{refusal}");
    said(&refusal).to_owned()
}

/// Makes the people and the namespace that they work in, and waits until the API server knows their rights.
pub(super) async fn admit(cluster: &Cluster) {
    cluster.run(&["kubectl", "create", "namespace", TEAM], "").unwrap();
    make(
        cluster,
        &[
            role("dave", "postern.dev", "webhookschedules", "*"),
            role("drainer", "", "pods/eviction", "create"),
            role("carol", "postern.dev", "children", "override"),
            binding("RoleBinding", "dave", "dave"),
            binding("ClusterRoleBinding", "drainer", "drainer"),
            binding("ClusterRoleBinding", "carol", "carol"),
            binding("RoleBinding", "alice-s-own", "alice"),
            binding("RoleBinding", "carol-s-own", "carol"),
            binding("ClusterRoleBinding", "operator-s-own", OPERATOR),
        ],
    );
    let may = ["kubectl", "auth", "can-i"];
    for (user, question) in [
        ("alice", &["create", "pods", "--namespace", TEAM][..]),
        ("dave", &["create", "webhookschedules", "--namespace", TEAM]),
        ("drainer", &["create", "pods", "--subresource=eviction", "--all-namespaces"]),
        ("carol", &["create", "pods", "--namespace", TEAM]),
        (OPERATOR, &["create", "pods", "--namespace", "kube-system"]),
    ] {
        let question = [&may[..], question, &["--as", user]].concat();
        eventually("the rights to be seen", async || cluster.run(&question, "")).await;
    }
}

/// Gives somebody every right in the tenants' namespace.
pub(super) async fn may_do_all_in_the_namespace(cluster: &Cluster, who: As) {
    let name = who.user.replace(':', "-") + "-s-own";
    make(cluster, &[binding("RoleBinding", &name, who.user)]);
    let question = ["kubectl", "auth", "can-i", "create", "pods", "--namespace", TEAM, "--as", who.user];
    eventually("the rights to be seen", async || cluster.run(&question, "")).await;
}

fn role(name: &str, group: &str, resource: &str, verb: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [{"apiGroups": [group], "resources": [resource], "verbs": [verb]}],
    })
}

/// Binds somebody to the role with this name, or to `cluster-admin` if the name says that the role is their own.
fn binding(kind: &str, name: &str, user: &str) -> Value {
    let role = if name.ends_with("-s-own") { "cluster-admin" } else { name };
    let namespace = (kind == "RoleBinding").then_some(TEAM);
    let group = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    })
}
