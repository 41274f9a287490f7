//! Which tier a namespace is in, and what a change affects.

use serde_json::{Value, json};

use super::*;
use crate::operator::cache::indexed::Indexed;
use crate::operator::test_support::objects::{schedule, tier};

fn tier_named(name: &str, default: bool) -> WebhookTier {
    let mut tier = tier();
    tier.metadata.name = Some(name.into());
    tier.metadata.generation = Some(1);
    tier.spec.default = default;
    tier
}

fn namespace(name: &str, tier: Option<&str>) -> NamespaceMetadata {
    let labels: Value = tier.map_or(json!({"other": "x"}), |tier| json!({"other": "x", TIER_LABEL: tier}));
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap()
}

/// These tiers, and a namespace `in-NAME` for each of `names`; `unlabelled`, a namespace without a label; and a namespace that
/// isn't known.
fn membership(tiers: Vec<WebhookTier>, names: &[&str]) -> (Membership, Indexed<WebhookSchedule>) {
    let labelled = names.iter().map(|name| namespace(&format!("in-{name}"), Some(name)));
    let namespaces: Vec<_> = labelled.chain([namespace("unlabelled", None)]).collect();
    let of = |namespace: &str| {
        let mut schedule = schedule();
        schedule.metadata.namespace = Some(namespace.into());
        schedule
    };
    let known = namespaces.iter().map(|namespace| of(&namespace.name_any()));
    let schedules = Indexed::of(known.chain([of("unknown")]).collect());
    (Membership { tiers: Indexed::of(tiers), namespaces: Indexed::of(namespaces) }, schedules)
}

