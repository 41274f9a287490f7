//! What the operator says about tiers, and which schedules it wakes when a tier or a namespace's label changes. It works in the
//! whole cluster, since there is one default tier for all of it, with the rights that it is installed with.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use postern::api::{TIER_LABEL, WebhookTier, WebhookTierStatus};
use postern_e2e::{Cluster, DedicatedCluster, OPERATOR, OperatorProcess, Tenant, eventually, install_crds};
use serde_json::{Value, json};

/// The reader of the operator's metrics.
const SCRAPER: &str = "system:serviceaccount:default:scraper";

/// A cluster with an operator for all of it.
struct Watched {
    cluster: Cluster,
    tiers: Api<WebhookTier>,
    operator: OperatorProcess,
}

#[test]
fn tiers_say_who_uses_them_and_a_change_wakes_only_those() {
    DedicatedCluster::control_plane("tier-status").run(|cluster, _| async move {
        install_crds(&cluster).await;
        let operator = OperatorProcess::leading(&cluster).await;
        let watched = Watched { tiers: Api::all(cluster.client.clone()), cluster, operator };
        a_tier_says_how_many_use_it_and_follows_schedules_labels_and_defaults(&watched).await;
        a_changed_tier_or_label_wakes_the_schedules_that_it_concerns_and_no_others(&watched).await;
    });
}

/// Waits until a schedule is accepted in a tier, or is refused for a reason.
async fn schedule_is(tenant: &Tenant, name: &str, expected: Result<&str, &str>) {
    eventually(&format!("{}/{name} to be {expected:?}", tenant.namespace), async || {
        let status = tenant.status(name).await;
        let accepted = status.conditions.iter().find(|condition| condition.type_ == "Accepted");
        let is_so = accepted.is_some_and(|accepted| match expected {
            Ok(tier) => accepted.status == "True" && status.tier.as_deref() == Some(tier),
            Err(reason) => accepted.status == "False" && accepted.reason == reason,
        });
        if is_so { Ok(()) } else { Err(status.conditions) }
    })
    .await;
}

impl Watched {
    async fn make_tier(&self, name: &str, default: bool) {
        self.cluster.make_tier(name, json!({"default": default, "maxSchedules": 1000})).await;
    }

    /// Makes a namespace with these labels.
    async fn make_tenant(&self, namespace: &str, labels: Value) -> Tenant {
        self.cluster.make_namespace(namespace, labels).await;
        Tenant::without_operator(&self.cluster, namespace)
    }

