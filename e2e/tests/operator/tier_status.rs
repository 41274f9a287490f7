//! What the operator says of tiers, and whom it wakes when a tier or a namespace's label changes: on a cluster of its own, since
//! a default is one for all of it. The operator works on all of it with the rights that it is installed with.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use postern::api::{TIER_LABEL, WebhookSchedule, WebhookTier, WebhookTierStatus};
use postern::operator::names;
use postern_e2e::{Cluster, DedicatedCluster, OPERATOR, OperatorProcess, eventually, install_crds, on};
use serde_json::{Value, json};

/// Who reads the operator's metrics.
const SCRAPER: &str = "system:serviceaccount:default:scraper";

/// A cluster with tiers, an operator, and who looks at both.
struct Admin {
    cluster: Cluster,
    tiers: Api<WebhookTier>,
    namespaces: Api<Namespace>,
    operator: OperatorProcess,
}

#[test]
fn tiers_say_who_uses_them_and_a_change_wakes_only_those() {
    let own = DedicatedCluster::new("tier-status");
    own.up();
    on(&own.name, |cluster, _| async move {
        install_crds(&cluster).await;
        let operator = OperatorProcess::leading(&cluster).await;
        let (tiers, namespaces) = (Api::all(cluster.client.clone()), Api::all(cluster.client.clone()));
        let admin = Admin { cluster, tiers, namespaces, operator };
        a_tier_says_how_many_use_it_and_follows_schedules_labels_and_defaults(&admin).await;
        a_changed_tier_or_label_wakes_the_schedules_that_it_concerns_and_no_others(&admin).await;
    });
}

