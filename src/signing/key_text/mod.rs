//! Signing keys as users write them: a prefix that says the kind, and base64.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Ed25519Key, HmacKey, PublicKey, SigningKey};
use crate::values::{self, Flaw};

const HMAC_PREFIX: &str = "whsec_";
const PRIVATE_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";
const PREFIXES: [&str; 3] = [HMAC_PREFIX, PRIVATE_PREFIX, PUBLIC_PREFIX];
const SEED_BYTES: usize = 32;
const GENERATED_HMAC_BYTES: usize = 32;

/// The range of a `whsec_` key in bytes, once decoded (Standard Webhooks 1.0.0: 192 to 512 bits).
pub(super) const HMAC_RANGE: std::ops::RangeInclusive<usize> = 24..=64;
/// The range of a raw key of a classic scheme in bytes. Existing receivers chose the length; shorter keys are guessable.
pub(super) const RAW_RANGE: std::ops::RangeInclusive<usize> = 16..=1024;

/// Why a key can't be used. No variant holds any of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is empty, or has only a line end.
    #[error("the key is empty")]
    Empty,
    /// It is stored in a changed form.
    #[error("the key {0}")]
    Flawed(Flaw),
    /// It begins with neither `whsec_` nor `whsk_`.
    #[error("the key must begin with whsec_ (HMAC-SHA256) or whsk_ (ed25519); `postern keygen` makes one")]
    UnknownPrefix,
    /// It is a `whpk_` key where a private key is needed.
    #[error("this is a public key (whpk_): sign with the private key (whsk_), and give this one to the receiver")]
    PublicKeyGiven,
    /// The text after the prefix is not standard base64 with padding.
    #[error("what follows the key's prefix is not standard base64 with padding")]
    NotBase64,
    /// A `whsec_` key whose length is out of range.
    #[error("a whsec_ key holds 24 to 64 bytes, this one {0}")]
    HmacLength(usize),
    /// A `whsk_` key that is neither a seed nor a seed and its public key.
    #[error("a whsk_ key holds 32 bytes (seed) or 64 (seed and public key), this one {0}")]
    Ed25519Length(usize),
    /// A `whsk_` key of 64 bytes whose second half doesn't belong to the first.
    #[error("the public half of the whsk_ key doesn't belong to its private half")]
    Ed25519Mismatch,
    /// A `whpk_` key of another length.
    #[error("a whpk_ key holds 32 bytes, this one {0}")]
    PublicLength(usize),
    /// A raw key of a classic scheme whose length is out of range.
    #[error("a raw key holds 16 to 1,024 bytes, this one {0}")]
    RawLength(usize),
    /// An ed25519 key for a classic scheme.
    #[error("classic schemes are HMAC-SHA256: use a raw key or one that begins with whsec_")]
    NotHmac,
}

impl HmacKey {
    /// Reads a key of a classic scheme: `whsec_` and base64, or raw bytes as they are, without one trailing line end.
    ///
    /// # Errors
    /// When the key is empty, out of range, badly encoded or an ed25519 key; or when it is text with a [`Flaw`]. A key that
    /// really has such bytes can be written as `whsec_` and base64.
    pub fn parse_classic(file: &[u8]) -> Result<HmacKey, KeyError> {
        let raw = values::line(file);
        if raw.is_empty() {
            return Err(KeyError::Empty);
        }
        if raw.starts_with(PRIVATE_PREFIX.as_bytes()) || raw.starts_with(PUBLIC_PREFIX.as_bytes()) {
            return Err(KeyError::NotHmac);
        }
        if let Some(encoded) = raw.strip_prefix(HMAC_PREFIX.as_bytes()) {
            flawless(raw)?;
            return parse_hmac(encoded);
        }
        if let Some(flaw) = values::flaw_of_free_text(raw, &PREFIXES) {
            return Err(KeyError::Flawed(flaw));
        }
        if RAW_RANGE.contains(&raw.len()) { Ok(HmacKey::new(raw)) } else { Err(KeyError::RawLength(raw.len())) }
    }
}

