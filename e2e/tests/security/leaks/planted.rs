//! The search can fail: the planted canaries were in use, and a visible one is found at each place.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use postern_e2e::{Cluster, Scraper, eventually, schedule_path};
use serde_json::json;

use super::canaries::{Canaries, hex};
use super::haystack::{Found, Haystack, Place};
use super::receivers::Receivers;
use super::scenarios::Scenario;
use super::{look_everywhere, node};

/// Asserts that each receiver got what was planted for it, so the sender did have it.
pub fn are_where_they_belong(receivers: &Receivers, scenarios: &[Scenario]) {
    let secret = &scenarios.iter().find(|scenario| scenario.name == "delivered").unwrap().secret;
    let (_, path_and_query) = secret["url"].rsplit_once(&receivers.ok.port.to_string()).unwrap();
    let requests = receivers.ok.requests();
    let request = requests.iter().find(|request| request.line.contains(path_and_query)).unwrap();
    assert_eq!(request.header("authorization"), Some(&*secret["header"]));
    assert_eq!(request.body, secret["body"].as_bytes());
    assert!(!receivers.mutual.requests().is_empty(), "a client certificate was shown");
}

/// Makes a canary visible at each place in some form, looks again, and finds it at all of them.
pub async fn is_found_everywhere(cluster: &Cluster, scraper: &Scraper) {
    let mut canaries = Canaries::default();
    let word = canaries.word("the one that is planted");
    // Nobody can choose what gets into the metrics, so the search is for text that is always in them.
    canaries.text("a metric", "postern_leader".into());
    plant(cluster, &word).await;

    let mut seen = Haystack::default();
    look_everywhere(cluster, scraper, &mut seen).await;
    let found = seen.find(&canaries);
    let places: BTreeSet<_> = found.iter().map(|found| found.place).collect();
    assert_eq!(places, BTreeSet::from(Place::ALL), "{seen}");
    for (place, name, form) in [
        (Place::Objects, "configmaps team-b/shown", "text"),
        (Place::Objects, "secrets team-b/shown", "base64"),
        (Place::Objects, "namespaces /team-b", "hex"),
        (Place::Events, "events team-b/shown", "numbers"),
        (Place::Descriptions, "events", "numbers"),
        (Place::PodLogs, "team-b/", "text"),
        (Place::OperatorLogs, "postern-system/", "text"),
        (Place::Processes, "toolbox", "text"),
    ] {
        let named = |found: &&Found| found.place == place && found.name.starts_with(name);
        assert!(found.iter().filter(named).any(|found| found.sought.form == form), "{name}: {found:#?}");
    }
}

async fn plant(cluster: &Cluster, word: &str) {
    cluster.must_run("kubectl create namespace team-b");
    cluster.must_run(&format!("kubectl annotate namespace team-b shown={}", hex(word.as_bytes())));
    let shown = |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "shown"}});
    let mut config_map = shown("ConfigMap");
    config_map["data"] = json!({"url": format!("https://host/{word}")});
    let mut secret = shown("Secret");
    secret["data"] = json!({"url": STANDARD.encode(format!("https://host/{word}"))});
    let mut event = shown("Event");
    event["message"] = format!("{:?}", word.as_bytes()).into();
    event["involvedObject"] = json!({"kind": "Namespace", "name": "team-b", "namespace": "team-b"});
    // The container looks up a host that doesn't exist, prints an error with the host's name, and is restarted. Therefore the
    // kubelet's log has its name.
    let mut pod = shown("Pod");
    pod["metadata"]["name"] = word.into();
    pod["spec"] = json!({"containers": [
        {"name": "complains", "image": "postern.dev/e2e/toolbox:latest", "imagePullPolicy": "Never",
         "args": ["connect", format!("{word}.example:443")]},
        {"name": "waits", "image": "postern.dev/e2e/toolbox:latest", "imagePullPolicy": "Never",
         "args": ["wait"], "env": [{"name": "SHOWN", "value": word}]},
    ]});
    for object in [config_map, secret, event, pod] {
        cluster.create("team-b", &object);
    }
    // The operator and the audit log name a schedule. This schedule's Secret doesn't exist.
    let mut schedule =
        json!({"apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "metadata": {"name": word}});
    schedule["spec"] = json!({
        "schedule": "@yearly", "signing": {"scheme": "None"},
        "target": {"urlFrom": {"secretKeyRef": {"name": "none", "key": "url"}}},
    });
    cluster.create("team-b", &schedule);
    let is_told = |schedule: &serde_json::Value| schedule["status"]["conditions"].is_array();
    cluster.wait_for("the operator's word", &schedule_path("team-b", word), is_told).await;

    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "team-b");
    let pod = eventually("the pod to complain", async || {
        let pod = pods.get(word).await.unwrap();
        let statuses = pod.status.clone().and_then(|status| status.container_statuses).unwrap_or_default();
        let complained = statuses.iter().any(|status| status.restart_count > 0);
        let waits = statuses.iter().any(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()));
        if complained && waits { Ok(pod) } else { Err(statuses) }
    })
    .await;
    // Nothing in the toolbox writes a termination message.
    let folder = node::root(cluster).join("var/lib/kubelet/pods").join(pod.uid().unwrap());
    let of_container = fs::read_dir(folder.join("containers/waits")).unwrap().next().unwrap().unwrap();
    fs::write(of_container.path(), word).unwrap();
}
