//! What a tier's status says, and how often it is written.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::PartialObjectMeta;
use serde_json::{Value, json};

use super::*;
use crate::operator::cache::indexed::Indexed;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{caches, minute, schedule, settings, tier};
use crate::operator::tier::membership::Membership;

const NOBODY: Used = Used { namespaces: 0, schedules: 0 };
const IN_FORCE: &str = "the tier is in force";

fn schedules(names: &[(&str, &str)]) -> Vec<WebhookSchedule> {
    let schedule_of = |&(namespace, name): &(&str, &str)| {
        let mut schedule = schedule();
        (schedule.metadata.namespace, schedule.metadata.name) = (Some(namespace.into()), Some(name.into()));
        schedule
    };
    names.iter().map(schedule_of).collect()
}

/// A version of the tier `premium`.
fn version(version: u32) -> Arc<WebhookTier> {
    let mut tier = tier();
    tier.metadata.resource_version = Some(version.to_string());
    tier.metadata.generation = Some(1);
    Arc::new(tier)
}

/// The bodies of the requests.
type Puts = Arc<Mutex<Vec<Value>>>;

/// A reconciler that sees these schedules, all in namespaces of the tier `premium`, with an API server that answers this code.
fn reconciler(seen: &[(&str, &str)], watched: &[&str], code: u16) -> (Arc<TierReconciler>, Puts) {
    let puts = Puts::default();
    let noted = Arc::clone(&puts);
    let client = fake_api::client(move |request| {
        assert_eq!(request.method, "PUT");
        assert_eq!(request.path, "/apis/postern.dev/v1alpha1/webhooktiers/premium/status");
        let mut after = request.body.clone();
        noted.lock().push(request.body);
        let version: u32 = after["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        after["metadata"]["resourceVersion"] = json!((version + 1).to_string());
        (code, after)
    });
    let namespaces = seen.iter().map(|(namespace, _)| *namespace).chain(["in-premium"]);
    let labelled = |name: &str| -> PartialObjectMeta<Namespace> {
        serde_json::from_value(json!({"metadata": {"name": name, "labels": {"postern.dev/tier": "premium"}}})).unwrap()
    };
    let membership = Membership {
        tiers: Indexed::of(vec![(*version(1)).clone()]),
        namespaces: Indexed::of(namespaces.map(labelled).collect()),
    };
    let caches = Caches { schedules: Indexed::of(schedules(seen)), ..caches(&schedule()) };
    let watch_namespaces = watched.iter().map(ToString::to_string).collect();
    let settings = Settings { watch_namespaces, ..settings() };
    let reconciler = TierReconciler::new(client, settings, Arc::new(caches), membership, Arc::default());
    (Arc::new(reconciler), puts)
}

async fn reconcile(tier: Arc<WebhookTier>, reconciler: Arc<TierReconciler>) -> Result<Action, TierStatusError> {
    reconciler.reconcile(tier).await
}

fn is_done(action: &Action) -> bool {
    *action == Action::await_change()
}

#[test]
fn a_lead_that_has_no_effect_is_told() {
    let mut tier = tier();
    for makes_early_jobs in [true, false] {
        assert_eq!(in_force(&tier, makes_early_jobs), IN_FORCE, "it has none");
    }
    tier.spec.lead = "20s".parse().unwrap();
    assert_eq!(in_force(&tier, true), IN_FORCE);
    let told = "the tier is in force, but spec.lead has no effect: it needs Kubernetes 1.37 or later, and a delivery.maxEarly of \
                the installation that isn't 0";
    assert_eq!(in_force(&tier, false), told);
}

#[test]
fn a_tier_without_a_mistake_is_ready_and_counts_its_namespaces_and_schedules() {
    let seen: Vec<_> = schedules(&[("a", "x"), ("a", "y"), ("b", "x")]).iter().map(ObjectRef::from_obj).collect();
    let status = tier_status(&version(1), &[], None, IN_FORCE, Used::of(&seen), minute(0));
    assert_eq!((status.namespaces, status.schedules, status.observed_generation), (2, 3, Some(1)));
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "Ready", "message": "the tier is in force",
        "observedGeneration": 1, "lastTransitionTime": Time(minute(0)),
    });
    assert_eq!(json!(status.conditions), json!([condition]));
}

