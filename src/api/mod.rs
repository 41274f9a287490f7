//! What users write: `WebhookSchedule` and `WebhookTier` in `postern.dev/v1alpha1`.
//!
//! It has the types, the limits that the API server enforces, and the CRDs generated from both. `kubectl explain` prints the
//! comments of the fields. Other modules decide what a schedule means, and whether its tier allows it.
//!
//! The rules use CEL as it is in Kubernetes 1.33 and later.

#![allow(clippy::doc_markdown, reason = "comments of fields are read by users of kubectl, as plain text")]
#![allow(unreachable_pub, reason = "the derive of a schema makes a private copy of its type, with the same visibility")]

mod body;
mod crd;
mod delivery;
mod duration;
mod reference;
mod schedule;
mod schemas;
mod signing;
mod status;
mod target;
mod tier;

pub use body::Body;
pub use crd::{Crd, CrdError};
pub use delivery::{Backoff, DeliveryOptions, History};
pub use duration::{Duration, ParseDurationError};
pub use reference::{ConfigMapOrSecretKey, KeyRef, ObjectRef, SecretKey, TlsSecret};
pub use schedule::{ConcurrencyPolicy, WebhookSchedule, WebhookScheduleSpec};
pub use signing::{ClassicOptions, ClassicPayload, ManagedKeyType, ManagedKeys, Scheme, Signing};
pub use status::{
    CheckResult, CheckStatus, DeliveryOutcome, DeliveryStatus, KeyState, RotationStatus, SigningKeyStatus,
    TriggerStatus, WebhookScheduleStatus,
};
pub use target::{Header, Method, Target, Tls};
pub use tier::{WebhookTier, WebhookTierSpec, WebhookTierStatus};

/// The API group of both kinds.
pub const GROUP: &str = "postern.dev";
/// The annotation of a schedule that asks for one delivery at once, each time that its value becomes a new one: 1 to
/// [`MAX_TRIGGER_CHARS`] characters.
pub const TRIGGER_ANNOTATION: &str = "postern.dev/trigger";
/// The longest value of [`TRIGGER_ANNOTATION`].
pub const MAX_TRIGGER_CHARS: usize = 128;
/// The annotation of a schedule that asks for a check of what a delivery would be refused for, each time that its value becomes a
/// new one. Its values have the same length as those of [`TRIGGER_ANNOTATION`].
pub const CHECK_ANNOTATION: &str = "postern.dev/check";
/// The annotation of a schedule that asks for a new managed key, each time that its value becomes a new one: 1 to
/// [`MAX_TRIGGER_CHARS`] characters. A value that begins with [`REVOKE`] ends the old keys at once.
pub const ROTATE_ANNOTATION: &str = "postern.dev/rotate-keys";
/// The beginning of a value of [`ROTATE_ANNOTATION`] that stops all old keys from signing.
pub const REVOKE: &str = "revoke";
/// The annotation of a schedule that pauses it unless its value is `false` or empty, as `spec.suspend` does: for whoever must not
/// change the spec, which belongs to Git.
pub const SUSPEND_ANNOTATION: &str = "postern.dev/suspend";
/// The label by which a namespace names its tier.
pub const TIER_LABEL: &str = "postern.dev/tier";