impl PublicKey {
    /// Reads `whpk_` and base64, without one trailing line end; `None` when it has another prefix.
    pub(super) fn parse(file: &[u8]) -> Option<Result<PublicKey, KeyError>> {
        let text = values::line(file);
        let encoded = text.strip_prefix(PUBLIC_PREFIX.as_bytes())?;
        Some(flawless(text).and_then(|()| decode(encoded)).and_then(|bytes| {
            let bytes = bytes.as_slice().try_into().map_err(|_| KeyError::PublicLength(bytes.len()))?;
            Ok(PublicKey(bytes))
        }))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl SigningKey {
    /// Reads `whsec_` and base64 of 24 to 64 bytes, or `whsk_` and base64 of a 32-byte seed or of a seed and its public key (64
    /// bytes), without one trailing line end.
    ///
    /// # Errors
    /// When the key is empty, has a [`Flaw`], is wrongly prefixed, badly encoded or out of range, or its halves don't match.
    pub fn parse(file: &[u8]) -> Result<SigningKey, KeyError> {
        let text = values::line(file);
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        flawless(text)?;
        if let Some(encoded) = text.strip_prefix(HMAC_PREFIX.as_bytes()) {
            Ok(SigningKey::Hmac(parse_hmac(encoded)?))
        } else if let Some(encoded) = text.strip_prefix(PRIVATE_PREFIX.as_bytes()) {
            Ok(SigningKey::Ed25519(parse_ed25519(encoded)?))
        } else if text.starts_with(PUBLIC_PREFIX.as_bytes()) {
            Err(KeyError::PublicKeyGiven)
        } else {
            Err(KeyError::UnknownPrefix)
        }
    }

    /// Makes a `whsec_` key of 32 bytes, as text.
    ///
    /// # Errors
    /// When the system's random source fails.
    pub fn generate_hmac() -> Result<Zeroizing<String>, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; GENERATED_HMAC_BYTES]);
        getrandom::fill(&mut *bytes)?;
        Ok(encode(HMAC_PREFIX, &*bytes))
    }

    /// Makes a `whsk_` key (seed and public key, the form that other libraries read too), as text.
    ///
    /// # Errors
    /// When the system's random source fails.
    pub fn generate_ed25519() -> Result<Zeroizing<String>, getrandom::Error> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(&mut *seed)?;
        let both = Zeroizing::new(ed25519_dalek::SigningKey::from_bytes(&seed).to_keypair_bytes());
        Ok(encode(PRIVATE_PREFIX, &*both))
    }
}

fn flawless(text: &[u8]) -> Result<(), KeyError> {
    values::flaw(text, &PREFIXES).map_or(Ok(()), |flaw| Err(KeyError::Flawed(flaw)))
}

/// Decodes base64. Decoded bytes are wiped, even when a later part can't be decoded.
fn decode(encoded: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(encoded.len())]);
    let length = STANDARD.decode_slice(encoded, &mut bytes).map_err(|_| KeyError::NotBase64)?;
    bytes.truncate(length);
    Ok(bytes)
}

fn encode(prefix: &str, bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + bytes.len() * 2));
    text.push_str(prefix);
    STANDARD.encode_string(bytes, &mut text);
    text
}

fn parse_hmac(encoded: &[u8]) -> Result<HmacKey, KeyError> {
    let bytes = decode(encoded)?;
    if HMAC_RANGE.contains(&bytes.len()) { Ok(HmacKey::new(&bytes)) } else { Err(KeyError::HmacLength(bytes.len())) }
}

fn parse_ed25519(encoded: &[u8]) -> Result<Ed25519Key, KeyError> {
    let bytes = decode(encoded)?;
    let key = if let Ok(seed) = <&[u8; SEED_BYTES]>::try_from(bytes.as_slice()) {
        ed25519_dalek::SigningKey::from_bytes(seed)
    } else {
        let length = |_| KeyError::Ed25519Length(bytes.len());
        let both = bytes.as_slice().try_into().map_err(length)?;
        ed25519_dalek::SigningKey::from_keypair_bytes(both).map_err(|_| KeyError::Ed25519Mismatch)?
    };
    Ok(Ed25519Key { key: Box::new(key) })
}

#[cfg(test)]
mod tests;