#[test]
fn the_transition_is_that_of_the_status_and_not_of_the_reason_or_the_generation() {
    let mut tier = (*version(1)).clone();
    let mut go = |generation: i64, rivals: &[&str], problem: Option<&str>, at: i64| {
        tier.metadata.generation = Some(generation);
        let rivals: Vec<_> = rivals.iter().map(ToString::to_string).collect();
        tier.status = Some(tier_status(&tier, &rivals, problem.map(String::from), IN_FORCE, NOBODY, minute(at)));
        let ready = &tier.status.as_ref().unwrap().conditions[0];
        (ready.reason.clone(), ready.observed_generation, ready.last_transition_time.0)
    };
    assert_eq!(go(1, &[], None, 0), ("Ready".into(), Some(1), minute(0)));
    assert_eq!(go(2, &[], None, 1), ("Ready".into(), Some(2), minute(0)));
    assert_eq!(go(3, &["free"], None, 2), ("SeveralDefaultTiers".into(), Some(3), minute(2)));
    assert_eq!(go(4, &[], Some("spec.x"), 3), ("TierInvalid".into(), Some(4), minute(2)));
    assert_eq!(go(5, &[], None, 4), ("Ready".into(), Some(5), minute(4)));
}

#[test]
fn each_of_several_defaults_names_the_others_and_says_what_to_do() {
    let status = tier_status(&version(1), &["basic".into(), "free".into()], None, IN_FORCE, NOBODY, minute(0));
    assert_eq!(status.conditions[0].status, "False");
    assert_eq!(
        status.conditions[0].message,
        "spec.default: it is true here and in basic, free: set it to false in all but one; until then, namespaces without the \
         label postern.dev/tier are in no tier"
    );
}

#[test]
fn what_cannot_be_read_is_named_and_no_mistake_hides_another() {
    let mut tier = (*version(1)).clone();
    assert_eq!(problem_of(&tier, &settings()), None);
    tier.spec.allowed_cidrs = vec!["10.0.0.0/8".into(), "10.0.0.0/33".into()];
    let problem = problem_of(&tier, &settings());
    let invalid = tier_status(&tier, &[], problem.clone(), IN_FORCE, NOBODY, minute(0));
    let message = invalid.conditions[0].message.clone();
    assert_eq!(invalid.conditions[0].reason, "TierInvalid");
    assert!(message.starts_with("spec.allowedCIDRs[1]: "), "{message}");
    assert!(message.ends_with("; nothing is sent from the tier's namespaces until it is corrected"), "{message}");

    let both = tier_status(&tier, &["free".into()], problem, IN_FORCE, NOBODY, minute(0));
    assert_eq!(both.conditions[0].reason, "SeveralDefaultTiers");
    assert!(both.conditions[0].message.ends_with(&message), "{}", both.conditions[0].message);
}

