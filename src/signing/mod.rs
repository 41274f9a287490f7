//! Keys, signature schemes and delivery ids: what makes a delivery recognisable to its receiver.
//!
//! Everything here is pure: bytes and a time in, header values out. Reading keys from files is `sender`'s business,
//! and choosing a scheme is the `delivery` contract's. The cryptography is that of `hmac`, `sha2` and
//! `ed25519-dalek`, which wipe keys: `ring`, which TLS brings along, leaves copies of them behind.
//!
//! Followed: Standard Webhooks 1.0.0 (`v1`, `v1a`), RFC 2104 (HMAC), RFC 8032 (ed25519).

mod fingerprint;
mod id;
mod key;
mod key_text;
mod scheme;
mod verify;

pub use fingerprint::Fingerprint;
pub use id::{DeliveryId, InvalidDeliveryId};
pub use key::{Ed25519Key, HmacKey, PublicKey, SigningKey};
pub use key_text::KeyError;
pub use scheme::{ClassicOptions, Encoding, Payload, SignatureHeader, Signer, SignerError};
pub use verify::{VerifyError, VerifyingKey, verify};

/// The header that carries the delivery's id (Standard Webhooks 1.0.0, "Webhook headers").
pub const ID_HEADER: &str = "webhook-id";
/// The header that carries the attempt's time in Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header that carries the signatures, separated by single spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";
