//! What is kept of objects that their authors made as large as they like.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::egress::Rules as EgressRules;
use crate::operator::build::namespace_children;
use crate::operator::cache::Lean;
use crate::operator::test_support::objects::{schedule, settings};

/// An object as a watch reads it.
fn read<K: Prune + DeserializeOwned>(text: &str) -> K {
    serde_json::from_str::<Lean<K>>(text).unwrap().0
}

fn read_value<K: Prune + DeserializeOwned>(value: &Value) -> K {
    read(&value.to_string())
}

/// A policy of this name that allows egress from all pods by these rules.
fn policy(name: &str, rules: &str) -> NetworkPolicy {
    read(&format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"team-a"}},
            "spec":{{"podSelector":{{}},"ingress":[{rules}],"egress":[{rules}],"policyTypes":["Ingress","Egress"]}}}}"#
    ))
}

fn size(object: &impl serde::Serialize) -> usize {
    json!(object).to_string().len()
}

fn many(element: &str, count: usize) -> String {
    vec![element; count].join(",")
}

#[test]
fn a_policy_that_is_too_large_counts_as_one_that_opens_everything_and_costs_next_to_nothing() {
    let block = r#"{"to":[{"ipBlock":{"cidr":"203.0.113.0/24"}}]}"#;
    // Rules for name servers open nothing, but another rule may follow them.
    let behind = format!("{},{{}}", many(r#"{"ports":[{"port":53}]}"#, 30_000));
    for rules in [many("{}", 700_000), many(r#"{"to":[{}]}"#, 200_000), many(block, 101), many(block, 30_000), behind] {
        let policy = policy("large", &rules);
        let spec = policy.spec.as_ref().unwrap();
        assert_eq!(spec.egress.as_deref(), Some(&[NetworkPolicyEgressRule::default()][..]));
        assert!(policy.is_needed() && size(&policy) < 300, "{}", size(&policy));
    }
    let selector = format!(
        r#"{{"matchLabels":{{{}}}}}"#,
        (0..30_000).map(|n| format!(r#""{n}":"""#)).collect::<Vec<_>>().join(",")
    );
    let text = format!(r#"{{"metadata":{{"name":"x"}},"spec":{{"podSelector":{selector},"egress":[{{}}]}}}}"#);
    let policy: NetworkPolicy = read(&text);
    assert!(policy.is_needed() && size(&policy) < 300, "{policy:?}");
}

#[test]
fn nothing_is_kept_of_policies_that_let_no_sender_out() {
    let ingress = json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]});
    let others = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [{}]});
    let dns = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": 53}]}]});
    let closed = json!({"podSelector": {}, "policyTypes": ["Egress"]});
    for spec in [ingress, others, dns, closed] {
        let policy: NetworkPolicy = read_value(&json!({"metadata": {"name": "x"}, "spec": spec}));
        assert!(!policy.is_needed(), "{policy:?}");
    }
}

#[test]
fn blocks_are_kept_and_nothing_else_of_who_made_a_policy() {
    let policy =
        policy("few", r#"{"to":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}],"ports":[{"port":5432}]}"#);
    let spec = json!({
        "policyTypes": ["Egress"], "podSelector": null,
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}],
    });
    let found = json!(policy);
    assert_eq!(found["metadata"], json!({"name": "few", "namespace": "team-a"}));
    assert_eq!(found["spec"]["egress"], spec["egress"]);
}

#[test]
fn the_senders_policy_is_read_whole_however_much_a_tier_opens() {
    let nets = |first: u8| (0..64).map(move |n| format!("{first}.{n}.0.0/16").parse().unwrap());
    let rules = EgressRules {
        denied_cidrs: (0..64).map(|n| format!("10.{n}.7.0/24").parse().unwrap()).collect(),
        allowed_cidrs: nets(10).collect(),
        ..EgressRules::default()
    };
    let built = namespace_children("team-a", &rules, &settings());
    let policy: NetworkPolicy = read_value(&json!(built.network_policy));
    assert_eq!(policy, built.network_policy);
    let account: ServiceAccount = read_value(&json!(built.service_account));
    assert_eq!(account, built.service_account);
}

