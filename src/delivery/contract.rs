//! What to do: `delivery.json`.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use crate::egress::Rules;
use crate::signing::{ClassicOptions, DeliveryId};

/// One delivery, without its secrets: those are in files beside it, which [`FileRef`]s name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delivery {
    /// [`Delivery::VERSION`].
    pub version: u32,
    /// The schedule that the delivery belongs to.
    pub schedule: Schedule,
    /// Which delivery of the schedule it is.
    pub run: Run,
    /// The file that holds the URL.
    pub url: FileRef,
    /// The request's method.
    pub method: Method,
    /// The tenant's headers, in their order.
    #[serde(default)]
    pub headers: Vec<Header>,
    /// The request's body, if it has one.
    #[serde(default)]
    pub body: Option<Body>,
    /// How to sign; absent when the tenant wants no signature.
    #[serde(default)]
    pub signing: Option<Signing>,
    /// Which authorities to trust, and the client certificate.
    #[serde(default)]
    pub tls: Tls,
    /// How often and how long to try.
    pub retries: Retries,
    /// Where the tier allows deliveries to go.
    #[serde(default)]
    pub egress: Rules,
    /// The largest body that the tier allows, in bytes; at most [`super::MAX_BODY_BYTES`].
    pub max_body_bytes: usize,
    /// Addresses that are known to listen and that the sender must fail to reach before it sends anything: at most
    /// [`super::MAX_KNOWN_CLOSED`]. Empty when no such check is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_closed: Vec<SocketAddr>,
}

/// The schedule that a delivery belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// The `WebhookSchedule`'s name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID; it never leaves the cluster.
    pub uid: String,
}

/// Which delivery of a schedule it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Run {
    /// Started by the `CronJob`; the scheduled time is in the Job's name, which is in the file `job-name`.
    Scheduled(Scheduled),
    /// A person asked for it.
    Triggered(Triggered),
}

/// A delivery that a `CronJob` started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scheduled {
    /// How late the sender may start, in seconds after the scheduled time.
    pub starting_deadline_seconds: u64,
    /// How many seconds after the scheduled minute to send: 0 to [`super::MAX_OFFSET_SECONDS`].
    #[serde(default)]
    pub offset_seconds: u32,
    /// How many seconds before the delivery is due its Job may be made: 0 to [`super::MAX_LEAD_SECONDS`]. The Job then exists from
    /// the scheduled time + offset − lead on, and the sender waits until the delivery is due. Not written when it is 0, so that a
    /// sender that doesn't know the field reads a delivery without a lead.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lead_seconds: u32,
}

/// A delivery that a person asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Triggered {
    /// The delivery's id.
    pub id: DeliveryId,
    /// When the person asked for it.
    pub scheduled_time: Timestamp,
}

/// The request's method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "RFC 9110 and RFC 5789 say what they mean")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// A file mounted from a key of a Secret or `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileRef {
    /// Where the file is, relative to the sender's root: plain names joined by `/`.
    pub path: String,
    /// Where the file came from, so that messages can name a missing file in the user's words.
    pub from: Origin,
}

/// Where a mounted file came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// A key of a Secret.
    Secret(KeyRef),
    /// A key of a `ConfigMap`.
    ConfigMap(KeyRef),
}

/// A key of an object in the schedule's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRef {
    /// The object's name.
    pub name: String,
    /// The key in its data.
    pub key: String,
}

/// A value that is in the schedule itself, or in a mounted file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValueSource {
    /// The value itself.
    Inline(String),
    /// The file that holds it.
    File(FileRef),
}

/// A header that the tenant set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The name, as [`super::check_header_name`] allows it.
    pub name: String,
    /// Its value.
    pub value: ValueSource,
}

/// The request's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Body {
    /// The value of `Content-Type`; when it is JSON, placeholders are escaped as JSON.
    pub content_type: String,
    /// Text or bytes, with placeholders.
    pub source: ValueSource,
}

/// Which authorities to trust beside the compiled-in roots, and which client certificate to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tls {
    /// More roots: PEM certificates.
    pub ca_bundle: Option<FileRef>,
    /// The certificate that the sender shows when the receiver asks for one.
    pub client_certificate: Option<ClientCertificate>,
}

/// The two files of a `kubernetes.io/tls` Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificate {
    /// `tls.crt`: the chain, PEM, the sender's own certificate first.
    pub certificate: FileRef,
    /// `tls.key`: PKCS#8, PKCS#1 or SEC1, PEM.
    pub key: FileRef,
}

/// How to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signing {
    /// The scheme.
    pub scheme: Scheme,
    /// The keys, the newest first. All of them sign.
    pub keys: Vec<FileRef>,
    /// The options of the classic schemes. Standard Webhooks has none.
    #[serde(default)]
    pub classic: Option<ClassicOptions>,
}

/// The scheme by which an attempt is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// Standard Webhooks 1.0.0: `v1` or `v1a`, by the prefix of each key.
    StandardWebhooks,
    /// HMAC-SHA256 in hex digits.
    HmacSha256Hex,
    /// HMAC-SHA256 in base64.
    HmacSha256Base64,
}

/// How often and how long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retries {
    /// At most this many attempts: [`super::ATTEMPTS`].
    pub attempts: u32,
    /// The time for one attempt, from the look-up to the end of the response's headers: [`super::TIMEOUT_SECONDS`].
    pub timeout_seconds: u32,
    /// The waits between attempts.
    pub backoff: Backoff,
    /// The time for the whole delivery, waits included: [`super::TOTAL_DEADLINE_SECONDS`].
    pub total_deadline_seconds: u32,
}

/// The waits between attempts, in seconds: [`super::BACKOFF_SECONDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backoff {
    /// The shortest wait.
    pub min_seconds: u32,
    /// The longest wait, unless the receiver asks for a longer one.
    pub max_seconds: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

impl Origin {
    /// The object's kind, as users write it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Origin::Secret(_) => "Secret",
            Origin::ConfigMap(_) => "ConfigMap",
        }
    }

    /// The object and the key.
    #[must_use]
    pub fn key_ref(&self) -> &KeyRef {
        match self {
            Origin::Secret(key) | Origin::ConfigMap(key) => key,
        }
    }
}

impl fmt::Debug for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueSource::Inline(text) => write!(f, "Inline({} bytes)", text.len()),
            ValueSource::File(file) => f.debug_tuple("File").field(file).finish(),
        }
    }
}

impl Method {
    /// The method as it is written in a request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// Whether a request of this method is expected to have a body (RFC 9110, 9.3; RFC 5789).
    #[must_use]
    pub fn wants_body(self) -> bool {
        match self {
            Method::Post | Method::Put | Method::Patch => true,
            Method::Get | Method::Delete => false,
        }
    }
}
