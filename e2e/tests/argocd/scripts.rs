//! The scripts of `config/argocd/resource_customizations`, run by Argo CD's command line on each object of their tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use postern_e2e::{program, repository};
use serde_json::Value;

#[test]
#[ignore = "`make argocd` builds Argo CD and runs this"]
fn each_object_has_the_health_that_its_test_expects() {
    for kind in ["WebhookSchedule", "WebhookTier"] {
        let tests = yaml(&folder(kind).join("health_test.yaml"));
        for test in tests["tests"].as_array().unwrap() {
            let (input, health) = (test["inputPath"].as_str().unwrap(), &test["healthStatus"]);
            let said = resource_overrides("health", &folder(kind).join(input), &[]);
            let [status, message] = ["status", "message"].map(|field| health[field].as_str().unwrap());
            assert_eq!(said, format!("STATUS: {status}\nMESSAGE: {message}\n"), "{input}");
        }
    }
}

#[test]
#[ignore = "`make argocd` builds Argo CD and runs this"]
fn each_object_offers_the_actions_that_its_test_expects() {
    let folder = folder("WebhookSchedule").join("actions");
    let tests = yaml(&folder.join("action_test.yaml"));
    for test in tests["discoveryTests"].as_array().unwrap() {
        let input = test["inputPath"].as_str().unwrap();
        let said = resource_overrides("list-actions", &folder.join(input), &[]);
        let offered: Vec<Vec<&str>> = said.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        let expected = test["result"].as_array().unwrap().iter();
        let mut expected: Vec<_> = expected
            .map(|action| [action["name"].as_str().unwrap().to_owned(), action["disabled"].to_string()])
            .collect();
        expected.sort();
        assert_eq!(offered, expected, "{input}");
    }
}

#[test]
#[ignore = "`make argocd` builds Argo CD and runs this"]
fn each_action_makes_of_an_object_what_its_test_expects() {
    let folder = folder("WebhookSchedule").join("actions");
    let tests = yaml(&folder.join("action_test.yaml"));
    for test in tests["actionTests"].as_array().unwrap() {
        let [action, input, output] =
            ["action", "inputPath", "expectedOutputPath"].map(|field| test[field].as_str().unwrap());
        let said = resource_overrides("run-action", &folder.join(input), &[action]);
        let (_, changed) = said.split_once("\n\n").unwrap();
        let mut changed: Value = serde_saphyr::from_str(changed).unwrap();
        let expected = yaml(&folder.join(output));
        // The time of the action, which no test can expect.
        let annotation = format!("/metadata/annotations/postern.dev~1{action}");
        if expected.pointer(&annotation).is_some_and(|value| value == NO_TIME) {
            let time = changed.pointer_mut(&annotation).unwrap();
            assert!(time.as_str().unwrap().parse::<k8s_openapi::jiff::Timestamp>().is_ok(), "{time}");
            *time = NO_TIME.into();
        }
        assert_eq!(changed, expected, "{action} of {input}");
    }
}

/// What a test has in place of the time of an action.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// The folder of a kind's scripts and tests.
fn folder(kind: &str) -> PathBuf {
    repository().join("config/argocd/resource_customizations/postern.dev").join(kind)
}

fn yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What `argocd admin settings resource-overrides` says about an object. An action's result is printed whole.
fn resource_overrides(command: &str, object: &Path, args: &[&str]) -> String {
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(program("argocd"))
        .args(["admin", "settings", "resource-overrides", command])
        .arg(object)
        .args(args)
        .args(["--argocd-cm-path", "config/argocd/argocd-cm.yaml"])
        // It compares the object before and after with this program. The script's $0 is the one, $1 the other.
        .env("KUBECTL_EXTERNAL_DIFF", r#"sh -c 'cat "$1"'"#)
        .env("TMPDIR", temporary.path())
        .current_dir(repository())
        .output()
        .expect("`make argocd` builds it");
    assert!(output.status.success(), "{}: {}", object.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
