//! The schedules that are made, and how they are spread over namespaces.

use std::fmt;

use futures::stream::{self, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use kube::api::PostParams;
use kube::{Api, Resource};
use postern::api::{TIER_LABEL, WebhookSchedule};
use postern_e2e::Cluster;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// How many objects a client makes at the same time: the operator's default.
pub(crate) const CONCURRENCY: usize = 8;

/// Schedules in namespaces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) namespaces: usize,
    /// How many schedules each namespace has.
    pub(crate) each: usize,
}

impl Layout {
    /// How many schedules there are.
    pub(crate) fn count(self) -> usize {
        self.namespaces * self.each
    }

    /// The namespace and the name of each schedule.
    pub(crate) fn names(self) -> impl Iterator<Item = (String, String)> {
        (0..self.count()).map(move |index| (namespace(index / self.each), format!("schedule-{index:05}")))
    }

    /// The first of them, in any layout.
    pub(crate) fn first() -> (String, String) {
        (namespace(0), "schedule-00000".into())
    }

    /// Makes the namespaces. Every second one is in the tier `changing`.
    pub(crate) async fn make_namespaces(self, cluster: &Cluster) {
        let made = stream::iter(0..self.namespaces).map(async |index| {
            let labels = if index % 2 == 1 { json!({TIER_LABEL: "changing"}) } else { json!({}) };
            cluster.make_namespace(&namespace(index), labels).await;
        });
        made.buffer_unordered(CONCURRENCY).for_each(|()| std::future::ready(())).await;
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} schedules in {} namespace(s)", self.count(), self.namespaces)
    }
}

fn namespace(index: usize) -> String {
    format!("team-{index:03}")
}

/// A schedule that takes all that it needs from the Secret `hook`.
pub(crate) fn schedule(name: &str, cron: &str) -> WebhookSchedule {
    let hook = |key: &str| json!({"secretKeyRef": {"name": "hook", "key": key}});
    serde_json::from_value(json!({
        "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "metadata": {"name": name},
        "spec": {
            "schedule": cron,
            "target": {"urlFrom": hook("url"), "tls": {"caBundleFrom": hook("ca")}},
            "body": {"inline": r#"{"type":"report.due","timestamp":"{{scheduledTime}}","data":{}}"#},
            "signing": {"keysFrom": [hook("key")]},
        },
    }))
    .unwrap()
}

/// Makes objects, several at the same time.
pub(crate) async fn make<K>(api: &Api<K>, objects: impl Iterator<Item = K>)
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + fmt::Debug + Serialize + DeserializeOwned,
{
    let made = stream::iter(objects).map(|object| async move {
        api.create(&PostParams::default(), &object).await.unwrap();
    });
    made.buffer_unordered(CONCURRENCY).for_each(|()| std::future::ready(())).await;
}
