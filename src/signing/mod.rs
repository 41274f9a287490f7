//! Keys, signature schemes and delivery ids: how a receiver recognises a delivery.
//!
//! Everything here is pure: bytes and a time in, header values out. `sender` reads keys from files, and the `delivery` contract
//! says which scheme is used. The cryptography comes from `hmac`, `sha2` and `ed25519-dalek`, which wipe keys: `ring`, a
//! dependency of the TLS library, leaves copies of them behind.
//!
//! It follows Standard Webhooks 1.0.0 (`v1`, `v1a`), RFC 2104 (HMAC) and RFC 8032 (ed25519).

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
