//! What `kubectl apply` refuses because of a tier: for whom, and when.

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use postern::api::{TIER_LABEL, WebhookSchedule, WebhookTier};
use postern_e2e::{Cluster, eventually};
use serde_json::{Value, json};

use super::{make, said, words};
use crate::api::submit::Draft;

/// A tier, and a namespace that is in it.
struct Tier {
    name: &'static str,
    namespace: String,
    attempts: u32,
    timeout: u32,
    body: usize,
}

/// A default tier, one that allows more and one that allows less. The CRD's own limits are wider than all of theirs.
fn tiers(unlabelled: &str) -> [Tier; 3] {
    [
        Tier { name: "usual", namespace: unlabelled.into(), attempts: 6, timeout: 31, body: 100 },
        Tier { name: "large", namespace: "in-large".into(), attempts: 19, timeout: 59, body: 65_535 },
        Tier { name: "small", namespace: "in-small".into(), attempts: 2, timeout: 14, body: 0 },
    ]
}

pub(super) async fn all(cluster: &Cluster, unlabelled: &str) {
    let tiers = tiers(unlabelled);
    make(cluster, &tiers.each_ref().map(Tier::object));
    make(cluster, &[tiers[1].namespace(), tiers[2].namespace()]);
    for tier in &tiers {
        each_rule_holds_at_its_edge_in_its_own_tier_alone(cluster, tier).await;
    }
    what_the_crd_fills_in_counts_as_well(cluster, &tiers[2]).await;
    a_change_that_leaves_the_tier_is_refused(cluster, &tiers[0]).await;
    a_lowered_tier_holds_up_nothing_but_changes_of_the_spec(cluster, &tiers[0]).await;
    an_unknown_tier_is_left_to_the_operator(cluster, &tiers[2]).await;
    without_any_tier_all_is_left_to_the_operator(cluster, &tiers[0]).await;
}

impl Tier {
    fn object(&self) -> Value {
        json!({
            "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookTier", "metadata": {"name": self.name},
            "spec": {
                "default": self.name == "usual", "minInterval": "1m", "maxSchedules": 10, "maxDeliveriesPerHour": 40,
                "maxAttempts": self.attempts, "maxTimeoutSeconds": self.timeout, "maxBodyBytes": self.body,
            },
        })
    }

    fn namespace(&self) -> Value {
        let metadata = json!({"name": self.namespace, "labels": {TIER_LABEL: self.name}});
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    }

    async fn admits(&self, cluster: &Cluster, draft: Draft) {
        let answer = draft.submit(cluster, &self.namespace).await;
        answer.unwrap_or_else(|refusal| panic!("{}: {refusal:?}", self.name));
    }

    /// Asserts that the tier refuses a schedule with exactly these words, once the API server knows the tier's current state.
    async fn refuses(&self, cluster: &Cluster, draft: Draft, words: &str) {
        eventually(words, async || match draft.submit(cluster, &self.namespace).await {
            Err(lines) if lines.iter().map(|line| said(line)).eq([words]) => Ok(()),
            other => Err(other),
        })
        .await;
    }

    fn schedules(&self, cluster: &Cluster) -> Api<WebhookSchedule> {
        Api::namespaced(cluster.client.clone(), &self.namespace)
    }
}

fn draft(attempts: u32, timeout: u32) -> Draft {
    Draft::schedule().with("spec.delivery", json!({"attempts": attempts, "timeoutSeconds": timeout}))
}

/// A body with this many bytes, and half as many characters.
fn body(bytes: usize) -> Value {
    json!({"inline": "ä".repeat(bytes / 2) + &"a".repeat(bytes % 2)})
}

