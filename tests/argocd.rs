//! What Argo CD is told about schedules and tiers. `config/argocd/resource_customizations` has the form of Argo CD's own
//! repository, whose tests run the scripts; `config/argocd/argocd-cm.yaml` holds the same scripts.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use postern::api::{WebhookSchedule, WebhookTier};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const KINDS: [&str; 2] = ["WebhookSchedule", "WebhookTier"];

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The folder of a kind's scripts and tests.
fn folder(kind: &str) -> PathBuf {
    root().join("config/argocd/resource_customizations/postern.dev").join(kind)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

fn yaml<T: DeserializeOwned>(path: &Path) -> T {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

/// The names in a folder, in order; none if there is no such folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The actions of a kind.
fn actions(kind: &str) -> BTreeSet<String> {
    let folder = folder(kind).join("actions");
    names(&folder).into_iter().filter(|name| folder.join(name).join("action.lua").exists()).collect()
}

#[test]
fn the_config_map_holds_the_scripts_and_nothing_else() {
    let mut scripts = BTreeMap::new();
    for kind in KINDS {
        let folder = folder(kind);
        let key = |what: &str| format!("resource.customizations.{what}.postern.dev_{kind}");
        scripts.insert(key("health"), json!(text(&folder.join("health.lua"))));
        let action = |name: &str| text(&folder.join("actions").join(name).join("action.lua"));
        let definition = |name: &String| json!({"name": name, "action.lua": action(name)});
        let definitions: Vec<Value> = actions(kind).iter().map(definition).collect();
        if !definitions.is_empty() {
            let discovery = text(&folder.join("actions/discovery.lua"));
            scripts.insert(key("actions"), json!({"discovery.lua": discovery, "definitions": definitions}));
        }
    }
    let config_map: Value = yaml(&root().join("config/argocd/argocd-cm.yaml"));
    let mut held = BTreeMap::new();
    for (key, value) in config_map["data"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        let is_yaml = key.starts_with("resource.customizations.actions.");
        held.insert(key.clone(), if is_yaml { serde_saphyr::from_str(value).unwrap() } else { json!(value) });
    }
    assert!(held == scripts, "config/argocd/argocd-cm.yaml differs from the scripts: run `make argocd-cm`");
}

/// The paths of a test file's entries.
fn paths<'a>(tests: &'a Value, list: &str, field: &str) -> Vec<&'a str> {
    tests[list].as_array().unwrap().iter().filter_map(|test| test[field].as_str()).collect()
}

/// Checks that the tests in `folder` name exactly the objects in its `testdata`.
fn assert_names_all_objects(folder: &Path, named: &[&str]) {
    let named: BTreeSet<String> = named.iter().map(|path| (*path).to_owned()).collect();
    let there: BTreeSet<String> =
        names(&folder.join("testdata")).iter().map(|name| format!("testdata/{name}")).collect();
    assert_eq!(named, there, "{}", folder.display());
}

#[test]
fn every_test_has_its_object_and_every_object_its_test() {
    for kind in KINDS {
        let folder = folder(kind);
        let tests: Value = yaml(&folder.join("health_test.yaml"));
        assert_names_all_objects(&folder, &paths(&tests, "tests", "inputPath"));
        let expected = tests["tests"].as_array().unwrap().iter().map(|test| test["healthStatus"]["status"].as_str());
        assert_eq!(expected.collect::<BTreeSet<_>>(), BTreeSet::from(["Degraded", "Healthy", "Progressing"].map(Some)));
    }
    let folder = folder("WebhookSchedule").join("actions");
    let tests: Value = yaml(&folder.join("action_test.yaml"));
    let inputs = [paths(&tests, "discoveryTests", "inputPath"), paths(&tests, "actionTests", "inputPath")].concat();
    assert_names_all_objects(&folder, &[inputs, paths(&tests, "actionTests", "expectedOutputPath")].concat());
    let tested: BTreeSet<_> = paths(&tests, "actionTests", "action").into_iter().map(String::from).collect();
    assert_eq!(tested, actions("WebhookSchedule"));
}

#[test]
fn every_object_of_the_tests_is_one_of_its_kind() {
    fn read<T: DeserializeOwned>(folder: &Path) -> usize {
        let objects = names(folder);
        for name in &objects {
            drop(yaml::<T>(&folder.join(name)));
        }
        objects.len()
    }
    let schedules = folder("WebhookSchedule");
    assert!(read::<WebhookSchedule>(&schedules.join("testdata")) > 20);
    assert!(read::<WebhookSchedule>(&schedules.join("actions/testdata")) > 5);
    assert!(read::<WebhookTier>(&folder("WebhookTier").join("testdata")) > 5);
}
