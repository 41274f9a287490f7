//! Everything that somebody sees who may ask the API server for everything: objects and Events, descriptions, logs, metrics.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, ListParams, LogParams};
use kube::discovery::{Discovery, verbs};
use kube::{Api, ResourceExt};
use postern_e2e::{Cluster, Scraper, eventually};
use serde_json::json;

use super::haystack::{Haystack, Place};
use super::play::NAMESPACE;

/// Looks at every object of every kind that can be listed, including its managed fields; at the tenant's Secrets without their
/// data.
pub async fn look_at_objects(cluster: &Cluster, seen: &mut Haystack) {
    let client = &cluster.client;
    let discovery = Discovery::new(client.clone()).run().await.unwrap();
    for (resource, capabilities) in discovery.groups().flat_map(kube::discovery::ApiGroup::resources_by_stability) {
        if !capabilities.supports_operation(verbs::LIST) {
            continue;
        }
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        for mut object in objects.list(&ListParams::default()).await.unwrap() {
            let namespace = object.namespace().unwrap_or_default();
            let is_secret = resource.group.is_empty() && resource.plural == "secrets";
            if is_secret && namespace == NAMESPACE {
                object.data.as_object_mut().unwrap().remove("data");
            }
            let place = if resource.kind == "Event" { Place::Events } else { Place::Objects };
            let name = format!("{} {namespace}/{}", resource.plural, object.name_any());
            seen.add(place, name, json!(object).to_string());
        }
    }
}

/// Looks at what `kubectl describe` says about everything that Postern makes or is given, and about what comes of it.
pub fn look_at_descriptions(cluster: &Cluster, seen: &mut Haystack) {
    for kind in [
        "webhookschedules",
        "webhooktiers",
        "cronjobs",
        "jobs",
        "pods",
        "events",
        "secrets",
        "configmaps",
        "serviceaccounts",
        "networkpolicies",
        "namespaces",
        "nodes",
        "leases",
    ] {
        let describe = ["kubectl", "describe", kind, "--all-namespaces"];
        seen.add(Place::Descriptions, kind, cluster.run_without_what_is_gone(&describe).unwrap());
    }
}

/// Looks at the logs of all pods that exist.
pub async fn look_at_logs(cluster: &Cluster, seen: &mut Haystack) {
    let client = &cluster.client;
    for pod in Api::<Pod>::all(client.clone()).list(&ListParams::default()).await.unwrap() {
        let (namespace, name) = (pod.namespace().unwrap(), pod.name_any());
        let is_operator = namespace == "postern-system";
        let place = if is_operator { Place::OperatorLogs } else { Place::PodLogs };
        let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        for container in pod.spec.unwrap().containers {
            for previous in [false, true] {
                let container = Some(container.name.clone());
                let of_container = LogParams { container, previous, ..LogParams::default() };
                // A container that hasn't started has no log. The logs of earlier containers are among the node's files.
                if let Ok(log) = pods.logs(&name, &of_container).await {
                    seen.add(place, format!("{namespace}/{name}"), log);
                }
            }
        }
    }
}

/// Looks at the metrics of each operator, as a scraper does.
pub async fn look_at_metrics(cluster: &Cluster, scraper: &Scraper, seen: &mut Haystack) {
    let token = cluster.must_run("kubectl create token scraper --namespace postern-system");
    let operators: Api<Pod> = Api::namespaced(cluster.client.clone(), "postern-system");
    for pod in operators.list(&ListParams::default().labels("app.kubernetes.io/component=operator")).await.unwrap() {
        let name = pod.name_any();
        // An operator that was restarted takes a moment, and so does the API server until it knows the scraper's rights.
        let text = eventually(&format!("the metrics of {name}"), async || {
            let pod = operators.get(&name).await.map_err(|e| e.to_string())?;
            let address = pod.status.and_then(|status| status.pod_ip).ok_or("it has no address")?;
            match scraper.scrape((address.as_str(), 8443), Some(token.trim())).await {
                Ok((200, text)) => Ok(text),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
        seen.add(Place::Metrics, name, text);
    }
}
