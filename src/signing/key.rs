//! Signing keys: how they sign, and their fingerprints. `key_text` has their text forms.

use std::fmt;

use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use ed25519_dalek::{Signature, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::fingerprint::Fingerprint;

/// A key for HMAC-SHA256, shared with the receiver. It is wiped when it is dropped.
pub struct HmacKey {
    /// Already holds the key, and no message yet. It is in a box, since a list of keys that grows leaves copies behind.
    mac: Box<Hmac<Sha256>>,
    fingerprint: Fingerprint,
}

impl HmacKey {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104, section 2)")]
    pub(super) fn new(bytes: &[u8]) -> HmacKey {
        let mac = Hmac::new_from_slice(bytes).expect("HMAC takes keys of any length");
        HmacKey { mac: Box::new(mac), fingerprint: Fingerprint::of(bytes) }
    }

    /// HMAC-SHA256 (RFC 2104) over the parts, one after the other.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = (*self.mac).clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// Whether the tag is right for the message, in constant time.
    #[must_use]
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        (*self.mac).clone().chain_update(message).verify_slice(tag).is_ok()
    }

    /// The fingerprint of this key.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

/// A private ed25519 key (RFC 8032). It is wiped when it is dropped.
pub struct Ed25519Key {
    /// In a box, since a list of keys that grows leaves copies behind.
    pub(super) key: Box<ed25519_dalek::SigningKey>,
}

impl Ed25519Key {
    /// A signature over the parts, one after the other.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 64] {
        self.key.multipart_sign(parts).to_bytes()
    }

    /// The public half, which the receiver holds.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.key.verifying_key().to_bytes())
    }
}

/// A public ed25519 key. It is written as `whpk_` and base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(super) [u8; 32]);

impl PublicKey {
    /// Whether this key's private half made the signature over the message.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(&self.0), Signature::from_slice(signature)) else {
            return false;
        };
        key.verify_strict(message, &signature).is_ok()
    }

    /// The fingerprint of this key and of its private half.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0)
    }
}

/// A key of the Standard Webhooks scheme. Its prefix says which kind of signature it makes.
#[derive(Debug)]
pub enum SigningKey {
    /// `whsec_`: makes `v1` signatures.
    Hmac(HmacKey),
    /// `whsk_`: makes `v1a` signatures.
    Ed25519(Ed25519Key),
}

impl SigningKey {
    /// The fingerprint of this key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            SigningKey::Hmac(key) => key.fingerprint().clone(),
            SigningKey::Ed25519(key) => key.public().fingerprint(),
        }
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HmacKey({})", self.fingerprint)
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Key({})", self.public().fingerprint())
    }
}
