//! The CRDs as they are in `crds/`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt as _;
use serde_json::{Value, json};

use super::{WebhookSchedule, WebhookTier};

/// One of Postern's CRDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crd {
    /// `webhookschedules.postern.dev`.
    WebhookSchedules,
    /// `webhooktiers.postern.dev`.
    WebhookTiers,
}

/// The CRD could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("the CRD {plural} could not be written as YAML")]
pub struct CrdError {
    plural: &'static str,
    source: serde_saphyr::ser::Error,
}

impl Crd {
    /// Every CRD.
    pub const ALL: [Crd; 2] = [Crd::WebhookSchedules, Crd::WebhookTiers];

    /// The plural of the kind, which names the file in `crds/`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Crd::WebhookSchedules => "webhookschedules",
            Crd::WebhookTiers => "webhooktiers",
        }
    }

    /// The CRD as an object.
    #[must_use]
    pub fn definition(self) -> CustomResourceDefinition {
        let mut crd = match self {
            Crd::WebhookSchedules => WebhookSchedule::crd(),
            Crd::WebhookTiers => WebhookTier::crd(),
        };
        for version in &mut crd.spec.versions {
            let schema = version.schema.as_mut();
            if let Some(schema) = schema.and_then(|schema| schema.open_api_v3_schema.as_mut()) {
                to_kubernetes(schema);
            }
        }
        crd
    }

    /// The CRD as a file.
    ///
    /// # Errors
    /// When it can't be written as YAML.
    pub fn yaml(self) -> Result<String, CrdError> {
        let mut crd = json!(self.definition());
        integers(&mut crd);
        let yaml = serde_saphyr::to_string(&crd).map_err(|source| CrdError { plural: self.plural(), source })?;
        Ok(format!(
            "# Made by `make crds` from src/api. Apply it with `kubectl apply --server-side --force-conflicts`.\n{yaml}"
        ))
    }
}

/// Undoes habits of the generator that don't suit Kubernetes: an optional field is not nullable here (a null counts as left out,
/// so the field gets its default), formats of unsigned numbers don't exist, and line breaks in comments mean nothing.
fn to_kubernetes(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.description = schema.description.take().map(|text| text.replace('\n', " "));
    schema.format = schema.format.take().map(|format| match format.as_str() {
        "uint8" | "uint16" | "uint32" => "int32".into(),
        "uint64" => "int64".into(),
        _ => format,
    });
    for property in schema.properties.iter_mut().flat_map(|all| all.values_mut()) {
        to_kubernetes(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => to_kubernetes(items),
        Some(JSONSchemaPropsOrArray::Schemas(all)) => all.iter_mut().for_each(to_kubernetes),
        None => {}
    }
}

/// In Kubernetes' types, limits are `f64`: `20` would be written as `20.0`.
fn integers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            let whole = text.strip_suffix(".0").and_then(|whole| whole.parse::<i64>().ok());
            if let Some(whole) = whole {
                *number = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(integers),
        Value::Object(fields) => fields.values_mut().for_each(integers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
