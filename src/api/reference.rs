//! References to objects in the schedule's own namespace. There is no way to name another namespace.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schemas;

/// A key in the data of an object in the schedule's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct KeyRef {
    /// The object's name.
    #[schemars(schema_with = "schemas::object_name")]
    pub name: String,
    /// The key in its data.
    #[schemars(schema_with = "schemas::data_key")]
    pub key: String,
}

/// An object in the schedule's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ObjectRef {
    /// The object's name.
    #[schemars(schema_with = "schemas::object_name")]
    pub name: String,
}

/// A value that is stored in a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// The Secret and the key in its data.
    pub secret_key_ref: KeyRef,
}

/// A value that is stored in a `ConfigMap` or a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.configMapKeyRef) != has(self.secretKeyRef)")
        .message("give exactly one of configMapKeyRef and secretKeyRef")
)]
pub struct ConfigMapOrSecretKey {
    /// The ConfigMap and the key in its data, if the value isn't secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
    /// The Secret and the key in its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TlsSecret {
    /// A Secret of type kubernetes.io/tls: tls.crt holds the certificate chain and tls.key its private key, both PEM.
    pub secret_ref: ObjectRef,
}
