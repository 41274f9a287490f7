//! Each way in which a policy can be off, and the message that a user gets.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::operator::cache::Lean;

const ALL: [&str; 9] = [
    "postern-readable-secrets",
    "postern-lock-children",
    "postern-lock-names",
    "postern-lock-status",
    "postern-no-orphans",
    "postern-confine-operator",
    "postern-confine-senders",
    "postern-confine-egress",
    "postern-tier-label",
];

/// Policies and bindings, as the API server has them.
struct Cluster {
    policies: Vec<Value>,
    bindings: Vec<Value>,
}

impl Cluster {
    /// The policies as the chart makes them, with the defaults that the API server adds.
    fn installed() -> Self {
        let policy = |name| {
            let rules = [json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["pods"]})];
            let constraints = json!({
                "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}, "resourceRules": rules,
            });
            json!({"metadata": {"name": name}, "spec": {"failurePolicy": "Fail", "matchConstraints": constraints}})
        };
        let binding = |name| {
            let spec = json!({"policyName": name, "validationActions": ["Deny"]});
            json!({"metadata": {"name": name}, "spec": spec})
        };
        Self { policies: ALL.map(policy).into(), bindings: ALL.map(binding).into() }
    }

    /// The same, except for the first policy and its binding.
    fn with(policy: Value, binding: Value) -> Self {
        let mut cluster = Self::installed();
        merge(&mut cluster.policies[0]["spec"], policy);
        merge(&mut cluster.bindings[0]["spec"], binding);
        cluster
    }

    fn fact(&self) -> ConditionUpdate {
        AdmissionStatus::of(&read(&self.policies), &read(&self.bindings)).fact()
    }
}

fn read<K: DeserializeOwned>(objects: &[Value]) -> Vec<Arc<K>> {
    objects.iter().map(|object| Arc::new(serde_json::from_value(object.clone()).unwrap())).collect()
}

fn merge(spec: &mut Value, change: Value) {
    let Value::Object(change) = change else { return };
    spec.as_object_mut().unwrap().extend(change);
}

/// Why the first policy is off.
fn why(cluster: &Cluster) -> String {
    let fact = cluster.fact();
    assert_eq!((fact.kind, fact.status, &*fact.reason), ("Protected", "False", "PoliciesOff"));
    let why = fact.message.split_once("not in force: postern-readable-secrets (").unwrap().1;
    why.split_once(')').unwrap().0.to_owned()
}

#[test]
fn as_the_chart_makes_them_they_are_in_force() {
    let fact = Cluster::installed().fact();
    assert_eq!((fact.kind, fact.status, &*fact.reason), ("Protected", "True", "PoliciesInForce"));
    assert_eq!(fact.message, "Postern's admission policies are in force");
}

#[test]
fn without_any_a_user_reads_what_follows_and_what_to_do() {
    let fact = Cluster { policies: Vec::new(), bindings: Vec::new() }.fact();
    assert_eq!((fact.status, &*fact.reason), ("False", "PoliciesOff"));
    assert_eq!(
        fact.message,
        "not in force: postern-readable-secrets (missing), so that anyone who may create WebhookSchedules can send \
         any Secret of this namespace anywhere; postern-lock-children (missing), postern-lock-names (missing), \
         postern-lock-status (missing), postern-no-orphans (missing), so that tenants can change, imitate, enter or \
         orphan the objects that Postern makes; postern-confine-operator (missing), postern-confine-senders \
         (missing), postern-confine-egress (missing), so that the operator's account is not confined; \
         postern-tier-label (missing), so that anyone who may edit this Namespace can choose its tier. Ask an admin \
         of the cluster to set admissionPolicies.enabled, or to restore the chart's policies"
    );
}

#[test]
fn one_that_is_off_is_named_alone() {
    let mut cluster = Cluster::installed();
    cluster.bindings.retain(|binding| binding["metadata"]["name"] != "postern-lock-names");
    assert_eq!(
        cluster.fact().message,
        "not in force: postern-lock-names (no binding names it), so that tenants can change, imitate, enter or orphan \
         the objects that Postern makes. Ask an admin of the cluster to set admissionPolicies.enabled, or to restore \
         the chart's policies"
    );
}

