//! A tenant who makes the schedules, has each checked and delivered, and notes what shows of their pods while they are there.

use std::path::PathBuf;

use futures::AsyncReadExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use postern::api::{KeyState, ROTATE_ANNOTATION, TRIGGER_ANNOTATION, WebhookSchedule, WebhookScheduleStatus};
use postern_e2e::{Cluster, Receiver, eventually};
use serde_json::{Value, json};

use super::haystack::{Haystack, Place};
use super::node;
use super::scenarios::Scenario;

/// Where the schedules are.
pub const NAMESPACE: &str = "team-a";
/// Who makes them.
pub const USER: &str = "alice";

/// What a tenant may do in a namespace, and the folder of the node's files.
pub struct Tenant {
    schedules: Api<WebhookSchedule>,
    secrets: Api<Secret>,
    pods: Api<Pod>,
    node: PathBuf,
}

/// What came of a scenario.
#[derive(Default)]
pub struct Played {
    /// What showed of its pods.
    pub seen: Haystack,
    /// The keys that Postern made: the names of their Secrets, and they.
    pub keys: Vec<(String, String)>,
}

impl Tenant {
    pub async fn new(cluster: &Cluster) -> Self {
        let client = cluster.client_as(USER).await;
        Self {
            schedules: Api::namespaced(client.clone(), NAMESPACE),
            secrets: Api::namespaced(client.clone(), NAMESPACE),
            pods: Api::namespaced(client, NAMESPACE),
            node: node::root(cluster),
        }
    }

    /// Makes the schedule of a scenario, has it checked and delivered, and its keys rotated if Postern makes them.
    pub async fn play(&self, scenario: &Scenario) -> Played {
        let name = scenario.name;
        self.make(scenario).await;
        self.reaches(name, scenario.checked, |status| Some(vec![status.checked.as_ref()?.reason.clone()])).await;
        let mut played = Played::default();
        self.look_at_pods(name, &mut played.seen).await;
        if scenario.is_managed() {
            played.keys.push(self.rotated(name, "").await);
            self.annotate(name, ROTATE_ANNOTATION, "rotate").await;
            played.keys.push(self.rotated(name, "rotate").await);
        }

        self.annotate(name, TRIGGER_ANNOTATION, "now").await;
        self.reaches(name, scenario.delivered, ended).await;
        self.look_at_pods(name, &mut played.seen).await;
        if scenario.is_managed() {
            self.annotate(name, ROTATE_ANNOTATION, "revoke").await;
            played.keys.push(self.rotated(name, "revoke").await);
        }
        played
    }

    async fn make(&self, scenario: &Scenario) {
        let name = scenario.name;
        let client = format!("{name}-client");
        self.make_secret(json!({"metadata": {"name": name}, "stringData": scenario.secret})).await;
        let key = |key: &str| json!({"secretKeyRef": {"name": name, "key": key}});
        let mut target = json!({
            "urlFrom": key("url"),
            "headers": [{"name": "Authorization", "valueFrom": key("header")}],
            "tls": {"caBundleFrom": key("ca")},
        });
        if let Some([certificate, key]) = &scenario.client {
            let data = json!({"tls.crt": certificate, "tls.key": key});
            self.make_secret(json!({"metadata": {"name": client}, "type": "kubernetes.io/tls", "stringData": data}))
                .await;
            target["tls"]["clientCertificateFrom"] = json!({"secretRef": {"name": client}});
        }
        let mut spec = json!({
            "schedule": "@yearly",
            "target": target,
            "body": key("body"),
            "signing": {"keysFrom": [key("key")]},
            "delivery": {"attempts": 1, "timeoutSeconds": 15, "backoff": {"minSeconds": 0, "maxSeconds": 0}},
        });
        merge(&mut spec, &scenario.change);
        let schedule = json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "metadata": {"name": name}, "spec": spec,
        });
        self.schedules.create(&PostParams::default(), &serde_json::from_value(schedule).unwrap()).await.unwrap();
    }

    async fn make_secret(&self, secret: Value) {
        self.secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    }

    async fn annotate(&self, schedule: &str, annotation: &str, value: &str) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {annotation: value}}}));
        self.schedules.patch(schedule, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Waits until the status says something, which must be this.
    async fn reaches(&self, schedule: &str, word: &str, said: impl Fn(&WebhookScheduleStatus) -> Option<Vec<String>>) {
        let status = eventually(&format!("{schedule} to be {word}"), async || {
            let status = self.schedules.get(schedule).await.unwrap().status.unwrap_or_default();
            if said(&status).is_some() { Ok(status) } else { Err(status.conditions) }
        })
        .await;
        assert!(said(&status).unwrap().iter().any(|said| said == word), "{schedule} is not {word}: {status:?}");
    }

    /// Looks at the pods that a schedule has, each with its log and its files on the node. Those of a check are kept for two
    /// minutes.
    async fn look_at_pods(&self, schedule: &str, seen: &mut Haystack) {
        let theirs = ListParams::default().labels(&format!("postern.dev/schedule={schedule}"));
        for pod in self.pods.list(&theirs).await.unwrap() {
            let name = pod.name_any();
            seen.add(Place::Objects, format!("pods {NAMESPACE}/{name}"), json!(pod).to_string());
            // One that was deleted has none any more.
            if let Ok(log) = self.pods.logs(&name, &LogParams::default()).await {
                seen.add(Place::PodLogs, format!("{NAMESPACE}/{name}"), log);
            }
            node::look_at_pod(&self.node, &pod.uid().unwrap(), seen);
        }
    }

    /// Waits until the rotation of this value is followed, and reads the key that signs since then: its Secret's name, and it.
    async fn rotated(&self, schedule: &str, value: &str) -> (String, String) {
        let secret = eventually(&format!("the key of {schedule} after {value:?}"), async || {
            let status = self.schedules.get(schedule).await.unwrap().status.unwrap_or_default();
            let followed = status.last_rotation.map_or_else(String::new, |rotation| rotation.value);
            let active = status.signing_keys.iter().find(|key| key.state == KeyState::Active);
            let name = active.and_then(|key| key.secret_name.clone()).filter(|_| followed == value);
            name.ok_or((status.signing_keys, status.conditions))
        })
        .await;
        let made = eventually("its Secret", async || self.secrets.get(&secret).await).await;
        (secret, String::from_utf8(made.data.unwrap()["key"].0.clone()).unwrap())
    }
}

/// Ends the delivery that waits for this receiver, once it has sent all that it has, and looks at the pod while it is there.
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
    // The stream of a pod that goes may end in an error. What came before is what there was to see.
    let _ = stream.read_to_end(&mut log).await;
    seen.add(Place::PodLogs, format!("{NAMESPACE}/{name}"), log);
}

/// How the last delivery ended: its reason and its outcome. Of one that is interrupted, the sender gives the reason, or the
/// operator if it sees the pod go first.
fn ended(status: &WebhookScheduleStatus) -> Option<Vec<String>> {
    let last = status.last_delivery.as_ref()?;
    Some(vec![last.reason.clone(), format!("{:?}", last.outcome)])
}

/// RFC 7386, of objects alone.
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
