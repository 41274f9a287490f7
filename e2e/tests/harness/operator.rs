//! An operator for the tests of what it does, and the clock that it depends on.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use postern::api::{TIER_LABEL, WebhookSchedule, WebhookTier};
use postern::operator;
use postern::operator::settings::Settings;
use serde_json::{Value, json};

use super::{Certificates, Cluster, Network, eventually, install_crds};

/// The tier of the tests' namespaces: all that is not public in it is the cluster's internet.
const TIER: &str = "e2e-operator";

const SETTINGS: &str = "
sender: {image: postern.dev/e2e/postern-sender:latest, imagePullPolicy: Never}
nameServers: [10.96.0.10]
nameServerPods:
- namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
  podSelector: {matchLabels: {k8s-app: kube-dns}}
clusterCIDRs: [10.244.0.0/16, 10.96.0.0/16, 192.168.77.0/24, 'fd00:244::/48', 'fd00:96::/112']
";

/// A namespace of tenants, in a cluster that an operator works on.
pub struct Tenant {
    pub cluster: Cluster,
    pub namespace: String,
    pub schedules: Api<WebhookSchedule>,
    pub cron_jobs: Api<CronJob>,
}

impl Tenant {
    /// Puts the namespace into the tests' tier. The operator is started once, and ends with the tests.
    pub async fn new(cluster: Cluster, namespace: String) -> Self {
        static STARTED: OnceLock<()> = OnceLock::new();
        install_crds(&cluster).await;
        let tier: WebhookTier = serde_json::from_value(json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookTier", "metadata": {"name": TIER},
            "spec": {
                "minInterval": "1m", "maxSchedules": 100, "maxDeliveriesPerHour": 6000,
                "allowedCIDRs": ["203.0.113.0/24", "198.51.100.0/24"],
                "allowedPorts": [8443],
            },
        }))
        .unwrap();
        let apply = PatchParams::apply("e2e").force();
        Api::<WebhookTier>::all(cluster.client.clone()).patch(TIER, &apply, &Patch::Apply(&tier)).await.unwrap();
        STARTED.get_or_init(|| {
            let (dir, pid) = (cluster.dir.clone(), cluster.pid);
            postern::sender::log_to_stderr();
            Network::of_node(pid).spawn(move || async move {
                let client = super::cluster::client(&dir, "admin").await;
                operator::run(client, Settings::read(SETTINGS, "").unwrap(), std::future::pending()).await;
            });
        });
        let client = &cluster.client;
        let tenant = Self {
            schedules: Api::namespaced(client.clone(), &namespace),
            cron_jobs: Api::namespaced(client.clone(), &namespace),
            cluster: cluster.clone(),
            namespace,
        };
        tenant.set_tier(TIER).await;
        tenant
    }

    /// Names the tier of the namespace.
    pub async fn set_tier(&self, tier: &str) {
        let label = Patch::Merge(json!({"metadata": {"labels": {TIER_LABEL: tier}}}));
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        namespaces.patch(&self.namespace, &PatchParams::default(), &label).await.unwrap();
    }

    /// Makes the Secret `hook`.
    pub async fn make_secret(&self, data: Value, certificates: &Certificates) {
        let mut secret: Secret =
            serde_json::from_value(json!({"metadata": {"name": "hook"}, "stringData": data})).unwrap();
        secret.string_data.get_or_insert_default().insert("ca".into(), certificates.ca_pem.clone());
        let secrets: Api<Secret> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        secrets.create(&PostParams::default(), &secret).await.unwrap();
    }

    /// Makes a schedule that isn't due for months, with this body, from the keys `url`, `key` and `ca` of the Secret `hook`.
    pub async fn make_schedule(&self, name: &str, body: &str) {
        let hook = |key: &str| json!({"secretKeyRef": {"name": "hook", "key": key}});
        let schedule: WebhookSchedule = serde_json::from_value(json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "metadata": {"name": name},
            "spec": {
                "schedule": "@yearly",
                "target": {"urlFrom": hook("url"), "tls": {"caBundleFrom": hook("ca")}},
                "body": {"inline": body},
                "signing": {"keysFrom": [hook("key")]},
            },
        }))
        .unwrap();
        self.schedules.create(&PostParams::default(), &schedule).await.unwrap();
    }

    /// Waits until the CronJob of a schedule is as `what` says.
    pub async fn cron_job(&self, schedule: &str, what: &str, met: impl Fn(&CronJob) -> bool) -> CronJob {
        let name = operator::names::cron_job(schedule);
        eventually(what, async || match self.cron_jobs.get(&name).await {
            Ok(cron_job) if met(&cron_job) => Ok(cron_job),
            other => Err(other.map(|cron_job| cron_job.spec.suspend)),
        })
        .await
    }

    /// Does what the CronJob controller does at a due minute: makes the Job of this minute.
    pub async fn tick(&self, schedule: &str) {
        let cron_job = self.cron_job(schedule, "the CronJob", |_| true).await;
        let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60;
        let template = cron_job.spec.job_template.clone();
        let mut job = Job { metadata: template.metadata.unwrap_or_default(), spec: template.spec, status: None };
        job.metadata.name = Some(format!("{}-{minutes}", cron_job.name_any()));
        job.metadata.owner_references = Some(vec![k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
            api_version: "batch/v1".into(),
            kind: "CronJob".into(),
            name: cron_job.name_any(),
            uid: cron_job.uid().unwrap(),
            controller: Some(true),
            block_owner_deletion: None,
        }]);
        let jobs: Api<Job> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        jobs.create(&PostParams::default(), &job).await.unwrap();
    }

    /// Waits until a condition of a schedule has a status and reason, and returns its message.
    pub async fn condition(&self, schedule: &str, kind: &str, status: &str, reason: &str) -> String {
        eventually(&format!("{kind} to be {status} for {reason}"), async || {
            let conditions = self.schedules.get(schedule).await.unwrap().status.unwrap_or_default().conditions;
            let found = conditions.iter().find(|condition| condition.type_ == kind);
            let met = found.filter(|condition| condition.status == status && condition.reason == reason);
            met.map(|condition| condition.message.clone()).ok_or(conditions)
        })
        .await
    }
}
