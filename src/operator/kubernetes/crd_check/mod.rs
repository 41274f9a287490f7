//! Checks that the API server has the CRDs that this operator was built with, or newer ones. With older CRDs it would silently
//! drop fields that users or the operator write.
//!
//! It reads the API server's `OpenAPI` document, which anyone who may connect can read.

use std::time::Duration;

use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::api::{Crd, GROUP};

/// The version whose schemas are compared.
const VERSION: &str = "v1alpha1";
/// How often to retry: the document of a CRD that was just applied appears a little later.
const TRIES: u32 = 10;
const RETRY_EVERY: Duration = Duration::from_secs(2);

/// The API server doesn't serve what this operator needs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrdError {
    /// The CRD doesn't exist.
    #[error("there is no CRD {crd}; {MEND}")]
    Missing {
        /// The CRD's name.
        crd: String,
    },
    /// The CRD's schema lacks a field.
    #[error("the CRD {crd} is older than this operator: it lacks {field}; {MEND}")]
    Older {
        /// The CRD's name.
        crd: String,
        /// The path of the first missing field.
        field: String,
    },
}

const MEND: &str = concat!(
    "apply the CRDs of version ",
    env!("CARGO_PKG_VERSION"),
    ": kubectl apply --server-side --force-conflicts -f crds/ (or the output of postern crds)"
);

/// Retries until the API server answers, and then for a while until it serves every field.
///
/// # Errors
/// When it doesn't.
pub(crate) async fn check(client: &Client) -> Result<(), CrdError> {
    let mut tries_left = TRIES;
    let mut is_known_silent = false;
    loop {
        match document(client).await {
            Ok(document) => match compare(&document) {
                Err(lacking) if tries_left == 0 => return Err(lacking),
                Err(_) => tries_left -= 1,
                Ok(()) => return Ok(()),
            },
            Err(error) if is_known_silent => {
                tracing::debug!(%error, "the API server still doesn't say which fields its CRDs have");
            }
            Err(error) => {
                is_known_silent = true;
                tracing::warn!(%error, "the API server doesn't say which fields its CRDs have; asking again");
            }
        }
        sleep(RETRY_EVERY).await;
    }
}

/// The document of the API group; an empty one when the group doesn't exist.
async fn document(client: &Client) -> Result<Value, kube::Error> {
    let path = format!("/openapi/v3/apis/{GROUP}/{VERSION}");
    let request = hyper::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
    match client.request(request).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Value::Null),
        other => other,
    }
}

/// Compares every CRD of this operator with the document.
fn compare(document: &Value) -> Result<(), CrdError> {
    for crd in Crd::ALL {
        let definition = crd.definition();
        let name = definition.name_any();
        let kind = &definition.spec.names.kind;
        let Some(served) = served(document, kind) else { return Err(CrdError::Missing { crd: name }) };
        for version in definition.spec.versions.iter().filter(|version| version.name == VERSION) {
            let own = json!(version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref()));
            if let Some(field) = first_lacking(&own, served, "") {
                return Err(CrdError::Older { crd: name, field });
            }
        }
    }
    Ok(())
}

fn served<'a>(document: &'a Value, kind: &str) -> Option<&'a Value> {
    let schemas = document["components"]["schemas"].as_object()?;
    let own = json!({"group": GROUP, "version": VERSION, "kind": kind});
    schemas
        .values()
        .find(|schema| schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|kinds| kinds.contains(&own)))
}

/// The path of the first field of one schema that the other lacks. The fields of a list are those of its items, written
/// `list[].field`.
fn first_lacking(own: &Value, served: &Value, path: &str) -> Option<String> {
    let properties = own["properties"].as_object().into_iter().flatten();
    let in_properties = properties.map(|(name, own)| {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match &served["properties"][name] {
            Value::Null => Some(path),
            served => first_lacking(own, served, &path),
        }
    });
    let below = [("items", "[]"), ("additionalProperties", ".*")].into_iter().map(|(below, mark)| {
        let is_schema = own[below].is_object();
        is_schema.then(|| first_lacking(&own[below], &served[below], &format!("{path}{mark}"))).flatten()
    });
    in_properties.chain(below).flatten().next()
}

#[cfg(test)]
mod tests;