    async fn change_namespace(&self, name: &str, metadata: Value) {
        let namespaces: Api<Namespace> = Api::all(self.cluster.client.clone());
        let patch = Patch::Merge(json!({"metadata": metadata}));
        namespaces.patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Waits until this many namespaces and schedules use a tier and its Ready condition has this reason; returns its status.
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

    /// Makes a user who may read the operator's metrics, and returns a token.
    async fn scraper(&self) -> String {
        let Self { cluster, .. } = self;
        cluster.must_run("kubectl create serviceaccount scraper");
        cluster.must_run(
            "kubectl create clusterrolebinding scraper --clusterrole=postern-metrics-reader --serviceaccount=default:scraper",
        );
        // The operator remembers an answer for a minute, so ask it only once the binding is known.
        let question = format!("kubectl auth can-i get /metrics --as {SCRAPER}");
        eventually("the binding to be seen", async || cluster.run_line(&question)).await;
        cluster.must_run("kubectl create token scraper").trim().to_owned()
    }

    /// The number of reconciles of schedules.
    async fn reconciles(&self, token: &str) -> u64 {
        let (status, text) = eventually("the metrics", async || self.operator.scrape(Some(token)).await).await;
        assert_eq!(status, 200, "{text}");
        let counts = text.lines().filter(|line| line.starts_with("postern_reconciles_total{"));
        counts.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// The same number, once it is greater than `before`: what a reconcile wrote can be seen before it is counted.
    async fn reconciles_after(&self, before: u64, token: &str) -> u64 {
        eventually("a reconcile to be counted", async || {
            let now = self.reconciles(token).await;
            if now > before { Ok(now) } else { Err(now) }
        })
        .await
    }

    /// The same number, once the operator is idle: it delays some reconciles by a second.
    async fn reconciles_at_rest(&self, token: &str) -> u64 {
        let mut before = self.reconciles(token).await;
        eventually("the operator to be at rest", async || {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let now = self.reconciles(token).await;
            if now == mem::replace(&mut before, now) { Ok(now) } else { Err(now) }
        })
        .await
    }

    /// How the API server answered the operator's writes of tiers' status.
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

async fn a_tier_says_how_many_use_it_and_follows_schedules_labels_and_defaults(watched: &Watched) {
    watched.make_tier("free", true).await;
    watched.make_tier("premium", false).await;
    let team_a = watched.make_tenant("team-a", json!({})).await;
    let team_b = watched.make_tenant("team-b", json!({TIER_LABEL: "premium"})).await;
    watched.tier_is("free", (0, 0), "Ready").await;
    for (team, name) in [(&team_a, "one"), (&team_a, "two"), (&team_b, "one")] {
        team.make_schedule(name, "{}").await;
    }
    watched.tier_is("free", (1, 2), "Ready").await;
    watched.tier_is("premium", (1, 1), "Ready").await;

    team_a.schedules.delete("two", &DeleteParams::default()).await.unwrap();
    watched.tier_is("free", (1, 1), "Ready").await;
    watched.change_namespace("team-a", json!({"labels": {TIER_LABEL: "premium"}})).await;
    schedule_is(&team_a, "one", Ok("premium")).await;
    watched.tier_is("free", (0, 0), "Ready").await;
    watched.tier_is("premium", (2, 2), "Ready").await;
    watched.change_namespace("team-a", json!({"labels": {TIER_LABEL: null}})).await;
    schedule_is(&team_a, "one", Ok("free")).await;
    watched.tier_is("free", (1, 1), "Ready").await;

    // With two defaults, neither applies; each says so.
    watched.cluster.change_tier("premium", json!({"default": true})).await;
    schedule_is(&team_a, "one", Err("SeveralDefaultTiers")).await;
    for (tier, used, other) in [("free", (0, 0), "premium"), ("premium", (1, 1), "free")] {
        let ready = watched.tier_is(tier, used, "SeveralDefaultTiers").await.conditions.remove(0);
        assert_eq!(ready.status, "False");
        assert_eq!(
            ready.message,
            format!(
                "spec.default: it is true here and in {other}: set it to false in all but one; until then, namespaces \
                 without the label postern.dev/tier are in no tier"
            )
        );
    }
    watched.cluster.change_tier("free", json!({"default": false})).await;
    schedule_is(&team_a, "one", Ok("premium")).await;
    watched.tier_is("free", (0, 0), "Ready").await;
    let ready = watched.tier_is("premium", (2, 2), "Ready").await.conditions.remove(0);
    assert_eq!((ready.status.as_str(), ready.observed_generation), ("True", Some(2)));

    // A default is deleted, and made again.
    watched.tiers.delete("premium", &DeleteParams::default()).await.unwrap();
    schedule_is(&team_a, "one", Err("NoDefaultTier")).await;
    schedule_is(&team_b, "one", Err("TierNotFound")).await;
    watched.make_tier("premium", true).await;
    schedule_is(&team_a, "one", Ok("premium")).await;
    schedule_is(&team_b, "one", Ok("premium")).await;
    watched.tier_is("premium", (2, 2), "Ready").await;

    let answers = watched.answers();
    assert!(answers.keys().all(|code| matches!(code, 200 | 404 | 409)), "{answers:?}");
}

async fn a_changed_tier_or_label_wakes_the_schedules_that_it_concerns_and_no_others(watched: &Watched) {
    for tier in ["many", "few", "other"] {
        watched.make_tier(tier, false).await;
    }
    watched.cluster.change_tier("other", json!({"allowedPorts": [8444]})).await;
    let team_many = watched.make_tenant("team-many", json!({TIER_LABEL: "many"})).await;
    let team_few = watched.make_tenant("team-few", json!({TIER_LABEL: "few"})).await;
    let many: Vec<_> = (0..50).map(|number| format!("schedule-{number}")).collect();
    for schedule in &many {
        team_many.make_schedule(schedule, "{}").await;
    }
    team_few.make_schedule("alone", "{}").await;
    let token = watched.scraper().await;
    for schedule in &many {
        schedule_is(&team_many, schedule, Ok("many")).await;
    }
    watched.tier_is("many", (1, 50), "Ready").await;
    // The last change is reported last: an operator that has handled it has heard of all earlier ones.
    watched.cluster.change_tier("few", json!({"allowedPorts": [8442]})).await;
    team_few.may_use_port("alone", 8442).await;
    let settled = watched.reconciles_at_rest(&token).await;

    // Somebody writes the status of the tier that has many schedules; and another tier's spec changes, which the same watch
    // reports later.
    let status = Patch::Merge(json!({"status": {"schedules": 7}}));
    watched.tiers.patch_status("many", &PatchParams::default(), &status).await.unwrap();
    watched.cluster.change_tier("few", json!({"allowedPorts": [8443]})).await;
    team_few.may_use_port("alone", 8443).await;
    let by_tier = watched.reconciles_after(settled, &token).await;
    assert!(by_tier - settled < 25, "{} reconciles", by_tier - settled);

    // A change of that tier's namespace that isn't about its tier; and a change of another namespace's tier.
    watched.change_namespace("team-many", json!({"annotations": {"note": "x"}, "labels": {"other": "y"}})).await;
    watched.change_namespace("team-few", json!({"labels": {TIER_LABEL: "other"}})).await;
    team_few.may_use_port("alone", 8444).await;
    let by_label = watched.reconciles_after(by_tier, &token).await;
    assert!(by_label - by_tier < 25, "{} reconciles", by_label - by_tier);

    // When their own tier changes, all are woken.
    watched.cluster.change_tier("many", json!({"allowedPorts": [8445]})).await;
    for schedule in &many {
        team_many.may_use_port(schedule, 8445).await;
    }
    watched.reconciles_after(by_label + 49, &token).await;
    watched.tier_is("many", (1, 50), "Ready").await;
}
