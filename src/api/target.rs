//! Where a delivery goes, and the request that it makes there.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reference::{ConfigMapOrSecretKey, SecretKey, TlsSecret};
use super::schemas;

/// The receiver and the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Where the URL is stored: in a Secret, because anybody who knows the URL can post to the receiver. The URL must be
    /// https, without user name and password, have at most 2048 bytes, and lead to public addresses.
    pub url_from: SecretKey,
    /// The request's method. Default: POST.
    #[serde(default)]
    pub method: Method,
    /// Headers to send in addition to the sender's own: at most 16, each name once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[x_kube(
        validation = Rule::new("self.all(a, self.exists_one(b, a.name.lowerAscii() == b.name.lowerAscii()))")
            .message("must hold each header once, whatever the case of its name: join the values with a comma")
    )]
    pub headers: Vec<Header>,
    /// Additional certificate authorities to trust, and the client certificate. The receiver's certificate is always
    /// verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// The request's method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "RFC 9110 and RFC 5789 say what they mean")]
pub enum Method {
    #[default]
    Post,
    Put,
    Patch,
    Delete,
    Get,
}

/// A header of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.value) != has(self.valueFrom)")
        .message("give exactly one of value and valueFrom"),
    // Here and not at the field, so that the message doesn't repeat the value.
    validation = Rule::new(r"!has(self.value) || self.value.matches('^[\t -~]*$')")
        .message("must be printable ASCII without line breaks")
        .field_path(".value")
)]
pub struct Header {
    /// The header's name. Headers of the connection (Host, Content-Length, Proxy-*, ...), of the signature and of the
    /// delivery's id (Webhook-*, Postern-*, Idempotency-Key) and Content-Type can't be set here.
    #[schemars(schema_with = "schemas::header_name")]
    pub name: String,
    /// The header's value, if it isn't secret: printable ASCII, at most 8192 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8_192))]
    pub value: Option<String>,
    /// Where the header's value is stored: at most 8192 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ConfigMapOrSecretKey>,
}

/// Settings of TLS, in addition to the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Additional certificate authorities to trust for this receiver: PEM certificates, at most 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_from: Option<ConfigMapOrSecretKey>,
    /// The client certificate, for receivers that ask for one (mTLS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_from: Option<TlsSecret>,
}
