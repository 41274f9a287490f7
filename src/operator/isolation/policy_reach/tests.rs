//! Policies as their authors write them, next to the one that Postern makes for a usual tier.

use serde_json::{Value, json};

use super::*;
use crate::egress::Rules;
use crate::operator::build::namespace_children;
use crate::operator::test_support::objects::settings;

fn own(allowed: &[&str]) -> NetworkPolicySpec {
    let allowed_cidrs = allowed.iter().map(|net| net.parse().unwrap()).collect();
    let rules = Rules { denied_cidrs: settings().cluster_cidrs, allowed_cidrs, ..Rules::default() };
    namespace_children("team-a", &rules, &settings()).network_policy.spec.unwrap()
}

/// Whether a policy with this selector and this egress lets senders reach more.
fn widens_with(allowed: &[&str], selector: &Value, egress: &Value) -> bool {
    let other = json!({"spec": {"podSelector": selector, "policyTypes": ["Egress"], "egress": egress}});
    EgressPolicy::of(&own(allowed)).is_widened_by(&serde_json::from_value(other).unwrap())
}

fn widens(egress: &Value) -> bool {
    widens_with(&[], &json!({}), egress)
}

#[test]
fn what_opens_an_internal_address_or_any_pod_widens() {
    for egress in [
        json!([{}]),
        json!([{"ports": [{"port": 443}]}]),
        json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]),
        json!([{"to": [{"ipBlock": {"cidr": "10.244.7.0/24"}}]}]),
        json!([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]),
        json!([{"to": [{"ipBlock": {"cidr": "::/0"}}]}]),
        json!([{"to": [{"ipBlock": {"cidr": "fc00::/7"}}]}]),
        json!([{"to": [{"ipBlock": {"cidr": "10.96.0.10/32"}}]}]),
        json!([{"to": [{"podSelector": {}}]}]),
        json!([{"to": [{"namespaceSelector": {}}]}]),
        json!([{"ports": [{"port": 53, "endPort": 6443, "protocol": "TCP"}]}]),
    ] {
        assert!(widens(&egress), "{egress}");
    }
}

#[test]
fn what_opens_nothing_or_names_or_public_addresses_alone_does_not_widen() {
    for egress in [
        json!([]),
        json!([{"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}]),
        json!([{"to": [{"ipBlock": {"cidr": "203.0.112.0/24"}}]}]),
        json!([{"to": [{"ipBlock": {"cidr": "8.0.0.0/8"}}], "ports": [{"port": 25}]}]),
        json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/15", "except": ["10.0.0.0/16", "10.1.0.0/16"]}}]}]),
    ] {
        assert!(!widens(&egress), "{egress}");
    }
}

#[test]
fn what_the_tier_opens_itself_does_not_widen() {
    let egress = json!([{"to": [{"ipBlock": {"cidr": "10.1.2.0/24"}}]}]);
    assert!(widens(&egress));
    assert!(!widens_with(&["10.1.0.0/16"], &json!({}), &egress));
    assert!(widens_with(&["10.1.0.0/16"], &json!({}), &json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])));
    // Everything except the cluster's own pods.
    assert!(!widens_with(&["10.0.0.0/8"], &json!({}), &egress));
    assert!(widens_with(&["10.0.0.0/8"], &json!({}), &json!([{"to": [{"ipBlock": {"cidr": "10.244.7.0/24"}}]}])));
}

#[test]
fn a_policy_of_other_pods_or_of_what_comes_in_does_not_widen() {
    let all = json!([{}]);
    let selects = |selector: Value| widens_with(&[], &selector, &all);
    let requires = |key: &str, operator: &str, values: &[&str]| {
        selects(json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}))
    };
    assert!(!selects(json!({"matchLabels": {"app": "web"}})));
    assert!(selects(json!({"matchLabels": {"postern.dev/role": "sender"}})));
    assert!(!selects(json!({"matchLabels": {"postern.dev/role": "sender", "app": "web"}})));
    assert!(selects(json!({"matchLabels": {"postern.dev/schedule": "any"}})), "of one of them");
    assert!(!requires("postern.dev/role", "NotIn", &["sender"]));
    assert!(!requires("app.kubernetes.io/managed-by", "DoesNotExist", &[]));
    assert!(!requires("app", "Exists", &[]));
    assert!(requires("app", "NotIn", &["web"]));
    assert!(requires("job-name", "Exists", &[]));
    let ingress = json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}], "egress": [{}]}});
    assert!(!EgressPolicy::of(&own(&[])).is_widened_by(&serde_json::from_value(ingress).unwrap()));
    let untold = json!({"spec": {"podSelector": {}, "egress": [{}]}});
    assert!(EgressPolicy::of(&own(&[])).is_widened_by(&serde_json::from_value(untold).unwrap()));
}

#[test]
fn the_own_policy_opens_the_world_on_its_ports_and_what_the_tier_allows() {
    let (usual, wide) = (own(&[]), own(&["10.1.0.0/16"]));
    let opens = |spec: &NetworkPolicySpec, to: &str| EgressPolicy::of(spec).opens(to.parse().unwrap());
    assert!(opens(&usual, "203.0.112.1:443") && !opens(&usual, "203.0.112.1:80"));
    assert!(!opens(&usual, "10.1.0.1:443") && opens(&wide, "10.1.0.1:443") && !opens(&wide, "10.244.0.1:443"));
    assert!(opens(&usual, "10.96.0.10:53") && !opens(&usual, "10.96.0.10:9153"));
}