#[test]
fn each_way_in_which_one_is_off_is_told() {
    let (same, rules) = (json!({}), json!([{"apiGroups": [""], "resources": ["pods"]}]));
    let selector = json!({"matchLabels": {"team": "a"}});
    let expression = json!({"matchExpressions": [{"key": "team", "operator": "Exists"}]});
    let fails_open = Cluster::with(json!({"failurePolicy": "Ignore"}), same.clone());
    assert_eq!(why(&fails_open), "its failurePolicy isn't Fail");
    for part in [
        json!({"namespaceSelector": selector}),
        json!({"objectSelector": expression}),
        json!({"excludeResourceRules": rules}),
    ] {
        let narrowed = Cluster::with(json!({"matchConstraints": part}), same.clone());
        assert_eq!(why(&narrowed), "it matches only some of the requests", "{part}");
        let bound_in_part = Cluster::with(same.clone(), json!({"matchResources": part}));
        assert_eq!(why(&bound_in_part), "its bindings cover only some of the requests", "{part}");
    }
    let by_tier = json!({"paramKind": {"apiVersion": "postern.dev/v1alpha1", "kind": "WebhookTier"}});
    for parameters in [
        Value::Null,
        json!({"name": "free", "parameterNotFoundAction": "Deny"}),
        json!({"selector": selector, "parameterNotFoundAction": "Deny"}),
        json!({"selector": {}, "parameterNotFoundAction": "Allow"}),
    ] {
        let of_some_parameters = Cluster::with(by_tier.clone(), json!({"paramRef": parameters}));
        assert_eq!(why(&of_some_parameters), "its bindings cover only some of the requests", "{parameters}");
    }
    let of_each_tier = json!({"paramRef": {"selector": {}, "parameterNotFoundAction": "Deny"}});
    assert_eq!(Cluster::with(by_tier, of_each_tier).fact().status, "True");
    let bound_in_part = Cluster::with(same.clone(), json!({"matchResources": {"resourceRules": rules}}));
    assert_eq!(why(&bound_in_part), "its bindings cover only some of the requests");
    for actions in [json!(["Audit"]), json!(["Warn", "Audit"])] {
        let told = Cluster::with(same.clone(), json!({"validationActions": actions}));
        assert_eq!(why(&told), "none of its bindings has the action Deny");
    }
    let bound_to_another = Cluster::with(same, json!({"policyName": "another"}));
    assert_eq!(why(&bound_to_another), "no binding names it");
}

#[test]
fn one_whole_binding_is_enough_by_whatever_name() {
    let mut cluster = Cluster::with(json!({}), json!({"validationActions": ["Audit"]}));
    let policy = json!({"policyName": ALL[0], "validationActions": ["Audit", "Deny"], "matchResources": {"namespaceSelector": {}}});
    cluster.bindings.push(json!({"metadata": {"name": "an-admin-s-own"}, "spec": policy}));
    assert_eq!(cluster.fact().status, "True");
}

#[test]
fn what_fails_closed_by_default_and_what_is_not_postern_s_changes_nothing() {
    let mut cluster = Cluster::with(json!({"failurePolicy": null}), json!({}));
    cluster.policies.push(json!({"metadata": {"name": "another"}, "spec": {"failurePolicy": "Ignore"}}));
    assert_eq!(cluster.fact().status, "True");
}

#[test]
fn what_cant_be_read_is_not_known() {
    let fact = AdmissionStatus::Unreadable.fact();
    assert_eq!((fact.kind, fact.status, &*fact.reason), ("Protected", "Unknown", "PoliciesUnreadable"));
    assert_eq!(
        fact.message,
        "the operator can't list ValidatingAdmissionPolicies and their bindings, so it can't say whether Postern's \
         are in force: ask an admin of the cluster to give it that right"
    );
    assert_eq!(AdmissionStatus::Unreadable.in_force().count(), 0);
}

#[test]
fn what_is_pruned_is_not_asked_for() {
    let policies = [include_str!("../../../../config/admission/readable-secrets.yaml")].map(|yaml| {
        let policy = yaml.split("\n---\n").next().unwrap();
        let policy = json!(serde_saphyr::from_str::<ValidatingAdmissionPolicy>(policy).unwrap());
        serde_json::from_value::<Lean<ValidatingAdmissionPolicy>>(policy).unwrap().0
    });
    assert!(json!(policies).to_string().len() < 500);
    let cluster = Cluster::installed();
    let [policy] = policies;
    let policies = [vec![Arc::new(policy)], read(&cluster.policies[1..])].concat();
    assert_eq!(AdmissionStatus::of(&policies, &read(&cluster.bindings)).fact().status, "True");
}

#[test]
fn the_policies_are_those_of_the_chart_but_for_those_that_the_operator_can_do_without() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/postern/templates");
    let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let name = |template: String| {
        let (_, policy) = template.split_once("kind: ValidatingAdmissionPolicy\nmetadata:\n  name: ")?;
        Some(policy.lines().next().unwrap().to_owned())
    };
    let names = files.filter_map(name);
    let mut shipped: Vec<_> =
        names.filter(|name| !matches!(name.as_str(), "postern-tier-rules" | "postern-schedule-size")).collect();
    let mut known: Vec<_> = GUARANTEES.iter().flat_map(|promise| promise.policies).copied().collect();
    known.sort_unstable();
    shipped.sort_unstable();
    assert_eq!(known, shipped);
}

#[test]
fn each_reason_is_in_the_docs() {
    let page = include_str!("../../../../docs/reasons.md");
    for protection in [AdmissionStatus::Known(Vec::new()), AdmissionStatus::of(&[], &[]), AdmissionStatus::Unreadable] {
        let reason = protection.fact().reason;
        assert!(page.contains(&format!("| `{reason}` |")), "docs/reasons.md lacks {reason}");
    }
}