#[test]
fn every_reason_of_a_tier_is_in_the_docs() {
    let page = include_str!("../../../../docs/reasons.md");
    let of_tiers = page.split_once("## A tier's condition").unwrap().1.split("\n## ").next().unwrap();
    for (rivals, problem) in [(vec![], None), (vec!["free".into()], None), (vec![], Some("x".into()))] {
        let reason =
            tier_status(&version(1), &rivals, problem, IN_FORCE, NOBODY, minute(0)).conditions[0].reason.clone();
        assert!(of_tiers.contains(&format!("| `{reason}` |")), "docs/reasons.md lacks {reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_finds_nothing_new_writes_nothing() {
    let (reconciler, puts) = reconciler(&[("a", "x"), ("b", "x")], &[], 200);
    assert!(is_done(&reconcile(version(1), reconciler.clone()).await.unwrap()));
    let mut written: WebhookTier = serde_json::from_value(puts.lock().remove(0)).unwrap();
    assert_eq!(written.metadata.resource_version.as_deref(), Some("1"), "only this version may be replaced");
    let status = written.status.as_ref().unwrap();
    assert_eq!((status.namespaces, status.schedules), (2, 2));
    tokio::time::advance(PACE).await;
    written.metadata.resource_version = Some("2".into());
    assert!(is_done(&reconcile(Arc::new(written), reconciler).await.unwrap()));
    assert_eq!(puts.lock().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn however_often_a_tier_changes_it_is_written_at_its_pace_and_in_the_end() {
    let (reconciler, puts) = reconciler(&[("a", "x")], &[], 200);
    let tick = Duration::from_millis(100);
    let mut waits = Vec::new();
    // Each reconcile sees a version with an outdated status: something has always changed.
    for changed in 1..=100 {
        let action = reconcile(version(10 * changed), reconciler.clone()).await.unwrap();
        waits.push(!is_done(&action));
        tokio::time::advance(tick).await;
    }
    assert!(!waits[0], "the first change at rest is written at once");
    assert_eq!(puts.lock().len(), 5, "ten seconds of changes without end");
    assert!(waits[99], "what was not written is looked at again");
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_not_written_again_while_the_watch_is_late() {
    let (reconciler, puts) = reconciler(&[("a", "x")], &[], 200);
    reconcile(version(1), reconciler.clone()).await.unwrap();
    tokio::time::advance(10 * PACE).await;
    assert_eq!(reconcile(version(1), reconciler.clone()).await.unwrap(), Action::requeue(PACE));
    assert_eq!(puts.lock().len(), 1);
    reconcile(version(3), reconciler).await.unwrap();
    assert_eq!(puts.lock().len(), 2);
}

#[tokio::test]
async fn a_tier_that_changed_meanwhile_is_looked_at_again_and_one_that_is_gone_is_not() {
    let (conflict, _) = reconciler(&[], &[], 409);
    assert_eq!(reconcile(version(1), conflict).await.unwrap(), Action::requeue(PACE));
    let (gone, _) = reconciler(&[], &[], 404);
    assert!(is_done(&reconcile(version(1), gone).await.unwrap()));
    let (forbidden, _) = reconciler(&[], &[], 403);
    let error = reconcile(version(1), forbidden).await.err().unwrap();
    assert!(error.to_string().starts_with("status of the WebhookTier premium: "), "{error}");
}

/// A version of the tier after another operator has written its status, when the tier had this generation.
fn written_by_another(resource_version: u32, generation: i64) -> Arc<WebhookTier> {
    let mut tier = (*version(resource_version)).clone();
    let used = Used { namespaces: 3, schedules: 12 };
    let status = tier_status(&tier, &[], None, IN_FORCE, used, minute(0));
    tier.status = Some(WebhookTierStatus { observed_generation: Some(generation), ..status });
    Arc::new(tier)
}

#[tokio::test(start_paused = true)]
async fn an_operator_of_some_namespaces_counts_the_users_of_their_tiers_alone() {
    let written = async |reconciler: &Arc<TierReconciler>, puts: &Puts, version: Arc<WebhookTier>| {
        reconcile(version, reconciler.clone()).await.unwrap();
        puts.lock().len()
    };
    let (elsewhere, puts) = reconciler(&[("a", "x")], &["other"], 200);
    assert_eq!(written(&elsewhere, &puts, written_by_another(1, 1)).await, 0, "its namespace has no label");
    let mut default = (*written_by_another(1, 1)).clone();
    default.spec.default = true;
    assert_eq!(written(&elsewhere, &puts, Arc::new(default)).await, 1, "and so may be in the default");
    // The namespace has left the tier since: the status must report that, too.
    tokio::time::advance(PACE).await;
    assert_eq!(written(&elsewhere, &puts, written_by_another(3, 1)).await, 2);
    let (here, puts) = reconciler(&[], &["other", "in-premium"], 200);
    assert_eq!(written(&here, &puts, version(1)).await, 1, "with or without schedules");
}

#[tokio::test(start_paused = true)]
async fn a_tier_that_nobody_has_seen_gets_its_status_from_any_operator_and_keeps_its_counts() {
    let counts = |puts: &Puts| {
        let status = &puts.lock()[0]["status"];
        (status["observedGeneration"].clone(), status["namespaces"].clone(), status["schedules"].clone())
    };
    for (tier, expected) in [(version(1), (1, 0, 0)), (written_by_another(1, 0), (1, 3, 12))] {
        let (elsewhere, puts) = reconciler(&[("a", "x")], &["other"], 200);
        reconcile(tier, elsewhere.clone()).await.unwrap();
        assert_eq!(counts(&puts), (json!(expected.0), json!(expected.1), json!(expected.2)));
        tokio::time::advance(PACE).await;
        reconcile(written_by_another(2, 1), elsewhere).await.unwrap();
        assert_eq!(puts.lock().len(), 1, "from then on it is left to others");
    }
}

#[test]
fn however_many_tiers_say_to_be_the_default_and_whatever_is_wrong_a_status_can_be_written() {
    let rivals: Vec<_> = (0..140).map(|number| format!("{number:x>253}")).collect();
    let status = tier_status(&version(1), &rivals, Some("ö".repeat(40_000)), IN_FORCE, NOBODY, minute(0));
    let message = &status.conditions[0].message;
    assert!(message.contains(" and 137 more: set it to false"), "{message}");
    assert!(message.len() <= 4_096, "{} bytes", message.len());
}
