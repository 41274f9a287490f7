//! Many schedules at once, and the same number of CronJobs made by a client that does nothing else.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Api, Resource, ResourceExt};
use postern::api::WebhookSchedule;
use postern::operator::names;
use postern_e2e::{OPERATOR, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::subject::Subject;

/// How many objects a client makes at the same time: the operator's default.
const CONCURRENCY: usize = 8;
const SCHEDULES: &str = "schedules";
const BARE: &str = "bare-cronjobs";

/// The time until all schedules were as they should be.
pub(crate) struct Converged {
    /// From the first POST until the last schedule was made.
    pub(crate) made: Duration,
    /// From the first POST until the last status said that its schedule is ready.
    pub(crate) ready: Duration,
    /// CPU time of the operator.
    pub(crate) cpu: Duration,
    /// The operator's requests to the API server.
    pub(crate) requests: Vec<Request>,
}

/// Makes schedules that aren't due, and waits until they all are ready.
pub(crate) async fn schedules(subject: &Subject, count: usize) -> Converged {
    subject.cluster.make_namespace(SCHEDULES, json!({})).await;
    let client = &subject.cluster.client;
    let (all, cron_jobs): (Api<WebhookSchedule>, Api<CronJob>) =
        (Api::namespaced(client.clone(), SCHEDULES), Api::namespaced(client.clone(), SCHEDULES));
    let mut log = BufReader::new(File::open(subject.cluster.dir.join("log/audit.log")).unwrap());
    std::io::copy(&mut log, &mut std::io::sink()).unwrap();
    let (cpu, since) = (subject.cpu(), subject.cluster.audit_log_length());

    let began = Timestamp::now();
    make(&all, (0..count).map(|index| schedule(&format!("schedule-{index:04}"), "@yearly"))).await;
    let made = Timestamp::now();
    let mut written = 0;
    let mut last = began;
    loop {
        // Reading the log costs only this client.
        let mut line = String::new();
        while log.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            let is_status =
                [OPERATOR, r#""resource":"webhookschedules""#, r#""subresource":"status""#, r#""code":200"#];
            if is_status.iter().all(|part| line.contains(part)) {
                let event: serde_json::Value = serde_json::from_str(&line).unwrap();
                last = event["stageTimestamp"].as_str().unwrap().parse().unwrap();
                written += 1;
            }
            line.clear();
        }
        if written >= count && are_ready(&all, count).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(cron_jobs.list(&ListParams::default()).await.unwrap().items.len(), count);
    Converged {
        made: between(began, made),
        ready: between(began, last),
        cpu: subject.cpu().saturating_sub(cpu),
        requests: subject.cluster.requests_of(OPERATOR, since),
    }
}

/// Makes CronJobs like those of the schedules, without owners, and returns how long that took.
pub(crate) async fn bare_cron_jobs(subject: &Subject, count: usize) -> Duration {
    subject.cluster.make_namespace(BARE, json!({})).await;
    let of_schedules: Api<CronJob> = Api::namespaced(subject.cluster.client.clone(), SCHEDULES);
    let template = of_schedules.get(&names::cron_job("schedule-0000")).await.unwrap();
    let cron_job = |index| {
        let mut labels = template.labels().clone();
        // The operator would delete an object that has its label and no owner.
        labels.insert(names::MANAGED_BY_LABEL.into(), "nobody".into());
        let metadata = ObjectMeta {
            name: Some(format!("{}-{index:04}", template.name_any())),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        CronJob { metadata, spec: template.spec.clone(), status: None }
    };
    let bare: Api<CronJob> = Api::namespaced(subject.cluster.client.clone(), BARE);
    let began = Timestamp::now();
    make(&bare, (0..count).map(cron_job)).await;
    between(began, Timestamp::now())
}

/// Deletes what both have made.
pub(crate) async fn clear(subject: &Subject) {
    let namespaces: Api<Namespace> = Api::all(subject.cluster.client.clone());
    for namespace in [SCHEDULES, BARE] {
        namespaces.delete(namespace, &DeleteParams::default()).await.unwrap();
    }
    for namespace in [SCHEDULES, BARE] {
        while namespaces.get_opt(namespace).await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
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
    K: Resource<Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let made = stream::iter(objects).map(|object| async move {
        api.create(&PostParams::default(), &object).await.unwrap();
    });
    made.buffer_unordered(CONCURRENCY).for_each(|()| std::future::ready(())).await;
}

async fn are_ready(schedules: &Api<WebhookSchedule>, count: usize) -> bool {
    let all = schedules.list(&ListParams::default()).await.unwrap().items;
    let ready = all.iter().filter(|schedule| {
        let mut conditions = schedule.status.iter().flat_map(|status| &status.conditions);
        conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
    });
    ready.count() == count
}

fn between(began: Timestamp, ended: Timestamp) -> Duration {
    Duration::try_from(ended.duration_since(began)).unwrap_or_default()
}
