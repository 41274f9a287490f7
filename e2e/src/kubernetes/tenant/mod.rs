//! A tenant's namespace: their Secret, their schedules, their receiver, and the Jobs that Kubernetes makes for them.

mod waits;

use std::io;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource as _, ResourceExt};
use postern::api::{CHECK_ANNOTATION, TRIGGER_ANNOTATION, WebhookSchedule, WebhookScheduleStatus};
use serde_json::{Value, json};

use super::operator::Operator;
use super::{Cluster, install_crds};
use crate::{Certificates, DnsAnswer, Receiver, Stream};

/// A key with which the tests' schedules sign, and with which their receivers verify.
pub const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The address of receivers.
const INTERNET: &str = "198.51.100.10";

/// The path of a schedule in the API.
pub fn schedule_path(namespace: &str, name: &str) -> String {
    format!("/apis/postern.dev/v1alpha1/namespaces/{namespace}/webhookschedules/{name}")
}

/// A tenant's namespace, with what tenants do there.
pub struct Tenant {
    /// The cluster, as its admin.
    pub cluster: Cluster,
    /// The namespace's name. Its tier has the same name, unless it is put in another.
    pub namespace: String,
    /// The schedules of the namespace.
    pub schedules: Api<WebhookSchedule>,
    /// The CronJobs of the namespace.
    pub cron_jobs: Api<CronJob>,
    /// The client of the user who acts in the namespace.
    client: Client,
    settings: Value,
    operator: Option<Operator>,
    port: OnceLock<u16>,
}

impl Tenant {
    /// Makes a tier for the namespace, and starts an operator that works only in it.
    pub async fn new(cluster: Cluster, namespace: String) -> Self {
        Self::with_settings(cluster, namespace, json!({})).await
    }

    /// The same, but these fields replace the usual ones in the operator's configuration.
    pub async fn with_settings(cluster: Cluster, namespace: String, settings: Value) -> Self {
        install_crds(&cluster).await;
        let mut tenant = Self { settings, ..Self::without_operator(&cluster, &namespace) };
        tenant.make_tier(json!({})).await;
        cluster.set_tier(&namespace, &namespace).await;
        tenant.start_operator();
        tenant.operator_has_filled_its_caches().await;
        tenant
    }

    /// Makes nothing and starts no operator: either one works in the whole cluster, or none does.
    pub fn without_operator(cluster: &Cluster, namespace: &str) -> Self {
        Self::acting_as(cluster, namespace, cluster.client.clone())
    }

    /// The same, but everything that needs no admin is done by a user, with that user's rights.
    pub async fn of_user(cluster: &Cluster, namespace: &str, user: &str) -> Self {
        Self::acting_as(cluster, namespace, cluster.client_as(user).await)
    }

    fn acting_as(cluster: &Cluster, namespace: &str, client: Client) -> Self {
        Self {
            cluster: cluster.clone(),
            namespace: namespace.into(),
            schedules: Api::namespaced(client.clone(), namespace),
            cron_jobs: Api::namespaced(client.clone(), namespace),
            client,
            settings: json!({}),
            operator: None,
            port: OnceLock::new(),
        }
    }

    /// Starts the operator again after it has ended.
    pub fn start_operator(&mut self) {
        self.operator = Some(Operator::start(&self.cluster, &self.namespace, &self.settings));
    }

    /// Waits until the operator's caches are filled: objects that are made later are new to it.
    pub async fn operator_has_filled_its_caches(&self) {
        self.operator.as_ref().unwrap().has_filled_its_caches().await;
    }

    /// Tells the operator to stop, and waits until it has ended.
    pub fn stop_operator(&mut self) {
        self.operator.take().unwrap().stop();
    }

    /// Ends the operator at once, whatever it is doing.
    pub fn kill_operator(&mut self) {
        self.operator.take().unwrap().kill();
    }

    /// Makes the namespace's tier, or changes it, as [`Cluster::make_tier`] does.
    pub async fn make_tier(&self, change: Value) {
        self.cluster.make_tier(&self.namespace, change).await;
    }

    /// Changes some fields of the namespace's tier.
    pub async fn change_tier(&self, change: Value) {
        self.cluster.change_tier(&self.namespace, change).await;
    }

    /// Puts the namespace in another tier.
    pub async fn set_tier(&self, tier: &str) {
        self.cluster.set_tier(&self.namespace, tier).await;
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

    /// Makes the Secret `hook`, with these certificates' authority as `ca`.
    pub async fn make_secret(&self, data: Value, certificates: &Certificates) {
        let mut secret: Secret =
            serde_json::from_value(json!({"metadata": {"name": "hook"}, "stringData": data})).unwrap();
        secret.string_data.get_or_insert_default().insert("ca".into(), certificates.ca_pem.clone());
        self.secrets().create(&PostParams::default(), &secret).await.unwrap();
    }

    /// Changes some keys of the Secret `hook`; null removes a key.
    pub async fn change_secret(&self, data: Value) {
        let patch = Patch::Merge(json!({"stringData": data}));
        self.secrets().patch("hook", &PatchParams::default(), &patch).await.unwrap();
    }

    /// The Secrets of the namespace.
    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The Jobs of the namespace.
    pub fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The pods of the namespace.
    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Makes a schedule that isn't due for months, with this body. It uses the keys `url`, `key` and `ca` of the Secret `hook`.
    pub async fn make_schedule(&self, name: &str, body: &str) {
        self.make_schedule_with(name, json!({"body": {"inline": body}})).await;
    }

    /// The same, but these fields replace those of the spec.
    pub async fn make_schedule_with(&self, name: &str, change: Value) {
        let hook = |key: &str| json!({"secretKeyRef": {"name": "hook", "key": key}});
        let mut spec = json!({
            "schedule": "@yearly",
            // Tests make Jobs for minutes that passed some time ago.
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
            // The operator gets to know the tier and the schedule through different watches.
            self.may_use_port(name, *port).await;
        }
    }

    /// Changes a schedule with a merge patch (RFC 7386).
    pub async fn change(&self, schedule: &str, change: Value) {
        self.schedules.patch(schedule, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    }

    /// Sets an annotation of a schedule.
    pub async fn annotate(&self, schedule: &str, annotation: &str, value: &str) {
        self.change(schedule, json!({"metadata": {"annotations": {annotation: value}}})).await;
    }

    /// Asks for a delivery at once.
    pub async fn trigger(&self, schedule: &str, value: &str) {
        self.annotate(schedule, TRIGGER_ANNOTATION, value).await;
    }

    /// Asks for a check.
    pub async fn ask_for_check(&self, schedule: &str, value: &str) {
        self.annotate(schedule, CHECK_ANNOTATION, value).await;
    }

    /// What the operator says about a schedule.
    pub async fn status(&self, schedule: &str) -> WebhookScheduleStatus {
        self.schedules.get(schedule).await.unwrap().status.unwrap_or_default()
    }

    /// Does what the CronJob controller does when a minute is due: makes its Job.
    pub async fn tick(&self, schedule: &str) -> Job {
        self.tick_of(schedule, 0).await
    }

    /// Does what the CronJob controller does for a minute that was due this many minutes ago.
    pub async fn tick_of(&self, schedule: &str, minutes_ago: u64) -> Job {
        let job = self.job_of(schedule, minutes_ago).await;
        self.jobs().create(&PostParams::default(), &job).await.unwrap()
    }

    /// The Job that the CronJob controller would make for a minute that was due this many minutes ago.
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
}