impl Admin {
    async fn make_tier(&self, name: &str, default: bool) {
        let tier: WebhookTier = serde_json::from_value(json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookTier", "metadata": {"name": name},
            "spec": {"default": default, "minInterval": "1m", "maxSchedules": 1000, "maxDeliveriesPerHour": 6000},
        }))
        .unwrap();
        self.tiers.create(&PostParams::default(), &tier).await.unwrap();
    }

    async fn change_tier(&self, name: &str, spec: Value) {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.tiers.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    async fn make_namespace(&self, name: &str, labels: Value) {
        let namespace = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap();
        self.namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    }

    async fn change_namespace(&self, name: &str, metadata: Value) {
        let patch = Patch::Merge(json!({"metadata": metadata}));
        self.namespaces.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    fn schedules(&self, namespace: &str) -> Api<WebhookSchedule> {
        Api::namespaced(self.cluster.client.clone(), namespace)
    }

    /// Makes a schedule that isn't due for weeks.
    async fn make_schedule(&self, namespace: &str, name: &str) {
        let from = |key: &str| json!({"secretKeyRef": {"name": "hook", "key": key}});
        let schedule: WebhookSchedule = serde_json::from_value(json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "metadata": {"name": name},
            "spec": {
                "schedule": "@yearly", "target": {"urlFrom": from("url")}, "body": {"inline": "{}"},
                "signing": {"keysFrom": [from("key")]},
            },
        }))
        .unwrap();
        self.schedules(namespace).create(&PostParams::default(), &schedule).await.unwrap();
    }

    /// Waits until a tier is used by so many namespaces and schedules and Ready for this reason; returns its status.
    async fn tier_is(&self, tier: &str, used: (u32, u32), reason: &str) -> WebhookTierStatus {
        eventually(&format!("tier {tier} to be used by {used:?} and {reason}"), async || {
            let seen = self.tiers.get(tier).await.unwrap();
            let status = seen.status.unwrap_or_default();
            let is_so = (status.namespaces, status.schedules) == used
                && status.observed_generation == seen.metadata.generation
                && status.conditions.iter().any(|condition| condition.type_ == "Ready" && condition.reason == reason);
            if is_so { Ok(status) } else { Err(status) }
        })
        .await
    }

    /// Waits until a schedule is accepted in a tier, or not accepted for a reason.
    async fn schedule_is(&self, namespace: &str, name: &str, expected: Result<&str, &str>) {
        eventually(&format!("{namespace}/{name} to be {expected:?}"), async || {
            let status = self.schedules(namespace).get(name).await.unwrap().status.unwrap_or_default();
            let accepted = status.conditions.iter().find(|condition| condition.type_ == "Accepted");
            let is_so = accepted.is_some_and(|accepted| match expected {
                Ok(tier) => accepted.status == "True" && status.tier.as_deref() == Some(tier),
                Err(reason) => accepted.status == "False" && accepted.reason == reason,
            });
            if is_so { Ok(()) } else { Err(status.conditions) }
        })
        .await;
    }

    /// Waits until the CronJobs of these schedules deliver to this port.
    async fn deliver_to(&self, namespace: &str, schedules: &[String], port: u16) {
        let cron_jobs: Api<CronJob> = Api::namespaced(self.cluster.client.clone(), namespace);
        for schedule in schedules {
            eventually(&format!("{namespace}/{schedule} to deliver to {port}"), async || {
                let cron_job = json!(cron_jobs.get(&names::cron_job(schedule)).await.map_err(|e| e.to_string())?);
                let has_it = cron_job.to_string().contains(&format!("allowedPorts\\\":[{port}]"));
                if has_it { Ok(()) } else { Err("it doesn't".to_owned()) }
            })
            .await;
        }
    }

    /// Makes somebody who may read the operator's metrics, and returns a token.
    async fn scraper(&self) -> String {
        let kubectl = |arguments: &str| {
            let command: Vec<_> = ["kubectl"].into_iter().chain(arguments.split(' ')).collect();
            self.cluster.run(&command, "")
        };
        kubectl("create serviceaccount scraper").unwrap();
        kubectl(
            "create clusterrolebinding scraper --clusterrole=postern-metrics-reader --serviceaccount=default:scraper",
        )
        .unwrap();
        // The operator remembers for a minute what it was told.
        let question = format!("auth can-i get /metrics --as {SCRAPER}");
        eventually("the binding to be seen", async || kubectl(&question)).await;
        kubectl("create token scraper").unwrap().trim().to_owned()
    }

    /// How many reconciles of schedules there were.
    async fn reconciles(&self, token: &str) -> u64 {
        let (status, text) = eventually("the metrics", async || self.operator.scrape(Some(token)).await).await;
        assert_eq!(status, 200, "{text}");
        let counts = text.lines().filter(|line| line.starts_with("postern_reconciles_total{"));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// The same once the operator is at rest: it puts some reconciles off by a second.
    async fn reconciles_at_rest(&self, token: &str) -> u64 {
        let mut before = self.reconciles(token).await;
        eventually("the operator to be at rest", async || {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let now = self.reconciles(token).await;
            if now == mem::replace(&mut before, now) { Ok(now) } else { Err(now) }
        })
        .await
    }

    /// What the operator was answered when it wrote the status of tiers.
    fn answers(&self) -> BTreeMap<u64, usize> {
        let mut answers = BTreeMap::new();
        for request in self.cluster.requests_of(OPERATOR, 0) {
            if request.writes() && request.resource.starts_with("webhooktiers") {
                *answers.entry(request.code).or_default() += 1;
            }
        }
        answers
    }
}

