//! What a delivery says.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::reference::KeyRef;
use super::schemas;

/// The request's body, from exactly one source.
///
/// The placeholders `{{scheduledTime}}`, `{{deliveryId}}`, `{{scheduleName}}`, `{{namespace}}` and `{{attempt}}` are replaced by
/// their values; any other placeholder is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.inline), has(self.configMapKeyRef), has(self.secretKeyRef)].exists_one(given, given)")
        .message("give exactly one of inline, configMapKeyRef and secretKeyRef"),
    // maxLength counts characters, while every other limit counts bytes. The rule is here and not at the field, so that its
    // message doesn't repeat the body.
    validation = Rule::new("!has(self.inline) || bytes(self.inline).size() <= 65536")
        .message("must have at most 65536 bytes: keep a larger body in a ConfigMap or Secret, and name it by configMapKeyRef or secretKeyRef")
        .field_path(".inline")
)]
pub struct Body {
    /// The value of the header Content-Type. When it is JSON, placeholders are escaped as JSON. Default: application/json.
    #[serde(default = "default_content_type")]
    #[schemars(schema_with = "schemas::content_type")]
    pub content_type: String,
    /// The body itself, if it isn't secret: at most 65536 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65_536))]
    pub inline: Option<String>,
    /// The ConfigMap that holds the body, and the key in its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_key_ref: Option<KeyRef>,
    /// The Secret that holds the body, and the key in its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<KeyRef>,
}

fn default_content_type() -> String {
    "application/json".into()
}
