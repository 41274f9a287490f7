//! What the chart makes of an older release's values, which `helm upgrade --reuse-values` passes to it.

use std::fs;

use postern_e2e::repository;
use serde_json::Value;

use super::objects::{Objects, chart, template};

/// The path of each value, down to the depth at which the chart itself names values.
fn paths(values: &Value, above: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (name, value) in values.as_object().unwrap() {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        // Kubernetes names the fields inside these, or they belong to a tier.
        let is_whole = ["resources", "tiers.free", "tiers.premium"].contains(&&*path);
        if !is_whole && value.as_object().is_some_and(|map| !map.is_empty()) {
            all.extend(paths(value, &path));
        }
        all.push(path);
    }
    all
}

fn without_tiers(mut objects: Objects) -> Objects {
    objects.retain(|key, _| !key.starts_with("WebhookTier "));
    objects
}

#[test]
fn a_value_that_an_older_release_lacks_is_what_it_is_by_default() {
    let values = fs::read_to_string(repository().join("charts/postern/values.yaml")).unwrap();
    let paths = paths(&serde_saphyr::from_str(&values).unwrap(), "");
    assert!(paths.len() > 40, "{paths:?}");
    let usual = chart(&[]);
    for path in &paths {
        let without = chart(&["--set", &format!("{path}=null")]);
        // A tier without values isn't made.
        if path.starts_with("tiers") && path != "tiers.create" {
            assert_eq!(without_tiers(without), without_tiers(usual.clone()), "{path}");
        } else {
            assert_eq!(without, usual, "{path}");
        }
    }
    let none: Vec<String> = paths.iter().map(|path| format!("{path}=null")).collect();
    assert_eq!(without_tiers(chart(&["--set", &none.join(",")])), without_tiers(usual));
}

#[test]
fn a_value_that_is_there_is_what_it_says_empty_or_not() {
    let set = "preflight.enabled=false,spreadSeconds=0,tiers.create=false,resources.limits.cpu=null";
    let rendered = template(&["--set", set, "--set-json", "nameServerPods=[]"]).unwrap();
    for part in [
        "preflight: {\"concurrency\":10,\"enabled\":false}",
        "spreadSeconds: 0",
        "nameServerPods: []",
        "\"limits\":{\"memory\":",
    ] {
        assert!(rendered.contains(part), "{part}: {rendered}");
    }
    assert!(!rendered.contains("WebhookTier\n"), "{rendered}");
}
