//! What the `NetworkPolicies` that the operator's account writes are allowed to open.

use postern_e2e::{Cluster, eventually};
use serde_json::{Value, json};

use super::children::{Children, POLICIES, set};
use super::make;
use super::people::{CAROL, DRY, POSTERN, refused_by};

const POLICY: &str = "postern-confine-egress";
/// The `NetworkPolicies` of a namespace that has none of the operator's.
const ELSEWHERE: &str = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies";

const SENDERS: &str = "the operator's account may write a NetworkPolicy only for senders: podSelector must be exactly their \
    two labels, and spec may set only egress, ingress, podSelector and policyTypes";
const CLOSED: &str = "a NetworkPolicy that the operator's account writes must have the policyTypes Ingress and Egress, and \
    may not allow ingress";
const NAMED: &str = "each egress rule that the operator's account writes must set ports and to, and each port must be a \
    number, without endPort";
const PEERS: &str = "the operator's account may open egress only to blocks of addresses, and on port 53 to the pods of name \
    servers: if the operator's configuration has other nameServerPods, set them in this policy, too";
const NAMES: &str = "the operator's account may open port 53 only to single addresses";
const PORTS: &str = "the operator's account may open only TCP port 443 and the allowedPorts of tier minutely";
const WORLD: &str = "the operator's account may open only 0.0.0.0/0 and 2000::/3, with every internal block in except, and \
    the allowedCIDRs of tier minutely";

pub(super) async fn all(cluster: &Cluster, children: &Children) {
    it_opens_nothing_but_names_and_the_world(cluster, &children.network_policy).await;
    it_opens_what_the_tier_opens(cluster, &children.network_policy).await;
    what_is_there_can_be_labelled_again(cluster, &children.network_policy).await;
    without_any_tier_it_opens_nothing_and_others_do_as_ever(cluster, &children.network_policy).await;
}

/// A new policy with this value at this place.
fn with(policy: &Value, pointer: &str, value: &Value) -> Value {
    let mut changed = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": policy["spec"],
        "metadata": {"name": "postern-sender", "labels": policy["metadata"]["labels"]},
    });
    set(&mut changed, pointer, value.clone());
    changed
}

/// The fields of the first block, which has all IPv4 addresses.
const IPV4: &str = "/spec/egress/1/to/0/ipBlock";

async fn it_opens_nothing_but_names_and_the_world(cluster: &Cluster, policy: &Value) {
    let make = async |policy: &Value| POSTERN.create(cluster, &format!("{ELSEWHERE}{DRY}"), policy).await;
    make(&with(policy, "/spec/ingress", &json!([]))).await.unwrap();
    let (https, world) = (json!([{"port": 443, "protocol": "TCP"}]), policy["spec"]["egress"][1]["to"].clone());
    let rule = |ports: &Value, to: Value| json!({"ports": ports, "to": to});
    let dns = json!([{"port": 53, "protocol": "UDP"}]);
    let all_but = |missing: &str| {
        let except = policy.pointer(&format!("{IPV4}/except")).unwrap().as_array().unwrap();
        assert!(except.iter().any(|block| block == missing), "{missing}: {except:?}");
        except.iter().filter(|block| *block != missing).cloned().collect::<Value>()
    };
    for (pointer, value, words) in [
        ("/spec/podSelector", json!({}), SENDERS),
        ("/spec/podSelector", json!({"matchLabels": {"app": "shop"}}), SENDERS),
        ("/spec/podSelector", json!({"matchLabels": {"postern.dev/role": "sender"}}), SENDERS),
        ("/spec/podSelector/matchLabels/postern.dev~1schedule", json!("report"), SENDERS),
        ("/spec/policyTypes", json!(["Egress"]), CLOSED),
        ("/spec/policyTypes", json!(["Ingress"]), CLOSED),
        ("/spec/ingress", json!([{}]), CLOSED),
        ("/spec/egress", json!([{}]), NAMED),
        ("/spec/egress/-", json!({}), NAMED),
        ("/spec/egress/-", json!({"ports": https}), NAMED),
        ("/spec/egress/-", json!({"to": world}), NAMED),
        ("/spec/egress/-", json!({"ports": [{"protocol": "TCP"}], "to": world}), NAMED),
        ("/spec/egress/-", json!({"ports": [{"port": 443, "endPort": 6443}], "to": world}), NAMED),
        ("/spec/egress/-", json!({"ports": [{"port": "https"}], "to": world}), NAMED),
        ("/spec/egress/-", rule(&https, json!([{"namespaceSelector": {}}])), PEERS),
        ("/spec/egress/-", rule(&dns, json!([{"namespaceSelector": {}}])), PEERS),
        ("/spec/egress/-", rule(&https, policy["spec"]["egress"][0]["to"].clone()), PEERS),
        ("/spec/egress/-", rule(&dns, json!([{"ipBlock": {"cidr": "10.0.0.0/8"}}])), NAMES),
        ("/spec/egress/-", rule(&dns, json!([{"ipBlock": {"cidr": "2000::/3"}}])), NAMES),
        ("/spec/egress/-", rule(&json!([{"port": 22}]), world.clone()), PORTS),
        ("/spec/egress/-", rule(&json!([{"port": 443, "protocol": "UDP"}]), world.clone()), PORTS),
        ("/spec/egress/-", rule(&https, json!([{"ipBlock": {"cidr": "10.0.0.0/8"}}])), WORLD),
        ("/spec/egress/-", rule(&https, json!([{"ipBlock": {"cidr": "10.96.0.1/32"}}])), WORLD),
        ("/spec/egress/-", rule(&https, json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}])), WORLD),
        ("/spec/egress/-", rule(&https, json!([{"ipBlock": {"cidr": "::/0"}}])), WORLD),
        (&format!("{IPV4}/except"), all_but("10.0.0.0/8"), WORLD),
        (&format!("{IPV4}/except"), all_but("169.254.0.0/16"), WORLD),
        (&format!("{IPV4}/except"), Value::Null, WORLD),
        ("/spec/egress/1/to/1/ipBlock/except", Value::Null, WORLD),
    ] {
        let changed = with(policy, pointer, &value);
        assert_eq!(refused_by(POLICY, make(&changed).await), words, "{pointer}: {value}");
        let update = POSTERN.replace(cluster, &format!("{POLICIES}/postern-sender{DRY}"), &changed).await;
        assert_eq!(refused_by(POLICY, update), words, "in an update: {pointer}: {value}");
    }
}

