use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::operator::test_support::fake_api::{self, Asked};

/// An API server with objects that the operator made, and what was written.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    namespaces: Vec<Value>,
    /// The namespaces in which nothing may be listed.
    forbidden: Vec<&'static str>,
    /// After how many checks a Job appears, which is over at the next.
    late_job_after: Option<u32>,
    /// Whether there is a Job that never ends, with its pod.
    stuck: bool,
    looks: u32,
    writes: Vec<String>,
}

impl State {
    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let path: Vec<&str> = asked.path.split('/').collect();
        if asked.path == "/api/v1/namespaces" {
            return list(&self.namespaces);
        }
        let at = path.iter().position(|part| *part == "namespaces").expect("a path in a namespace");
        let (namespace, kind) = (path[at + 1], path[at + 2]);
        match asked.method.as_str() {
            "GET" if self.forbidden.contains(&namespace) => (403, Value::Null),
            "GET" => list(&self.objects(namespace, kind)),
            "PUT" if asked.body["spec"]["suspend"] == true => {
                self.writes.push(format!("suspend {namespace}"));
                (200, asked.body.clone())
            }
            "DELETE" => {
                self.writes.push(format!("delete {kind} {namespace}"));
                (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
            }
            other => panic!("{other} {}", asked.path),
        }
    }

    fn objects(&mut self, namespace: &str, kind: &str) -> Vec<Value> {
        let labels = json!({"app.kubernetes.io/managed-by": "postern", "postern.dev/schedule": "a"});
        let named = |name: &str| json!({"name": name, "namespace": namespace, "uid": name, "labels": labels});
        let schedule = json!({"schedule": "* * * * *", "jobTemplate": {}});
        let template = json!({"template": {}});
        match kind {
            "cronjobs" => vec![json!({"metadata": named("postern-a"), "spec": schedule})],
            "serviceaccounts" | "networkpolicies" => vec![json!({"metadata": named("postern-sender")})],
            "pods" if self.stuck => {
                let mut metadata = named("postern-a-1-x");
                metadata["ownerReferences"] = json!([{
                    "apiVersion": "batch/v1", "kind": "Job", "name": "postern-a-1", "uid": "postern-a-1", "controller": true,
                }]);
                vec![json!({"metadata": metadata})]
            }
            "jobs" if self.stuck => vec![json!({"metadata": named("postern-a-1"), "spec": template})],
            "jobs" => {
                self.looks += 1;
                if self.late_job_after == Some(self.looks - 1) {
                    self.writes.push("a Job is seen".into());
                    return vec![json!({"metadata": named("postern-a-1"), "spec": template})];
                }
                Vec::new()
            }
            "pods" => Vec::new(),
            other => panic!("{other}"),
        }
    }
}

fn list(items: &[Value]) -> (u16, Value) {
    (200, json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items}))
}