async fn a_tier_says_how_many_use_it_and_follows_schedules_labels_and_defaults(admin: &Admin) {
    admin.make_tier("free", true).await;
    admin.make_tier("premium", false).await;
    admin.make_namespace("team-a", json!({})).await;
    admin.make_namespace("team-b", json!({TIER_LABEL: "premium"})).await;
    admin.tier_is("free", (0, 0), "Ready").await;
    for (namespace, name) in [("team-a", "one"), ("team-a", "two"), ("team-b", "one")] {
        admin.make_schedule(namespace, name).await;
    }
    admin.tier_is("free", (1, 2), "Ready").await;
    admin.tier_is("premium", (1, 1), "Ready").await;

    admin.schedules("team-a").delete("two", &DeleteParams::default()).await.unwrap();
    admin.tier_is("free", (1, 1), "Ready").await;
    admin.change_namespace("team-a", json!({"labels": {TIER_LABEL: "premium"}})).await;
    admin.schedule_is("team-a", "one", Ok("premium")).await;
    admin.tier_is("free", (0, 0), "Ready").await;
    admin.tier_is("premium", (2, 2), "Ready").await;
    admin.change_namespace("team-a", json!({"labels": {TIER_LABEL: null}})).await;
    admin.schedule_is("team-a", "one", Ok("free")).await;
    admin.tier_is("free", (1, 1), "Ready").await;

    // Of two defaults, neither is in force; each says so.
    admin.change_tier("premium", json!({"default": true})).await;
    admin.schedule_is("team-a", "one", Err("SeveralDefaultTiers")).await;
    for (tier, used, other) in [("free", (0, 0), "premium"), ("premium", (1, 1), "free")] {
        let ready = admin.tier_is(tier, used, "SeveralDefaultTiers").await.conditions.remove(0);
        assert_eq!(ready.status, "False");
        assert_eq!(
            ready.message,
            format!(
                "spec.default: it is true here and in {other}: set it to false in all but one; until then, namespaces \
                 without the label postern.dev/tier are in no tier"
            )
        );
    }
    admin.change_tier("free", json!({"default": false})).await;
    admin.schedule_is("team-a", "one", Ok("premium")).await;
    admin.tier_is("free", (0, 0), "Ready").await;
    let ready = admin.tier_is("premium", (2, 2), "Ready").await.conditions.remove(0);
    assert_eq!((ready.status.as_str(), ready.observed_generation), ("True", Some(2)));

    // A default that is deleted, and made again.
    admin.tiers.delete("premium", &DeleteParams::default()).await.unwrap();
    admin.schedule_is("team-a", "one", Err("NoDefaultTier")).await;
    admin.schedule_is("team-b", "one", Err("TierNotFound")).await;
    admin.make_tier("premium", true).await;
    admin.schedule_is("team-a", "one", Ok("premium")).await;
    admin.schedule_is("team-b", "one", Ok("premium")).await;
    admin.tier_is("premium", (2, 2), "Ready").await;

    let answers = admin.answers();
    assert!(answers.keys().all(|code| matches!(code, 200 | 404 | 409)), "{answers:?}");
}

async fn a_changed_tier_or_label_wakes_the_schedules_that_it_concerns_and_no_others(admin: &Admin) {
    for tier in ["many", "few", "other"] {
        admin.make_tier(tier, false).await;
    }
    admin.change_tier("other", json!({"allowedPorts": [8444]})).await;
    admin.make_namespace("team-many", json!({TIER_LABEL: "many"})).await;
    admin.make_namespace("team-few", json!({TIER_LABEL: "few"})).await;
    let many: Vec<_> = (0..50).map(|number| format!("schedule-{number}")).collect();
    for schedule in &many {
        admin.make_schedule("team-many", schedule).await;
    }
    let few = ["alone".to_owned()];
    admin.make_schedule("team-few", "alone").await;
    let token = admin.scraper().await;
    for schedule in &many {
        admin.schedule_is("team-many", schedule, Ok("many")).await;
    }
    admin.tier_is("many", (1, 50), "Ready").await;
    // What was changed last is told last: an operator that has dealt with it has heard of all before.
    admin.change_tier("few", json!({"allowedPorts": [8442]})).await;
    admin.deliver_to("team-few", &few, 8442).await;
    let settled = admin.reconciles_at_rest(&token).await;

    // The status of the tier of the many, by anybody; and another tier's spec, which the same watch tells of later.
    let status = Patch::Merge(json!({"status": {"schedules": 7}}));
    admin.tiers.patch_status("many", &PatchParams::default(), &status).await.unwrap();
    admin.change_tier("few", json!({"allowedPorts": [8443]})).await;
    admin.deliver_to("team-few", &few, 8443).await;
    let by_tier = admin.reconciles(&token).await;
    assert!((1..25).contains(&(by_tier - settled)), "{} reconciles", by_tier - settled);

    // Of the namespace of the many, what is not its tier; and of another, its tier.
    admin.change_namespace("team-many", json!({"annotations": {"note": "x"}, "labels": {"other": "y"}})).await;
    admin.change_namespace("team-few", json!({"labels": {TIER_LABEL: "other"}})).await;
    admin.deliver_to("team-few", &few, 8444).await;
    let by_label = admin.reconciles(&token).await;
    assert!((1..25).contains(&(by_label - by_tier)), "{} reconciles", by_label - by_tier);

    // And when it is theirs, all are woken.
    admin.change_tier("many", json!({"allowedPorts": [8445]})).await;
    admin.deliver_to("team-many", &many, 8445).await;
    let by_own = admin.reconciles(&token).await;
    assert!(by_own - by_label >= 50, "{} reconciles", by_own - by_label);
    admin.tier_is("many", (1, 50), "Ready").await;
}