#[test]
fn what_somebody_adds_to_the_senders_policy_is_seen() {
    let built = namespace_children("team-a", &EgressRules::default(), &settings()).network_policy;
    for rules in [r#""ingress":[{}],"#.to_owned(), format!(r#""ingress":[{}],"#, many("{}", 700_000))] {
        let text = json!(built).to_string().replacen(r#""spec":{"#, &format!(r#""spec":{{{rules}"#), 1);
        let policy: NetworkPolicy = read(&text);
        assert_ne!(policy.spec, built.spec);
        assert!(size(&policy) < 32 * 1024, "{}", size(&policy));
    }
}

#[test]
fn a_schedule_keeps_no_annotations_but_posterns_and_these_cut() {
    let mut schedule = json!(schedule());
    let others = (0..36_000).map(|n| (format!("a{n}"), json!("")));
    let annotations: serde_json::Map<_, _> = others.collect();
    schedule["metadata"]["annotations"] = annotations.into();
    schedule["metadata"]["annotations"][TRIGGER_ANNOTATION] = json!("é".repeat(100_000));
    schedule["metadata"]["annotations"][SUSPEND_ANNOTATION] = json!("true");
    schedule["metadata"]["labels"] =
        (0..36_000).map(|n| (format!("l{n}"), json!("x"))).collect::<serde_json::Map<_, _>>().into();
    schedule["metadata"]["finalizers"] = json!(vec!["example.com/finalizer"; 10_000]);
    let read: WebhookSchedule = read_value(&schedule);
    assert_eq!(read.annotations().keys().collect::<Vec<_>>(), [SUSPEND_ANNOTATION, TRIGGER_ANNOTATION]);
    assert!(read.annotations()[TRIGGER_ANNOTATION].starts_with(&"é".repeat(500)));
    assert!(size(&read.metadata) < 6 * 1024, "{}", size(&read.metadata));
    assert_eq!(json!(read.spec), schedule["spec"]);
}

#[test]
fn a_schedule_with_the_longest_body_is_read_whole() {
    let mut schedule = json!(schedule());
    schedule["spec"]["body"] = json!({"contentType": "application/json", "inline": "x".repeat(64 * 1024)});
    let read: WebhookSchedule = read_value(&schedule);
    assert_eq!(json!(read.spec), schedule["spec"]);
}

#[test]
fn a_job_and_its_pods_keep_neither_the_body_that_they_send_nor_who_wrote_them() {
    let large = "x".repeat(60_000);
    let template = json!({"metadata": {"annotations": {"postern.dev/delivery": large}}});
    let managed = json!([{"manager": "m", "fieldsV1": {"f:spec": {}}}]);
    let job: Job = read_value(&json!({
        "metadata": {"annotations": {TRIGGER_ANNOTATION: "now", CHECK_ANNOTATION: "", "other": large}, "managedFields": managed},
        "spec": {"template": template, "backoffLimit": 3},
    }));
    let pod: Pod = read_value(&json!({
        "metadata": {"annotations": {"postern.dev/delivery": large}, "managedFields": managed},
        "spec": {"containers": [{"name": large}]},
        "status": {"phase": "Running"},
    }));
    assert!(size(&[json!(job), json!(pod)]) < 300);
    assert_eq!(job.annotations()[TRIGGER_ANNOTATION], "now");
    assert!(job.annotations().contains_key(CHECK_ANNOTATION));
    assert_eq!(job.spec.unwrap().backoff_limit, Some(3));
    assert!(pod.status.is_some());
}

#[test]
fn a_service_account_says_that_postern_wrote_it_whoever_else_did() {
    let others = (0..10_000).map(|n| json!({"manager": format!("m{n}"), "fieldsV1": {"f:metadata": {}}}));
    let managed: Vec<_> = others.chain([json!({"manager": "postern", "fieldsV1": {"f:metadata": {}}})]).collect();
    let account: ServiceAccount = read_value(&json!({"metadata": {"managedFields": managed}}));
    assert_eq!(json!(account)["metadata"]["managedFields"], json!([{"manager": "postern"}]));
}

#[test]
fn the_controller_is_found_among_any_number_of_owners_and_posterns_labels_among_any_others() {
    let owner = |uid: String, controller: bool| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "x".repeat(253), "uid": uid, "controller": controller});
    let others = (0..5_000).map(|n| owner(format!("{n}"), false));
    let owners: Vec<_> = others.chain([owner("the-controller".into(), true)]).collect();
    let mut labels: serde_json::Map<_, _> = (0..5_000).map(|n| (format!("a{n}"), json!("x"))).collect();
    labels.insert("postern.dev/schedule".into(), json!("report"));
    let job: Job = read_value(&json!({"metadata": {"ownerReferences": owners, "labels": labels}}));
    let found = job.owner_references();
    assert_eq!((found.len(), found[8].uid.as_str()), (9, "the-controller"));
    assert_eq!(job.labels()["postern.dev/schedule"], "report");
    // Enough labels remain to show that the object was changed.
    assert!((2..100).contains(&job.labels().len()), "{}", job.labels().len());
}

#[test]
fn others_annotations_on_what_is_written_again_are_kept_as_far_as_there_is_room() {
    let text = json!({"metadata": {"annotations": {
        "example.com/kept": "yes", "kubectl.kubernetes.io/last-applied-configuration": "{}", "large": "x".repeat(100_000),
    }}});
    let cron_job: CronJob = read_value(&text);
    assert_eq!(json!(cron_job.annotations()), json!({"example.com/kept": "yes"}));
}

#[test]
fn no_address_counts_as_the_clusters_choice_where_a_service_was_not_read_whole() {
    let ingress = json!([{"ip": "203.0.113.7"}]);
    for size in [0, 100_000] {
        let service: Service = read_value(&json!({
            "metadata": {"annotations": {"example.com/address": format!("{}203.0.113.7", " ".repeat(size))}},
            "spec": {"type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": ingress}},
        }));
        assert_eq!(service.status.unwrap().load_balancer.is_some(), size == 0);
    }
}

#[test]
fn a_namespace_keeps_its_tier() {
    let namespace: PartialObjectMeta<Namespace> = read_value(&json!({
        "metadata": {"name": "team-a", "labels": {"postern.dev/tier": "premium"}, "annotations": {"a": "x".repeat(100_000)}},
        "spec": {"finalizers": ["kubernetes"]},
    }));
    assert_eq!(namespace.labels()["postern.dev/tier"], "premium");
    assert_eq!(namespace.metadata.annotations, Some([].into()));
}
