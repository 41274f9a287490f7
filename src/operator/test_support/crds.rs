//! The CRDs that an API server reports.

use serde_json::{Value, json};

use crate::api::{Crd, GROUP};

/// The `OpenAPI` document of an API server with exactly this operator's CRDs.
pub(crate) fn document() -> Value {
    let schemas: serde_json::Map<String, Value> = Crd::ALL
        .into_iter()
        .map(|crd| {
            let definition = crd.definition();
            let version = &definition.spec.versions[0];
            let (kind, name) = (&definition.spec.names.kind, &version.name);
            let mut schema = json!(version.schema.as_ref().unwrap().open_api_v3_schema);
            schema["x-kubernetes-group-version-kind"] = json!([{"group": GROUP, "version": name, "kind": kind}]);
            (format!("dev.postern.{name}.{kind}"), schema)
        })
        .collect();
    json!({"components": {"schemas": schemas}})
}
