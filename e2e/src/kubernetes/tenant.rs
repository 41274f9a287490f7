//! A namespace of tenants: their Secret, their schedules, their receiver, and the clock that they depend on.

use std::io;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource as _, ResourceExt};
use postern::api::{
    CHECK_ANNOTATION, DeliveryStatus, TIER_LABEL, TRIGGER_ANNOTATION, WebhookSchedule, WebhookScheduleStatus,
    WebhookTier,
};
use postern::operator::names;
use serde_json::{Value, json};

use super::operator::Operator;
use super::{Cluster, install_crds};
use crate::{Certificates, DnsAnswer, Receiver, Stream, eventually};

/// A key that the tests' schedules sign with, and that their receivers verify by.
pub const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Where receivers are.
pub const INTERNET: &str = "198.51.100.10";

/// The path of a schedule in the API.
pub fn schedule_path(namespace: &str, name: &str) -> String {
    format!("/apis/postern.dev/v1alpha1/namespaces/{namespace}/webhookschedules/{name}")
}

/// A namespace with a tier and an operator of its own.
pub struct Tenant {
    /// As its admin sees it.
    pub cluster: Cluster,
    /// Which is also the name of its tier.
    pub namespace: String,
    /// Those of the namespace.
    pub schedules: Api<WebhookSchedule>,
    /// Those of the namespace.
    pub cron_jobs: Api<CronJob>,
    settings: Value,
    operator: Option<Operator>,
    port: OnceLock<u16>,
}

impl Tenant {
    /// Makes the tier, and starts the operator.
    pub async fn new(cluster: Cluster, namespace: String) -> Self {
        Self::with_settings(cluster, namespace, json!({})).await
    }

    /// The same; the operator's configuration has these fields instead of the usual ones.
    pub async fn with_settings(cluster: Cluster, namespace: String, settings: Value) -> Self {
        install_crds(&cluster).await;
        let client = &cluster.client;
        let mut tenant = Self {
            schedules: Api::namespaced(client.clone(), &namespace),
            cron_jobs: Api::namespaced(client.clone(), &namespace),
            cluster: cluster.clone(),
            namespace,
            settings,
            operator: None,
            port: OnceLock::new(),
        };
        tenant.make_tier(json!({})).await;
        tenant.set_tier(&tenant.namespace).await;
        tenant.start_operator();
        tenant.operator.as_ref().unwrap().knows_the_cluster().await;
        tenant
    }

    /// Starts the operator anew, once it has ended.
    pub fn start_operator(&mut self) {
        self.operator = Some(Operator::start(&self.cluster, &self.namespace, &self.settings));
    }

    /// Tells the operator to end, and waits until it has.
    pub fn stop_operator(&mut self) {
        self.operator.take().unwrap().stop();
    }

    /// Ends the operator wherever it is.
    pub fn kill_operator(&mut self) {
        self.operator.take().unwrap().kill();
    }

    /// Makes the namespace's tier, or changes it: all that isn't public in it is the cluster's internet.
    pub async fn make_tier(&self, change: Value) {
        self.make_tier_named(&self.namespace, change).await;
    }