async fn each_rule_holds_at_its_edge_in_its_own_tier_alone(cluster: &Cluster, tier: &Tier) {
    let Tier { name, attempts, timeout, body: bytes, .. } = *tier;
    let (more_attempts, longer, larger) = (attempts + 1, timeout + 1, bytes + 1);
    for (draft, words) in [
        (
            draft(more_attempts, timeout),
            format!("spec.delivery.attempts: {more_attempts} is more than tier {name} allows: at most {attempts}"),
        ),
        (
            draft(attempts, longer),
            format!("spec.delivery.timeoutSeconds: {longer} is more than tier {name} allows: at most {timeout}"),
        ),
        (
            draft(attempts, timeout).with("spec.body", body(larger)),
            format!("spec.body.inline: {larger} bytes are more than tier {name} allows: at most {bytes}"),
        ),
    ] {
        tier.refuses(cluster, draft, &words).await;
    }
    tier.admits(cluster, draft(attempts, timeout)).await;
    tier.admits(cluster, draft(attempts, timeout).with("spec.body", body(bytes))).await;
}

async fn what_the_crd_fills_in_counts_as_well(cluster: &Cluster, tier: &Tier) {
    let words = "spec.delivery.attempts: 5 is more than tier small allows: at most 2";
    tier.refuses(cluster, Draft::schedule(), words).await;
}

async fn patch(schedules: &Api<WebhookSchedule>, change: Value) -> Result<WebhookSchedule, String> {
    schedules.patch("draft", &PatchParams::default(), &Patch::Merge(change)).await.map_err(words)
}

async fn a_change_that_leaves_the_tier_is_refused(cluster: &Cluster, tier: &Tier) {
    let schedules = tier.schedules(cluster);
    let schedule = serde_json::from_value(draft(6, 31).0).unwrap();
    schedules.create(&PostParams::default(), &schedule).await.unwrap();
    let refusal = patch(&schedules, json!({"spec": {"delivery": {"attempts": 7}}})).await.unwrap_err();
    assert_eq!(refusal, "spec.delivery.attempts: 7 is more than tier usual allows: at most 6");
}

async fn a_lowered_tier_holds_up_nothing_but_changes_of_the_spec(cluster: &Cluster, tier: &Tier) {
    let schedules = tier.schedules(cluster);
    make(cluster, &[Tier { attempts: 5, namespace: String::new(), ..*tier }.object()]);
    let lowered = "spec.delivery.attempts: 6 is more than tier usual allows: at most 5";
    tier.refuses(cluster, draft(6, 31), lowered).await;

    let metadata = json!({"annotations": {"seen": "by the owner"}, "finalizers": ["example.com/hold"]});
    patch(&schedules, json!({"metadata": metadata})).await.unwrap();
    let status = Patch::Merge(json!({"status": {"tier": "usual"}}));
    schedules.patch_status("draft", &PatchParams::default(), &status).await.unwrap();
    let refusal = patch(&schedules, json!({"spec": {"suspend": true}})).await.unwrap_err();
    assert_eq!(refusal, lowered);

    schedules.delete("draft", &DeleteParams::default()).await.unwrap();
    let held = schedules.get("draft").await.unwrap();
    assert_eq!(held.spec.delivery.attempts, 6);
    assert!(held.metadata.deletion_timestamp.is_some());
    patch(&schedules, json!({"metadata": {"finalizers": null}})).await.unwrap();
    assert!(schedules.get_opt("draft").await.unwrap().is_none());
}

/// More than any of the tiers allows.
fn excess() -> Draft {
    draft(20, 60).with("spec.body", body(65_536))
}

async fn an_unknown_tier_is_left_to_the_operator(cluster: &Cluster, tier: &Tier) {
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    // An empty name counts as a name, too.
    for name in ["unheard-of", ""] {
        let label = Patch::Merge(json!({"metadata": {"labels": {TIER_LABEL: name}}}));
        namespaces.patch(&tier.namespace, &PatchParams::default(), &label).await.unwrap();
        eventually("no tier's rules to apply", async || excess().submit(cluster, &tier.namespace).await).await;
    }
}

async fn without_any_tier_all_is_left_to_the_operator(cluster: &Cluster, tier: &Tier) {
    assert!(excess().submit(cluster, &tier.namespace).await.is_err());
    let tiers: Api<WebhookTier> = Api::all(cluster.client.clone());
    for tier in tiers.list(&ListParams::default()).await.unwrap() {
        tiers.delete(&tier.name_any(), &DeleteParams::default()).await.unwrap();
    }
    eventually("no tier's rules to apply", async || excess().submit(cluster, &tier.namespace).await).await;
}
