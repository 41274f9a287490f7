//! How a delivery proves who sent it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::SecretKey;
use super::{Duration, schemas};

/// The scheme, and the keys that the tenant keeps or has Postern make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.scheme == 'None' || has(self.keysFrom) != has(self.managed)")
        .message("give exactly one of keysFrom (keys that you keep in Secrets) and managed (keys that Postern makes)"),
    validation = Rule::new("self.scheme != 'None' || !(has(self.keysFrom) || has(self.managed) || has(self.classic))")
        .message("scheme None sends without a signature: leave keysFrom, managed and classic out, or name another \
            scheme"),
    validation = Rule::new("self.scheme != 'StandardWebhooks' || !has(self.classic)")
        .message("classic belongs to the schemes HmacSha256Hex and HmacSha256Base64: leave it out"),
    validation = Rule::new("!self.scheme.startsWith('Hmac') || has(self.classic)")
        .message("schemes HmacSha256Hex and HmacSha256Base64 need classic.header, the header that carries the \
            signature"),
    validation = Rule::new("!self.scheme.startsWith('Hmac') || !has(self.managed)")
        .message("managed keys are for scheme StandardWebhooks: give keysFrom"),
    validation = Rule::new("!has(self.classic) || self.classic.payload != 'Body' || !has(self.keysFrom) || \
        size(self.keysFrom) == 1")
        .message("a classic signature of the body alone takes one key: name one in keysFrom, or set classic.payload \
            to TimestampBody")
)]
pub struct Signing {
    /// How to sign. StandardWebhooks: Standard Webhooks 1.0.0; each key's prefix selects v1 (HMAC-SHA256) or v1a
    /// (ed25519). HmacSha256Hex, HmacSha256Base64: one header of your choice, for receivers that already exist; needs
    /// classic. None: no signature, so that the receiver can't tell who sent the delivery. Default: StandardWebhooks.
    #[serde(default)]
    pub scheme: Scheme,
    /// Keys that you keep in Secrets, the newest first: 1 to 8. All of them sign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub keys_from: Vec<SecretKey>,
    /// Keys that Postern makes, keeps in Secrets of this namespace and replaces on schedule. `{}` takes the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedKeys>,
    /// Settings for the schemes HmacSha256Hex and HmacSha256Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classic: Option<ClassicOptions>,
}

/// How to sign.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scheme {
    /// Standard Webhooks 1.0.0.
    #[default]
    StandardWebhooks,
    /// HMAC-SHA256 in hex digits.
    HmacSha256Hex,
    /// HMAC-SHA256 in base64.
    HmacSha256Base64,
    /// No signature. A schedule must ask for this explicitly.
    None,
}

/// Keys that the operator makes and replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(format!(
            "![self.overlap, self.rotateEvery].all(text, text.matches('{form}')) \
             || duration(self.overlap) < duration(self.rotateEvery)", form = Duration::PATTERN))
        .message("must be shorter than rotateEvery, so that at most two keys sign")
        .field_path(".overlap")
)]
pub struct ManagedKeys {
    /// v1: HMAC-SHA256; you give the receiver the key. v1a: ed25519; you give the receiver the public key, which is in
    /// status.signingKeys. Default: v1.
    #[serde(default)]
    pub key_type: ManagedKeyType,
    /// How often to make a new key: 1h to 8760h. Default: 720h.
    #[serde(default = "default_rotate_every")]
    #[schemars(schema_with = "schemas::rotation")]
    pub rotate_every: Duration,
    /// How long the old key still signs together with the new one, so that you have time to give the receiver the new
    /// one: 0s to 8760h, and shorter than rotateEvery. Default: 24h.
    #[serde(default = "default_overlap")]
    #[schemars(schema_with = "schemas::overlap")]
    pub overlap: Duration,
}

/// What kind of key the operator makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ManagedKeyType {
    /// HMAC-SHA256, `whsec_`.
    #[default]
    #[serde(rename = "v1")]
    V1,
    /// Ed25519, `whsk_`.
    #[serde(rename = "v1a")]
    V1a,
}

/// Settings of the classic schemes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClassicOptions {
    /// The header that carries the signature, such as X-Hub-Signature-256.
    #[schemars(schema_with = "schemas::header_name")]
    pub header: String,
    /// The text before each signature, such as sha256= or v1=. Default: nothing.
    #[serde(default)]
    #[schemars(schema_with = "schemas::signature_prefix")]
    pub prefix: String,
    /// What is signed. Body: only the body, as GitHub does it; allows only one key. TimestampBody: the Unix time in
    /// seconds, a full stop and the body, as Stripe does it; the header's value starts with t= and the seconds. Default:
    /// Body.
    #[serde(default)]
    pub payload: ClassicPayload,
}

/// What a classic scheme signs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClassicPayload {
    /// Only the body.
    #[default]
    Body,
    /// The attempt's Unix time in seconds, a full stop and the body.
    TimestampBody,
}

fn default_rotate_every() -> Duration {
    Duration::from_hours(720)
}

fn default_overlap() -> Duration {
    Duration::from_hours(24)
}
