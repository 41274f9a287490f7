//! One delivery with the sender's image, in a pod like those that the operator makes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{ConfigMap, ContainerStateTerminated, Pod as PodObject, Secret};
use kube::Api;
use kube::api::{DeleteParams, LogParams, Patch, PatchParams, PostParams};
use postern::delivery::{Outcome, OutcomeClass};
use serde_json::{Value, json};

use super::Cluster;
use super::packets::Packets;
use crate::{Certificates, eventually};

/// A part of every URL, which only the receiver may ever see.
const URL_CANARY: &str = "canary-in-the-url";

/// The user of the image.
const USER: u32 = 65_532;

/// A delivery that hasn't been made yet.
#[must_use = "a delivery is made by `start` or `run`"]
pub struct Delivery {
    /// The name of its pod, its Secret and its ConfigMap.
    name: &'static str,
    /// The part of the URL that people may see.
    target: String,
    /// What `delivery.json` says.
    pub json: Value,
    /// The Secret's keys. If there are none, there is no Secret.
    pub secret: BTreeMap<&'static str, String>,
    ca_bundle: String,
    /// The sender's arguments.
    args: Vec<&'static str>,
}

/// A delivery under way.
pub struct Running {
    pods: Api<PodObject>,
    name: &'static str,
    target: String,
    packets: Packets,
    canaries: Vec<String>,
}

/// A delivery that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its termination message.
    pub outcome: Outcome,
    /// The destinations to which the pod sent packets, delivered or not; see [`Packets`].
    pub sent: BTreeSet<String>,
}

impl Delivery {
    /// An unsigned POST to a host. It trusts these certificates' authority, makes at most three attempts with no wait between
    /// them, and may go to the cluster's internet, whose addresses are for documentation.
    pub fn to(name: &'static str, host: &str, port: u16, certificates: &Certificates) -> Self {
        let host_and_port = match port {
            443 => host.to_owned(),
            other => format!("{host}:{other}"),
        };
        Self {
            name,
            target: format!("https://{host_and_port}/..."),
            json: json!({
                "version": 1,
                "schedule": {"name": "nightly", "namespace": "team-a", "uid": "6d3f2b54-9a0e-4c55-8c62-0e7b0f5f5a11"},
                "run": {"scheduled": {"startingDeadlineSeconds": 300}},
                "url": secret_file(name, "url", "url"),
                "method": "POST",
                "tls": {"caBundle": {"path": "tls/ca.crt", "from": {"configMap": {"name": name, "key": "ca.crt"}}}},
                "retries": {
                    "attempts": 3,
                    "timeoutSeconds": 30,
                    "backoff": {"minSeconds": 0, "maxSeconds": 0},
                    "totalDeadlineSeconds": 90,
                },
                "egress": {
                    "allowedCIDRs": ["203.0.113.0/24", "198.51.100.0/24", "2001:db8::/32"],
                    "allowedPorts": [port],
                    "clusterDomain": "cluster.local",
                },
                "maxBodyBytes": 1024,
            }),
            secret: [("url", format!("https://{host_and_port}/hook?token={URL_CANARY}"))].into(),
            ca_bundle: certificates.ca_pem.clone(),
            args: Vec::new(),
        }
    }

    /// The same delivery with one more address in the tier's `allowedCIDRs`.
    pub fn allowing(mut self, ip: &str) -> Self {
        let block: IpNet = ip.parse::<IpAddr>().unwrap().into();
        let allowed = self.json["egress"]["allowedCIDRs"].as_array_mut().unwrap();
        allowed.push(json!(block));
        self
    }

    /// The same delivery, checked and not sent.
    pub fn checked(mut self) -> Self {
        self.args.push("--check");
        self
    }

    /// The same delivery with a JSON body, signed with this key.
    pub fn signed_with(mut self, key: &str, body: &str) -> Self {
        self.json["body"] = json!({"contentType": "application/json", "source": {"inline": body}});
        self.json["signing"] = json!({
            "scheme": "StandardWebhooks",
            "keys": [secret_file(self.name, "keys/0", "signing-key")],
        });
        self.secret.insert("signing-key", key.into());
        self
    }

    /// Makes the delivery's Secret, ConfigMap and pod.
    pub async fn start(self, cluster: &Cluster, namespace: &str) -> Running {
        let client = &cluster.client;
        let name = self.name;
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": name}, "stringData": self.secret,
        }))
        .unwrap();
        let config_map: ConfigMap = serde_json::from_value(json!({
            "metadata": {"name": name}, "data": {"ca.crt": self.ca_bundle},
        }))
        .unwrap();
        let post = PostParams::default();
        if !self.secret.is_empty() {
            Api::namespaced(client.clone(), namespace).create(&post, &secret).await.unwrap();
        }
        Api::namespaced(client.clone(), namespace).create(&post, &config_map).await.unwrap();
        let packets = Packets::watch(&format!("{namespace}-{name}"));
        let pods = Api::namespaced(client.clone(), namespace);
        pods.create(&post, &pod(name, &self.json, &self.args)).await.unwrap();
        let mut canaries: Vec<_> = self.secret.into_values().collect();
        canaries.push(URL_CANARY.into());
        Running { pods, name, target: self.target, packets, canaries }
    }

    /// Makes the delivery and awaits its end.
    pub async fn run(self, cluster: &Cluster, namespace: &str) -> Ended {
        let running = self.start(cluster, namespace).await;
        let ended = running.end().await;
        running.check_log(&ended).await;
        ended
    }
}

