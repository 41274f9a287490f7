//! The kustomize bases beside the chart.

use std::collections::BTreeMap;

use postern_e2e::repository;
use serde_json::{Value, json};

use super::objects::{NAMESPACE, Objects, chart, kustomize, text};

/// Leaves out what only Helm adds, and parses the operator's configuration, so that its values are compared.
fn without_helm(mut objects: Objects) -> Objects {
    for object in objects.values_mut() {
        drop_from(object, "/metadata/labels", &["helm.sh/chart", "app.kubernetes.io/managed-by"]);
        let helms = ["helm.sh/resource-policy", "helm.sh/hook", "helm.sh/hook-delete-policy"];
        drop_from(object, "/metadata/annotations", &helms);
        drop_from(object, "/spec/template/metadata/annotations", &["checksum/config"]);
        for parent in ["/metadata", "/spec/template/metadata"] {
            if object.pointer(&format!("{parent}/annotations")).is_some_and(|left| left == &json!({})) {
                drop_from(object, parent, &["annotations"]);
            }
        }
        if let Some(config) = object.pointer_mut("/data/config.yaml") {
            *config = serde_saphyr::from_str(config.as_str().unwrap()).unwrap();
        }
    }
    objects
}

fn drop_from(object: &mut Value, pointer: &str, keys: &[&str]) {
    if let Some(map) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
        map.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

#[track_caller]
fn assert_same(chart: &Objects, bases: &Objects) {
    let keys = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(chart), keys(bases));
    for (key, object) in chart {
        assert_eq!(object, &bases[key], "{key}: the chart has the left one, config/ the right one");
    }
}

#[test]
fn the_default_base_gives_what_the_chart_gives_by_default() {
    let mut chart = without_helm(chart(&["--include-crds", "--no-hooks"]));
    let mut bases = without_helm(kustomize("default"));
    // Helm makes the namespace with --create-namespace.
    let namespace = bases.remove(&format!("Namespace  {NAMESPACE}")).unwrap();
    assert_eq!(text(&namespace, "/metadata/labels/pod-security.kubernetes.io~1enforce"), "restricted");
    // The order of rules has no meaning.
    for objects in [&mut chart, &mut bases] {
        for object in objects.values_mut() {
            if let Some(rules) = object.get_mut("rules").and_then(Value::as_array_mut) {
                rules.sort_by_key(ToString::to_string);
            }
        }
    }
    assert_same(&chart, &bases);
}

#[test]
fn the_uninstall_base_is_the_chart_s_hook() {
    let mut hooks = chart(&[]);
    hooks.retain(|_, object| !text(object, "/metadata/annotations/helm.sh~1hook").is_empty());
    assert_eq!(hooks.len(), 1, "{hooks:?}");
    assert_same(&without_helm(hooks), &without_helm(kustomize("uninstall")));
}

#[test]
fn argo_cd_applies_crds_then_the_operator_then_tiers_then_schedules() {
    let mut waves: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for (key, object) in kustomize("argocd") {
        let annotation =
            |name: &str| text(&object, &format!("/metadata/annotations/argocd.argoproj.io~1{name}")).to_owned();
        let kind = text(&object, "/kind");
        assert_eq!(annotation("hook"), if kind == "Job" { "PreDelete" } else { "" }, "{key}");
        // Deleting a CRD deletes every object of its kind.
        let stays = ["CustomResourceDefinition", "WebhookTier"].contains(&kind);
        assert_eq!(annotation("sync-options"), if stays { "Prune=false,Delete=false" } else { "" }, "{key}");
        waves.entry(annotation("sync-wave").parse().unwrap()).or_default().push(kind.to_owned());
    }
    assert_eq!(waves[&-1], ["CustomResourceDefinition"; 2]);
    assert!(waves[&0].contains(&"Deployment".into()), "{waves:?}");
    assert_eq!(waves[&1], ["WebhookTier"; 2]);
    assert_eq!(waves[&2], ["Namespace", "WebhookSchedule"]);
    assert_eq!(waves.len(), 4, "{waves:?}");
}

#[test]
fn the_project_of_argo_cd_permits_all_that_its_applications_make() {
    let file = std::fs::read_to_string(repository().join("config/argocd/application.yaml")).unwrap();
    let project: Value = serde_saphyr::from_multiple(&file).unwrap().swap_remove(0);
    let permitted =
        |list: &str, met: &dyn Fn(&Value) -> bool| project["spec"][list].as_array().unwrap().iter().any(met);
    for (key, object) in kustomize("argocd").into_iter().chain(chart(&["--include-crds"])) {
        let (group, kind) =
            (text(&object, "/apiVersion").rsplit_once('/').map_or("", |(group, _)| group), text(&object, "/kind"));
        let is_permitted = match text(&object, "/metadata/namespace") {
            "" => permitted("clusterResourceWhitelist", &|it| it["group"] == group && it["kind"] == kind),
            namespace => permitted("destinations", &|it| it["namespace"] == namespace),
        };
        assert!(is_permitted, "{key}");
    }
}