/// The namespaces of the schedules that a change affects.
fn concerned(
    tier: &WebhookTier,
    change: &Change<WebhookTier>,
    (of, all): &(Membership, Indexed<WebhookSchedule>),
) -> Vec<String> {
    let concerned = of.concerned(tier, change, all);
    let mut namespaces: Vec<_> = concerned.iter().map(|schedule| schedule.namespace.clone().unwrap()).collect();
    namespaces.sort();
    namespaces
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

fn from<K>(before: K) -> Change<K> {
    Change::From(Arc::new(before))
}

#[test]
fn a_namespace_is_in_the_tier_of_its_label_and_without_one_in_the_only_default() {
    let name = |tier: Result<Arc<WebhookTier>, TierError>| tier.map(|tier| tier.name_any());
    let (of, _) = membership(vec![tier_named("free", true), tier_named("premium", false)], &["premium", "gone"]);
    assert_eq!(name(of.tier("in-premium")).as_deref(), Ok("premium"));
    assert_eq!(name(of.tier("unlabelled")).as_deref(), Ok("free"));
    assert_eq!(name(of.tier("in-gone")), Err(TierError::NotFound("gone".into())));

    let (of, _) = membership(vec![tier_named("premium", false)], &["premium"]);
    assert_eq!(name(of.tier("unlabelled")), Err(TierError::NoDefault));

    let (of, _) = membership(vec![tier_named("free", true), tier_named("basic", true)], &["free"]);
    assert_eq!(name(of.tier("in-free")).as_deref(), Ok("free"));
    assert_eq!(name(of.tier("unlabelled")), Err(TierError::SeveralDefaults("basic, free".into())));
}

#[test]
fn a_tier_has_the_schedules_of_its_namespaces_and_the_only_default_those_of_the_others() {
    let count = |(of, all): &(Membership, Indexed<WebhookSchedule>), tier: &str| of.schedules(tier, all).len();
    let one = membership(vec![tier_named("free", true), tier_named("premium", false)], &["free", "premium", "gone"]);
    assert_eq!((count(&one, "free"), count(&one, "premium")), (3, 1));
    // When two tiers claim to be the default, neither is in force for namespaces without a label.
    let two = membership(vec![tier_named("free", true), tier_named("premium", true)], &["free", "premium", "gone"]);
    assert_eq!((count(&two, "free"), count(&two, "premium")), (1, 1));
}

#[test]
fn a_tier_that_changes_comes_or_goes_concerns_the_schedules_of_its_own_namespaces_alone() {
    let known = membership(vec![tier_named("free", true), tier_named("premium", false)], &["free", "premium"]);
    let (premium, mut before) = (tier_named("premium", false), tier_named("premium", false));
    before.spec.allowed_ports.push(1);
    for change in [Change::Added, from(before), Change::Deleted] {
        assert_eq!(concerned(&premium, &change, &known), ["in-premium"]);
    }
}

#[test]
fn a_tier_that_is_or_was_the_default_concerns_the_schedules_of_namespaces_without_a_label_too() {
    let known = membership(vec![tier_named("free", true), tier_named("premium", false)], &["free", "premium"]);
    let (is, is_not) = (tier_named("free", true), tier_named("free", false));
    let mut before = is.clone();
    before.spec.max_schedules += 1;
    for (tier, change) in [
        (&is, Change::Added),
        (&is, Change::Deleted),
        (&is, from(before)),
        (&is, from(is_not.clone())),
        (&is_not, from(is.clone())),
    ] {
        assert_eq!(concerned(tier, &change, &known), ["in-free", "unknown", "unlabelled"]);
    }
    assert_eq!(concerned(&is_not, &Change::Added, &known), ["in-free"]);
}

#[test]
fn a_tier_of_which_the_status_alone_changed_concerns_no_schedule_and_no_tier() {
    let known = membership(vec![tier_named("free", true)], &["free"]);
    let before = tier_named("free", true);
    let mut after = before.clone();
    after.status.get_or_insert_default().schedules = 5;
    after.metadata.resource_version = Some("2".into());
    assert_eq!(concerned(&after, &from(before.clone()), &known), [""; 0]);
    assert_eq!(known.0.tiers_by_tier(&after, &from(before)), [""; 0]);
}

#[test]
fn what_makes_or_unmakes_a_default_is_told_of_every_default() {
    let (of, _) = membership(vec![tier_named("free", true), tier_named("premium", true)], &[]);
    let (was, mut is) = (tier_named("premium", false), tier_named("premium", true));
    is.metadata.generation = Some(2);
    assert_eq!(of.rivals(&is), ["free"]);
    assert_eq!(sorted(of.tiers_by_tier(&is, &from(was.clone()))), ["free", "premium"]);
    assert_eq!(sorted(of.tiers_by_tier(&is, &Change::Deleted)), ["free", "premium"]);

    let (of, _) = membership(vec![tier_named("free", true), was.clone()], &[]);
    assert_eq!(of.rivals(&was), [""; 0]);
    assert_eq!(sorted(of.tiers_by_tier(&was, &from(is))), ["free", "premium"]);
    assert_eq!(of.tiers_by_tier(&was, &Change::Added), ["premium"], "it has nothing to do with the default");
}

#[test]
fn a_namespace_that_changes_its_label_concerns_both_tiers_and_a_schedule_the_one_of_its_namespace() {
    let (of, _) = membership(vec![tier_named("free", true), tier_named("premium", false)], &["premium", "basic"]);
    let (premium, basic, none) = (namespace("a", Some("premium")), namespace("a", Some("basic")), namespace("a", None));
    assert_eq!(of.tiers_by_namespace(&premium, &from(basic)), ["premium", "basic"]);
    assert_eq!(of.tiers_by_namespace(&premium, &from(none.clone())), ["premium", "free"]);
    assert_eq!(of.tiers_by_namespace(&none, &from(premium.clone())), ["free", "premium"]);
    // Its schedules counted for the default before the namespace was known, and do so again after it is deleted.
    assert_eq!(of.tiers_by_namespace(&premium, &Change::Added), ["premium", "free"]);
    assert_eq!(of.tiers_by_namespace(&premium, &Change::Deleted), ["premium", "free"]);
    assert_eq!(of.tiers_by_schedule("in-premium"), ["premium"]);
    assert_eq!(of.tiers_by_schedule("unlabelled"), ["free"]);
}

#[test]
fn of_a_namespace_only_its_tier_its_coming_and_its_end_are_news() {
    let (premium, none) = (namespace("a", Some("premium")), namespace("a", None));
    assert!(is_news(&premium, &Change::Added) && is_news(&premium, &Change::Deleted));
    assert!(is_news(&premium, &from(none.clone())) && is_news(&none, &from(premium.clone())));
    let mut other = premium.clone();
    other.labels_mut().insert("other".into(), "y".into());
    other.annotations_mut().insert("note".into(), "x".into());
    assert!(!is_news(&other, &from(premium.clone())));
    let mut ending = premium.clone();
    ending.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2027-01-15T08:00:00Z")).unwrap());
    assert!(is_news(&ending, &from(premium)));
}