impl Running {
    /// Deletes the pod. Its end can still be awaited: as a Job's pod, it stays until its end has been seen.
    pub async fn delete(&self) {
        self.set_finalizers(&["postern.dev/e2e"]).await;
        let deletion = DeleteParams::default();
        self.pods.delete(self.name, &deletion).await.unwrap();
    }

    async fn set_finalizers(&self, finalizers: &[&str]) {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        self.pods.patch(self.name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Awaits the pod's end.
    pub async fn end(&self) -> Ended {
        let (pod, terminated) = eventually("the delivery to end", async || {
            let pod = self.pods.get(self.name).await.unwrap();
            terminated(&pod).map(|terminated| (pod.clone(), terminated)).ok_or(pod.status)
        })
        .await;
        if pod.metadata.finalizers.is_some() {
            self.set_finalizers(&[]).await;
        }
        let addresses = addresses(&pod);
        assert!(!addresses.is_empty(), "{pod:?}");
        let message = terminated.message.unwrap_or_default();
        let outcome = Outcome::parse(message.as_bytes())
            .unwrap_or_else(|e| panic!("{e}: {message:?}, exit code {}", terminated.exit_code));
        let exit_code = i32::from(outcome.outcome.exit_code());
        assert_eq!(terminated.exit_code, exit_code, "{message}");
        // A delivery that is refused before its first attempt has no target.
        let tried = outcome.outcome != OutcomeClass::Refused || outcome.attempt_count > 0;
        let target = tried.then_some(&self.target);
        assert_eq!(outcome.target.as_ref(), target, "{message}");
        Ended { outcome, sent: self.packets.sent_by(&addresses) }
    }

    /// Checks that the pod's log has the outcome, and has nothing secret. A deleted pod has no log any more.
    async fn check_log(&self, ended: &Ended) {
        let all = LogParams::default();
        let log = self.pods.logs(self.name, &all).await.unwrap();
        let mut said = log.lines().map(|line| Outcome::parse(line.as_bytes()));
        assert!(said.any(|said| said.as_ref() == Ok(&ended.outcome)), "{log}");
        for canary in &self.canaries {
            assert!(!log.contains(canary), "{log}");
        }
    }
}

impl Ended {
    /// Asserts how the delivery ended, and that it sent packets to all these destinations and to no others.
    #[track_caller]
    pub fn assert(&self, class: OutcomeClass, reason: &str, destinations: &[impl AsRef<str>]) {
        assert_eq!((self.outcome.outcome, self.outcome.reason.as_str()), (class, reason), "{self:?}");
        let destinations = destinations.iter().map(|to| to.as_ref().to_owned());
        assert_eq!(self.sent, destinations.collect(), "{self:?}");
    }

    /// The reasons of the attempts, in order.
    pub fn attempts(&self) -> Vec<&str> {
        self.outcome.attempts.iter().map(|attempt| attempt.reason.as_str()).collect()
    }
}

/// A file of the delivery's folder that is a key of the delivery's Secret.
fn secret_file(name: &str, path: &str, key: &str) -> Value {
    json!({"path": path, "from": {"secret": {"name": name, "key": key}}})
}

fn pod(name: &str, delivery: &Value, args: &[&str]) -> PodObject {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let pod = json!({
        "metadata": {
            "name": name,
            "labels": {
                "postern.dev/role": "sender",
                "batch.kubernetes.io/job-name": format!("postern-nightly-{}", now.as_secs() / 60),
            },
            "annotations": {"postern.dev/delivery": delivery.to_string()},
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 120,
            "terminationGracePeriodSeconds": 5,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["10.96.0.10"]},
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": "sender",
                "image": "postern.dev/e2e/postern-sender:latest",
                "imagePullPolicy": "Never",
                "args": args,
                "terminationMessagePolicy": "File",
                "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"cpu": "200m", "memory": "32Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "delivery", "mountPath": "/postern", "readOnly": true}],
            }],
            "volumes": [{"name": "delivery", "projected": {"defaultMode": 0o440, "sources": [
                {"downwardAPI": {"items": [
                    {"path": "delivery.json", "fieldRef": {"fieldPath": "metadata.annotations['postern.dev/delivery']"}},
                    {"path": "job-name", "fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}},
                ]}},
                {"secret": {"name": name, "optional": true, "items": [
                    {"key": "url", "path": "url"},
                    {"key": "signing-key", "path": "keys/0"},
                ]}},
                {"configMap": {"name": name, "optional": true, "items": [{"key": "ca.crt", "path": "tls/ca.crt"}]}},
            ]}}],
        },
    });
    serde_json::from_value(pod).unwrap()
}

fn terminated(pod: &PodObject) -> Option<ContainerStateTerminated> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.first()?.state.as_ref()?.terminated.clone()
}

fn addresses(pod: &PodObject) -> Vec<IpAddr> {
    let ips = pod.status.as_ref().and_then(|status| status.pod_ips.as_ref());
    ips.into_iter().flatten().map(|ip| ip.ip.parse().unwrap()).collect()
}