impl Server {
    fn with(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    async fn clear(&self, namespaces: &[&str]) -> Result<(), UninstallError> {
        let state = Arc::clone(&self.0);
        let client = fake_api::client(move |asked| state.lock().unwrap().answer(&asked));
        let namespaces: Vec<String> = namespaces.iter().copied().map(Into::into).collect();
        clear(&client, &namespaces).await
    }

    fn writes(&self) -> Vec<String> {
        self.0.lock().unwrap().writes.clone()
    }
}

const ALL_OF_TEAM_B: [&str; 3] = ["suspend team-b", "delete serviceaccounts team-b", "delete networkpolicies team-b"];

// The paused clock of these tests jumps ahead whenever every task is waiting.

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_gone_holds_up_no_other() {
    for namespaces in [
        vec![json!({"metadata": {"name": "team-b"}})],
        vec![
            json!({"metadata": {"name": "team-a", "deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            json!({"metadata": {"name": "team-b"}}),
        ],
    ] {
        let server = Server::with(State { namespaces, forbidden: vec!["team-a"], ..State::default() });
        server.clear(&["team-a", "team-b"]).await.unwrap();
        assert_eq!(server.writes(), ALL_OF_TEAM_B);
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_exists_and_is_forbidden_is_named_once_the_others_are_done() {
    let namespaces = ["team-a", "team-b"].map(|name| json!({"metadata": {"name": name}})).into();
    let server = Server::with(State { namespaces, forbidden: vec!["team-a"], ..State::default() });
    let refused = server.clear(&["team-a", "team-b"]).await.unwrap_err().to_string();
    assert_eq!(server.writes(), ALL_OF_TEAM_B);
    assert!(refused.contains("\n  team-a: list what the operator made: "), "{refused}");
    assert!(!refused.contains("team-b"), "{refused}");
    assert!(refused.contains("apply Role and RoleBinding postern-operator again"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_never_ends_is_left_with_its_policy() {
    let server = Server::with(State { stuck: true, ..State::default() });
    server.clear(&["team-b"]).await.unwrap();
    assert_eq!(server.writes(), ["suspend team-b", "delete jobs team-b", "delete serviceaccounts team-b"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_made_after_the_first_empty_look_is_waited_for() {
    let server = Server::with(State { late_job_after: Some(1), ..State::default() });
    server.clear(&["team-b"]).await.unwrap();
    let writes = server.writes();
    assert_eq!(writes[..2], ["suspend team-b", "a Job is seen"]);
    assert_eq!(writes[2..], ALL_OF_TEAM_B[1..]);
    assert_eq!(server.0.lock().unwrap().looks, 4, "none, the Job, and twice none");
}

#[test]
fn deliveries_are_over_after_two_looks_without_any_and_are_ended_after_a_minute() {
    let seconds = Duration::from_secs;
    for (running, before, waited, expected) in [
        (0, None, 0, Next::Look),
        (0, Some(1), 5, Next::Look),
        (0, Some(0), 5, Next::Done),
        (1, Some(0), 59, Next::Look),
        (1, Some(1), 60, Next::End),
        (0, Some(1), 60, Next::Look),
    ] {
        assert_eq!(next(running, before, seconds(waited)), expected, "{running} {before:?} {waited}");
    }
}

#[test]
fn only_pods_that_a_deleted_job_controls_are_waited_for() {
    let pod = |name: &str, owner: &str, is_controller: bool, phase: &str| -> Pod {
        let owner =
            json!({"apiVersion": "batch/v1", "kind": "Job", "name": "a", "uid": owner, "controller": is_controller});
        let labels = json!({"app.kubernetes.io/managed-by": "postern"});
        let metadata = json!({"name": name, "labels": labels, "ownerReferences": [owner]});
        serde_json::from_value(json!({"metadata": metadata, "status": {"phase": phase}})).unwrap()
    };
    let unowned = json!({"metadata": {"name": "unowned", "labels": {"app.kubernetes.io/managed-by": "postern"}}});
    let pods = vec![
        pod("running", "deleted", true, "Running"),
        pod("pending", "deleted", true, "Pending"),
        pod("failed", "deleted", true, "Failed"),
        pod("succeeded", "deleted", true, "Succeeded"),
        pod("another", "other", true, "Running"),
        pod("uncontrolled", "deleted", false, "Running"),
        serde_json::from_value(unowned).unwrap(),
    ];
    let left = running_pods(pods, &BTreeSet::from(["deleted".into()]));
    assert_eq!(left.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["running", "pending"]);
}

#[test]
fn says_where_it_works() {
    assert_eq!(coverage(&[]), "working in all namespaces");
    let some = coverage(&["team-a".into(), "team-b".into()]);
    assert!(some.contains(": team-a, team-b;"), "{some}");
}

#[test]
fn what_is_refused_while_nobody_knows_which_namespaces_exist_is_a_failure() {
    let refusal = || {
        let status = kube::core::Status::failure("no", "Forbidden").with_code(403).boxed();
        Err::<(), _>(UninstallError::Api { what: "list", source: kube::Error::Api(status) })
    };
    let mut unreached = Unreached::default();
    assert!(unreached.note(Some("team-a"), refusal()).unwrap().is_none());
    let verdict = unreached.judge(None);
    assert!(verdict.gone.is_empty() && verdict.refused.unwrap().contains("team-a"));
    let mut unreached = Unreached::default();
    assert!(unreached.note(None, refusal()).unwrap().is_none());
    assert!(unreached.includes("team-a"), "no policy goes while it isn't known who runs");
    let verdict = unreached.judge(Some(&BTreeSet::new()));
    assert!(verdict.refused.unwrap().contains("all namespaces"));
}

#[tokio::test]
async fn the_records_of_what_namespaces_used_go_and_no_other_config_map() {
    let (deleted, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (gone, asked) = (Arc::clone(&deleted), Arc::clone(&seen));
    let client = fake_api::client(move |request| {
        asked.lock().unwrap().push(request.path.clone());
        if request.method == "DELETE" {
            gone.lock().unwrap().push(request.path.rsplit('/').next().unwrap().to_owned());
            return (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}));
        }
        let named = |name: &str| json!({"metadata": {"name": name, "namespace": "postern-system"}});
        list(&["postern-usage-team-a", "postern-operator"].map(named))
    });
    delete_records(&client, "postern-system").await.unwrap();
    assert_eq!(*deleted.lock().unwrap(), ["postern-usage-team-a"]);
    assert!(seen.lock().unwrap().iter().all(|path| path.starts_with("/api/v1/namespaces/postern-system/configmaps")));
}
