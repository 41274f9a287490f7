//! Which rights the installation gives to the operator and to users.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::install::objects::{NAMESPACE, Objects, chart, kustomize, text};

const NAMESPACED: [&str; 2] = ["--set", "watchNamespaces={team-a,team-b}"];

fn modes() -> [Objects; 3] {
    [chart(&[]), chart(&NAMESPACED), kustomize("default")]
}

/// Each rule of a role as `group/resource verb`, with the names that it is limited to.
fn rights(role: &Value) -> BTreeSet<String> {
    let list = |rule: &Value, field: &str| -> Vec<String> {
        rule[field].as_array().into_iter().flatten().map(|value| value.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        let names = list(rule, "resourceNames").join(",");
        for group in list(rule, "apiGroups") {
            for resource in list(rule, "resources") {
                all.extend(
                    list(rule, "verbs").iter().map(|verb| format!("{group}/{resource} {verb} {names}").trim().into()),
                );
            }
        }
    }
    all
}

fn roles(objects: &Objects) -> impl Iterator<Item = (&str, &Value)> {
    objects
        .iter()
        .filter(|(_, object)| text(object, "/kind").ends_with("Role"))
        .map(|(key, object)| (key.as_str(), object))
}

#[test]
fn nobody_is_given_a_right_to_read_secrets_or_to_everything() {
    for objects in modes() {
        let (mut seen, mut of_secrets) = (0, BTreeSet::new());
        for (key, role) in roles(&objects) {
            for right in rights(role) {
                seen += 1;
                assert!(!right.contains('*'), "{key}: {right}");
                if right.to_lowercase().contains("secret") {
                    of_secrets.insert((text(role, "/metadata/name").to_owned(), right));
                }
            }
        }
        assert!(seen > 40, "{seen} rights");
        let expected = ["/secrets create", "/secrets delete"].map(|right| ("postern-operator".into(), right.into()));
        assert_eq!(of_secrets, expected.into());
    }
}

#[test]
fn with_watched_namespaces_only_what_no_role_can_give_is_given_for_the_whole_cluster() {
    let objects = chart(&NAMESPACED);
    let cluster = rights(&objects["ClusterRole  postern-operator"]);
    let expected = [
        "/namespaces list",
        "/namespaces watch",
        "admissionregistration.k8s.io/validatingadmissionpolicies get",
        "admissionregistration.k8s.io/validatingadmissionpolicies list",
        "admissionregistration.k8s.io/validatingadmissionpolicies watch",
        "admissionregistration.k8s.io/validatingadmissionpolicybindings get",
        "admissionregistration.k8s.io/validatingadmissionpolicybindings list",
        "admissionregistration.k8s.io/validatingadmissionpolicybindings watch",
        "authentication.k8s.io/tokenreviews create",
        "authorization.k8s.io/subjectaccessreviews create",
        "postern.dev/webhooktiers list",
        "postern.dev/webhooktiers watch",
        "postern.dev/webhooktiers/status update",
    ];
    assert_eq!(cluster, expected.map(String::from).into());

    let kinds: Vec<&str> = objects.keys().map(String::as_str).filter(|key| key.starts_with("Cluster")).collect();
    let users = ["postern-edit", "postern-metrics-reader", "postern-operator", "postern-view"];
    let mut expected: Vec<String> = users.map(|name| format!("ClusterRole  {name}")).into();
    expected.push("ClusterRoleBinding  postern-operator".into());
    assert_eq!(kinds, expected);

    // Together they equal the one role of the other mode, except for the right that shows where the load balancers of all
    // namespaces are.
    let mut whole = rights(&chart(&[])["ClusterRole  postern-operator"]);
    for right in ["/services list", "/services watch"] {
        assert!(whole.remove(right), "{right}");
    }
    for namespace in ["team-a", "team-b"] {
        let role = rights(&objects[&format!("Role {namespace} postern-operator")]);
        assert_eq!(cluster.union(&role).cloned().collect::<BTreeSet<_>>(), whole);
        assert_eq!(
            text(&objects[&format!("RoleBinding {namespace} postern-operator")], "/subjects/0/namespace"),
            NAMESPACE
        );
    }
}

#[test]
fn in_its_own_namespace_the_operator_has_rights_to_its_own_lease_records_and_deployment_alone() {
    for objects in modes() {
        let role = rights(&objects[&format!("Role {NAMESPACE} postern-operator-self")]);
        let expected = [
            "/configmaps create",
            "/configmaps delete",
            "/configmaps get",
            "/configmaps list",
            "/configmaps update",
            "apps/deployments/scale patch postern-operator",
            "coordination.k8s.io/leases create",
            "coordination.k8s.io/leases get postern-operator",
            "coordination.k8s.io/leases update postern-operator",
        ];
        assert_eq!(role, expected.map(String::from).into());
    }
}

#[test]
fn in_the_default_namespace_the_operator_may_see_where_the_api_server_is_and_nothing_else() {
    for objects in modes() {
        let role = rights(&objects["Role default postern-operator-api-server"]);
        let expected = [
            "/services list kubernetes",
            "/services watch kubernetes",
            "discovery.k8s.io/endpointslices list",
            "discovery.k8s.io/endpointslices watch",
        ];
        assert_eq!(role, expected.map(String::from).into());
    }
}

#[test]
fn users_may_write_schedules_where_they_may_edit_and_their_status_nowhere() {
    for objects in modes() {
        for (name, verbs, roles) in [
            ("postern-view", &["get", "list", "watch"][..], &["view", "edit", "admin"][..]),
            ("postern-edit", &["create", "update", "patch", "delete", "deletecollection"], &["edit", "admin"]),
        ] {
            let role = &objects[&format!("ClusterRole  {name}")];
            let expected = verbs.iter().map(|verb| format!("postern.dev/webhookschedules {verb}")).collect();
            assert_eq!(rights(role), expected);
            for aggregate in ["view", "edit", "admin"] {
                let label =
                    text(role, &format!("/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-{aggregate}"));
                assert_eq!(label, if roles.contains(&aggregate) { "true" } else { "" }, "{name} {aggregate}");
            }
        }
    }
}