async fn it_opens_what_the_tier_opens(cluster: &Cluster, policy: &Value) {
    let tier = |name: &str, ports: Value, blocks: Value| {
        let mut spec =
            json!({"minInterval": "1m", "maxSchedules": 9, "maxDeliveriesPerHour": 600, "default": name == "minutely"});
        (spec["allowedPorts"], spec["allowedCIDRs"]) = (ports, blocks);
        json!({"apiVersion": "postern.dev/v1alpha1", "kind": "WebhookTier", "metadata": {"name": name}, "spec": spec})
    };
    let block = json!({"ports": [{"port": 443}, {"port": 8443}], "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}]});
    let opened = with(policy, "/spec/egress/-", &block);
    let path = format!("{ELSEWHERE}{DRY}");
    // What another tier opens is only for its own namespaces.
    make(cluster, &[tier("open", json!([8443]), json!(["10.20.0.0/16"]))]);
    assert_eq!(refused_by(POLICY, POSTERN.create(cluster, &path, &opened).await), PORTS);
    make(cluster, &[tier("minutely", json!([8443]), json!(["10.20.0.0/16"]))]);
    eventually("the tier to be seen", async || POSTERN.create(cluster, &path, &opened).await).await;
    let larger = json!({"ports": [{"port": 443}], "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]});
    let answer = POSTERN.create(cluster, &path, &with(policy, "/spec/egress/-", &larger)).await;
    assert_eq!(refused_by(POLICY, answer), WORLD);
    make(cluster, &[tier("minutely", json!([]), json!([]))]);
    eventually("the tier to be seen", async || POSTERN.create(cluster, &path, &opened).await.map_or(Ok(()), Err)).await;
    cluster.run(&["kubectl", "delete", "webhooktier", "open"], "").unwrap();
}

/// The admission policies leave other people's `NetworkPolicies` alone, whether there are tiers or not.
async fn without_any_tier_it_opens_nothing_and_others_do_as_ever(cluster: &Cluster, policy: &Value) {
    let tier = cluster.get("/apis/postern.dev/v1alpha1/webhooktiers/minutely").await.unwrap();
    cluster.run(&["kubectl", "delete", "webhooktier", "minutely"], "").unwrap();
    let path = format!("{ELSEWHERE}{DRY}");
    let usual = with(policy, "/spec/ingress", &json!([]));
    eventually("the tier to be gone", async || {
        let refusal = POSTERN.create(cluster, &path, &usual).await.map_or_else(Ok, Err)?;
        if refusal.contains("no params found") { Ok(()) } else { Err(json!(refusal)) }
    })
    .await;
    let mut theirs = usual;
    theirs["metadata"] = json!({"name": "theirs"});
    CAROL.create(cluster, &format!("{POLICIES}{DRY}"), &theirs).await.unwrap();
    let spec = json!({
        "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookTier", "metadata": {"name": "minutely"}, "spec": tier["spec"],
    });
    make(cluster, &[spec]);
}

/// Labels can be changed whatever the policy contains.
async fn what_is_there_can_be_labelled_again(cluster: &Cluster, policy: &Value) {
    let older = |labels: Value| {
        let mut older = with(policy, "/spec/egress", &json!([{}]));
        older["metadata"] = json!({"name": "postern-sender", "namespace": "default", "labels": labels});
        older
    };
    make(cluster, &[older(json!({"theirs": "a"}))]);
    let path = format!("{ELSEWHERE}/postern-sender");
    POSTERN.replace(cluster, &format!("{path}{DRY}"), &older(policy["metadata"]["labels"].clone())).await.unwrap();
    cluster.run(&["kubectl", "delete", "networkpolicy", "postern-sender", "--namespace", "default"], "").unwrap();
}
