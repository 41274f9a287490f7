//! What a tenant does: makes the schedules, has each checked and delivered, and records what is visible of their pods while they
//! exist.

use std::path::Path;

use futures::AsyncReadExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, LogParams, PostParams};
use kube::{Api, ResourceExt};
use postern::api::{KeyState, ROTATE_ANNOTATION, WebhookScheduleStatus};
use postern_e2e::{Cluster, Receiver, Tenant, eventually};
use serde_json::{Value, json};

use super::haystack::{Haystack, Place};
use super::node;
use super::scenarios::Scenario;

/// The namespace of the schedules.
pub const NAMESPACE: &str = "team-a";
/// The user who makes them.
pub const USER: &str = "alice";

/// The results of a scenario.
#[derive(Default)]
pub struct Played {
    /// What was visible of its pods.
    pub seen: Haystack,
    /// The keys that Postern made: the names of their Secrets, and the keys themselves.
    pub keys: Vec<(String, String)>,
}

/// Makes a scenario's schedule, has it checked and delivered, and has its keys rotated if Postern makes them. `node` is the
/// folder with the node's files.
pub async fn play(tenant: &Tenant, node: &Path, scenario: &Scenario) -> Played {
    let name = scenario.name;
    make(tenant, scenario).await;
    reaches(tenant, name, scenario.checked, |status| Some(vec![status.checked.as_ref()?.reason.clone()])).await;
    let mut played = Played::default();
    look_at_pods(tenant, node, name, &mut played.seen).await;
    if scenario.is_managed() {
        played.keys.push(rotated(tenant, name, "").await);
        tenant.annotate(name, ROTATE_ANNOTATION, "rotate").await;
        played.keys.push(rotated(tenant, name, "rotate").await);
    }

    tenant.trigger(name, "now").await;
    reaches(tenant, name, scenario.delivered, ended).await;
    look_at_pods(tenant, node, name, &mut played.seen).await;
    if scenario.is_managed() {
        tenant.annotate(name, ROTATE_ANNOTATION, "revoke").await;
        played.keys.push(rotated(tenant, name, "revoke").await);
    }
    played
}

async fn make(tenant: &Tenant, scenario: &Scenario) {
    let name = scenario.name;
    let client = format!("{name}-client");
    make_secret(tenant, json!({"metadata": {"name": name}, "stringData": scenario.secret})).await;
    let key = |key: &str| json!({"secretKeyRef": {"name": name, "key": key}});
    let mut target = json!({
        "urlFrom": key("url"),
        "headers": [{"name": "Authorization", "valueFrom": key("header")}],
        "tls": {"caBundleFrom": key("ca")},
    });
    if let Some([certificate, key]) = &scenario.client {
        let data = json!({"tls.crt": certificate, "tls.key": key});
        make_secret(tenant, json!({"metadata": {"name": client}, "type": "kubernetes.io/tls", "stringData": data}))
            .await;
        target["tls"]["clientCertificateFrom"] = json!({"secretRef": {"name": client}});
    }
    let mut spec = json!({
        "target": target,
        "body": key("body"),
        "signing": {"keysFrom": [key("key")]},
        "delivery": {"attempts": 1, "timeoutSeconds": 15, "backoff": {"minSeconds": 0, "maxSeconds": 0}},
    });
    merge(&mut spec, &scenario.change);
    tenant.make_schedule_with(name, spec).await;
}

async fn make_secret(tenant: &Tenant, secret: Value) {
    let secret = serde_json::from_value(secret).unwrap();
    tenant.secrets().create(&PostParams::default(), &secret).await.unwrap();
}

/// Waits until the status has a value, which must be this one.
async fn reaches(
    tenant: &Tenant,
    schedule: &str,
    word: &str,
    said: impl Fn(&WebhookScheduleStatus) -> Option<Vec<String>>,
) {
    let status = eventually(&format!("{schedule} to be {word}"), async || {
        let status = tenant.status(schedule).await;
        if said(&status).is_some() { Ok(status) } else { Err(status.conditions) }
    })
    .await;
    assert!(said(&status).unwrap().iter().any(|said| said == word), "{schedule} is not {word}: {status:?}");
}