    /// Makes another tier, or changes it.
    pub async fn make_tier_named(&self, name: &str, change: Value) {
        let mut spec = json!({
            "minInterval": "1m", "maxSchedules": 100, "maxDeliveriesPerHour": 6000,
            "maxAttempts": 20, "maxTimeoutSeconds": 60,
            "allowedCIDRs": ["203.0.113.0/24", "198.51.100.0/24"],
        });
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let tier = json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookTier", "metadata": {"name": name}, "spec": spec,
        });
        let tiers: Api<WebhookTier> = Api::all(self.cluster.client.clone());
        tiers.patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(&tier)).await.unwrap();
    }

    /// Changes some fields of the namespace's tier.
    pub async fn change_tier(&self, change: Value) {
        let tiers: Api<WebhookTier> = Api::all(self.cluster.client.clone());
        let change = Patch::Merge(json!({"spec": change}));
        tiers.patch(&self.namespace, &PatchParams::default(), &change).await.unwrap();
    }

    /// Names the tier of the namespace.
    pub async fn set_tier(&self, tier: &str) {
        let label = Patch::Merge(json!({"metadata": {"labels": {TIER_LABEL: tier}}}));
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        namespaces.patch(&self.namespace, &PatchParams::default(), &label).await.unwrap();
    }

    /// Starts a receiver on the internet that the tier lets deliveries go to, and makes the Secret `hook` with its URL.
    pub async fn receiver(&self, answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static) -> Receiver {
        let host = format!("hooks.{}.example", self.namespace);
        self.cluster.set_dns(&host, &[DnsAnswer::addresses([INTERNET])]);
        let receiver = self.cluster.receiver(INTERNET, Certificates::good(&host), answer);
        self.make_tier(json!({"allowedPorts": [receiver.port]})).await;
        self.port.set(receiver.port).unwrap();
        let url = format!("https://{host}:{}/hook?token=a-canary", receiver.port);
        self.make_secret(json!({"url": url, "key": KEY}), &receiver.certificates).await;
        receiver
    }

    /// Makes the Secret `hook`.
    pub async fn make_secret(&self, data: Value, certificates: &Certificates) {
        let mut secret: Secret =
            serde_json::from_value(json!({"metadata": {"name": "hook"}, "stringData": data})).unwrap();
        secret.string_data.get_or_insert_default().insert("ca".into(), certificates.ca_pem.clone());
        self.secrets().create(&PostParams::default(), &secret).await.unwrap();
    }

    /// Changes some keys of the Secret `hook`; null takes one away.
    pub async fn change_secret(&self, data: Value) {
        let patch = Patch::Merge(json!({"stringData": data}));
        self.secrets().patch("hook", &PatchParams::default(), &patch).await.unwrap();
    }

    /// The Secrets of the namespace.
    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.cluster.client.clone(), &self.namespace)
    }

    /// The Jobs of the namespace.
    pub fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.cluster.client.clone(), &self.namespace)
    }

    /// Makes a schedule that isn't due for months, with this body, from the keys `url`, `key` and `ca` of the Secret `hook`.
    pub async fn make_schedule(&self, name: &str, body: &str) {
        self.make_schedule_with(name, json!({"body": {"inline": body}})).await;
    }

    /// The same, with these fields of the spec instead.
    pub async fn make_schedule_with(&self, name: &str, change: Value) {
        let hook = |key: &str| json!({"secretKeyRef": {"name": "hook", "key": key}});
        let mut spec = json!({
            "schedule": "@yearly",
            // The minutes that tests make Jobs for passed a while ago.
            "startingDeadlineSeconds": 3_600,
            "target": {"urlFrom": hook("url"), "tls": {"caBundleFrom": hook("ca")}},
            "body": {"inline": "{}"},
            "signing": {"keysFrom": [hook("key")]},
        });
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let schedule: WebhookSchedule = serde_json::from_value(json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "metadata": {"name": name}, "spec": spec,
        }))
        .unwrap();
        self.schedules.create(&PostParams::default(), &schedule).await.unwrap();
        if let Some(port) = self.port.get() {
            // The operator learns of the tier and of the schedule by different watches.
            self.may_use_port(name, *port).await;
        }
    }

    /// Waits until the deliveries of a schedule may use this port of the tier's, and no other.
    pub async fn may_use_port(&self, schedule: &str, port: u16) {
        let allowed = format!("allowedPorts\\\":[{port}]");
        let is_told = |cron_job: &CronJob| json!(cron_job).to_string().contains(&allowed);
        self.cron_job(schedule, "the tier's port in the delivery", is_told).await;
    }

    /// Changes a schedule (RFC 7386).
    pub async fn change(&self, schedule: &str, change: Value) {
        self.schedules.patch(schedule, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    }

    /// Waits until the operator has acted on this generation of a schedule: it has acted on all that was so before.
    pub async fn is_at_generation(&self, schedule: &str, generation: i64) {
        eventually(&format!("generation {generation} of {schedule} to be seen"), async || {
            let status = self.status(schedule).await;
            if status.observed_generation == Some(generation) { Ok(()) } else { Err(status) }
        })
        .await;
    }

    /// Asks for a delivery at once.
    pub async fn trigger(&self, schedule: &str, value: &str) {
        self.change(schedule, json!({"metadata": {"annotations": {TRIGGER_ANNOTATION: value}}})).await;
    }

    /// Asks for a check.
    pub async fn ask_for_check(&self, schedule: &str, value: &str) {
        self.change(schedule, json!({"metadata": {"annotations": {CHECK_ANNOTATION: value}}})).await;
    }

    /// Waits until the CronJob of a schedule is as `what` says.
    pub async fn cron_job(&self, schedule: &str, what: &str, met: impl Fn(&CronJob) -> bool) -> CronJob {
        let name = names::cron_job(schedule);
        eventually(what, async || match self.cron_jobs.get(&name).await {
            Ok(cron_job) if met(&cron_job) => Ok(cron_job),
            other => Err(other.map(|cron_job| cron_job.spec.suspend)),
        })
        .await
    }

    /// Does what the CronJob controller does at a due minute: makes the Job of this minute.
    pub async fn tick(&self, schedule: &str) -> Job {
        self.tick_of(schedule, 0).await
    }

    /// Does what the CronJob controller does for a minute that was due so many minutes ago.
    pub async fn tick_of(&self, schedule: &str, minutes_ago: u64) -> Job {
        let job = self.job_of(schedule, minutes_ago).await;
        self.jobs().create(&PostParams::default(), &job).await.unwrap()
    }

    /// The Job that the CronJob controller would make for a minute that was due so many minutes ago.
    pub async fn job_of(&self, schedule: &str, minutes_ago: u64) -> Job {
        let cron_job = self.cron_job(schedule, "the CronJob", |_| true).await;
        let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 - minutes_ago;
        let template = cron_job.spec.job_template.clone();
        let mut job = Job { metadata: template.metadata.unwrap_or_default(), spec: template.spec, status: None };
        job.metadata.name = Some(format!("{}-{minutes}", cron_job.name_any()));
        let owner = cron_job.controller_owner_ref(&()).unwrap();
        job.metadata.owner_references = Some(vec![OwnerReference { block_owner_deletion: None, ..owner }]);
        job
    }

    /// What the operator says of a schedule.
    pub async fn status(&self, schedule: &str) -> WebhookScheduleStatus {
        self.schedules.get(schedule).await.unwrap().status.unwrap_or_default()
    }

    /// Waits until so many deliveries of a schedule are recorded, and returns them, the latest first.
    pub async fn deliveries(&self, schedule: &str, count: usize) -> Vec<DeliveryStatus> {
        let recent = eventually(&format!("{count} deliveries of {schedule} in its status"), async || {
            let status = self.status(schedule).await;
            let recent = status.recent_deliveries;
            if recent.len() >= count { Ok(recent) } else { Err((recent, status.conditions)) }
        })
        .await;
        assert_eq!(recent.len(), count, "{recent:?}");
        recent
    }

    /// Waits until a condition of a schedule has a status and reason, and returns its message.
    pub async fn condition(&self, schedule: &str, kind: &str, status: &str, reason: &str) -> String {
        eventually(&format!("{kind} to be {status} for {reason}"), async || {
            let conditions = self.status(schedule).await.conditions;
            let found = conditions.iter().find(|condition| condition.type_ == kind);
            let met = found.filter(|condition| condition.status == status && condition.reason == reason);
            met.map(|condition| condition.message.clone()).ok_or(conditions)
        })
        .await
    }

    /// The Events of this reason about schedules: their notes and how often each happened.
    pub async fn events(&self, reason: &str) -> Vec<(String, i32)> {
        let events: Api<Event> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        let all = events.list(&ListParams::default()).await.unwrap().items;
        let these = all.into_iter().filter(|event| {
            let about = event.regarding.as_ref().and_then(|about| about.kind.as_deref());
            about == Some("WebhookSchedule") && event.reason.as_deref() == Some(reason)
        });
        these.map(|event| (event.note.unwrap_or_default(), event.series.map_or(1, |series| series.count))).collect()
    }

    /// Waits until Events of this reason were told so often, and returns them. They are told after the status.
    pub async fn told(&self, reason: &str, count: i32) -> Vec<(String, i32)> {
        eventually(&format!("{reason} to be told {count} times"), async || {
            let events = self.events(reason).await;
            if events.iter().map(|(_, count)| count).sum::<i32>() >= count { Ok(events) } else { Err(events) }
        })
        .await
    }
}
