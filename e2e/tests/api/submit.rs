//! Submits objects as `kubectl` does, and reads the answer as `kubectl` prints it.

use hyper::Request;
use postern_e2e::Cluster;
use serde_json::{Value, json};

/// An object before it is submitted.
#[derive(Clone)]
pub struct Draft(pub Value);

impl Draft {
    /// A schedule with only the required fields.
    pub fn schedule() -> Draft {
        Draft(json!({
            "apiVersion": "postern.dev/v1alpha1",
            "kind": "WebhookSchedule",
            "metadata": {"name": "draft"},
            "spec": {
                "schedule": "0 * * * *",
                "target": {"urlFrom": {"secretKeyRef": {"name": "hook", "key": "url"}}},
                "signing": {"keysFrom": [{"secretKeyRef": {"name": "hook", "key": "signing-key"}}]},
            },
        }))
    }

    /// A tier with only the required fields.
    pub fn tier() -> Draft {
        Draft(json!({
            "apiVersion": "postern.dev/v1alpha1",
            "kind": "WebhookTier",
            "metadata": {"name": "draft"},
            "spec": {"minInterval": "15m", "maxSchedules": 10, "maxDeliveriesPerHour": 40},
        }))
    }

    /// Sets the field at a path such as `spec.target.method`.
    pub fn with(mut self, path: &str, value: Value) -> Draft {
        *path.split('.').fold(&mut self.0, |at, field| &mut at[field]) = value;
        self
    }

    /// Leaves out the field at a path.
    pub fn without(mut self, path: &str) -> Draft {
        let (parent, field) = path.rsplit_once('.').unwrap();
        let parent = parent.split('.').fold(&mut self.0, |at, field| &mut at[field]);
        parent.as_object_mut().unwrap().remove(field).unwrap();
        self
    }

    /// Asks the API server what it would store. Returns the object as it would be stored, or the lines that `kubectl` prints.
    pub async fn submit(&self, cluster: &Cluster, namespace: &str) -> Result<Value, Vec<String>> {
        let collection = match self.0["kind"].as_str().unwrap() {
            "WebhookTier" => "webhooktiers".to_owned(),
            _ => format!("namespaces/{namespace}/webhookschedules"),
        };
        let url = format!("/apis/postern.dev/v1alpha1/{collection}?dryRun=All&fieldValidation=Strict");
        let request = Request::post(url)
            .header("Content-Type", "application/json")
            .body(self.0.to_string().into_bytes())
            .unwrap();
        match cluster.client.request(request).await {
            Ok(stored) => Ok(stored),
            Err(kube::Error::Api(status)) => {
                let causes = status.details.map(|details| details.causes).unwrap_or_default();
                if causes.is_empty() {
                    return Err(vec![status.message]);
                }
                // Leaves out the API server's own line about what it didn't check because of the other errors.
                Err(causes
                    .into_iter()
                    .filter(|cause| !cause.message.contains("some validation rules were not checked"))
                    .map(|cause| format!("{}: {}", cause.field, cause.message))
                    .collect())
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Asserts that each value at its path is refused with exactly the given words.
pub async fn refuses<'a>(
    cluster: &Cluster,
    namespace: &str,
    draft: Draft,
    cases: impl IntoIterator<Item = (&'a str, Value, &'a str)>,
) {
    let mut wrong = Vec::new();
    for (path, value, words) in cases {
        let answer = draft.clone().with(path, value.clone()).submit(cluster, namespace).await;
        let said = answer.map_or_else(|lines| lines.join("\n"), |_| "(admitted)".into());
        if said != words {
            let mut value = value.to_string();
            value.truncate(value.floor_char_boundary(100));
            wrong.push(format!("{path}: {value}\n  said: {said}\n  want: {words}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n\n"));
}

/// Asserts that each value at its path is accepted and kept unchanged.
pub async fn admits<'a>(
    cluster: &Cluster,
    namespace: &str,
    draft: Draft,
    cases: impl IntoIterator<Item = (&'a str, Value)>,
) {
    for (path, value) in cases {
        let answer = draft.clone().with(path, value.clone()).submit(cluster, namespace).await;
        let stored = answer.unwrap_or_else(|lines| panic!("{path}: {value}\n{}", lines.join("\n")));
        let kept = path.split('.').fold(&stored, |at, field| &at[field]);
        assert_eq!(*kept, value, "{path}");
    }
}