/// Looks at a schedule's pods, each with its log and its files on the node. The pods of a check are kept for two minutes.
async fn look_at_pods(tenant: &Tenant, node: &Path, schedule: &str, seen: &mut Haystack) {
    let theirs = ListParams::default().labels(&format!("postern.dev/schedule={schedule}"));
    let pods = tenant.pods();
    for pod in pods.list(&theirs).await.unwrap() {
        let name = pod.name_any();
        seen.add(Place::Objects, format!("pods {NAMESPACE}/{name}"), json!(pod).to_string());
        // A pod that was deleted meanwhile has no log any more.
        if let Ok(log) = pods.logs(&name, &LogParams::default()).await {
            seen.add(Place::PodLogs, format!("{NAMESPACE}/{name}"), log);
        }
        node::look_at_pod(node, &pod.uid().unwrap(), seen);
    }
}

/// Waits until the rotation for this value is done, and reads the key that signs since then: its Secret's name, and the key
/// itself.
async fn rotated(tenant: &Tenant, schedule: &str, value: &str) -> (String, String) {
    let secret = eventually(&format!("the key of {schedule} after {value:?}"), async || {
        let status = tenant.status(schedule).await;
        let followed = status.last_rotation.map_or_else(String::new, |rotation| rotation.value);
        let active = status.signing_keys.iter().find(|key| key.state == KeyState::Active);
        let name = active.and_then(|key| key.secret_name.clone()).filter(|_| followed == value);
        name.ok_or((status.signing_keys, status.conditions))
    })
    .await;
    let made = eventually("its Secret", async || tenant.secrets().get(&secret).await).await;
    (secret, String::from_utf8(made.data.unwrap()["key"].0.clone()).unwrap())
}

/// Ends the delivery that waits for this receiver, after it has sent everything, and looks at its pod while that exists.
pub async fn interrupt(cluster: &Cluster, receiver: &Receiver, seen: &mut Haystack) {
    let arrived = async || if receiver.requests().is_empty() { Err("no request yet") } else { Ok(()) };
    eventually("the request that is interrupted", arrived).await;
    let theirs = ListParams::default().labels("postern.dev/schedule=interrupted");
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    let running = theirs.clone().fields("status.phase=Running");
    let pod = eventually("its pod to be known to run", async || {
        let running = pods.list(&running).await.unwrap().items;
        running.into_iter().next().ok_or("none runs")
    })
    .await;
    let name = pod.name_any();
    seen.add(Place::Objects, format!("pods {NAMESPACE}/{name}"), json!(pod).to_string());

    let all = LogParams { follow: true, ..LogParams::default() };
    let mut stream = pods.log_stream(&name, &all).await.unwrap();
    let jobs: Api<Job> = Api::namespaced(cluster.client.clone(), NAMESPACE);
    jobs.delete_collection(&DeleteParams::background(), &theirs).await.unwrap();
    let mut log = Vec::new();
    // The stream of a pod that is deleted may end in an error. What came before that is all there was to see.
    let _ = stream.read_to_end(&mut log).await;
    seen.add(Place::PodLogs, format!("{NAMESPACE}/{name}"), log);
}

/// How the last delivery ended: its reason and its outcome. For an interrupted delivery, the reason comes from the sender, or
/// from the operator if that sees the pod's end first.
fn ended(status: &WebhookScheduleStatus) -> Option<Vec<String>> {
    let last = status.last_delivery.as_ref()?;
    Some(vec![last.reason.clone(), format!("{:?}", last.outcome)])
}

/// A merge patch (RFC 7386), for objects only.
fn merge(value: &mut Value, change: &Value) {
    match (value, change) {
        (Value::Object(fields), Value::Object(changes)) => {
            for (field, change) in changes {
                if change.is_null() {
                    fields.remove(field);
                } else {
                    merge(fields.entry(field).or_insert_with(|| json!({})), change);
                }
            }
        }
        (value, change) => *value = change.clone(),
    }
}
