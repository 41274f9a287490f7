//! Verification as a receiver does it (Standard Webhooks 1.0.0, "Verifying signatures"), with errors that say what is wrong. The
//! signer's tests don't use it: they verify with other implementations.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::PublicKey;
use super::{Fingerprint, HmacKey, ID_HEADER, KeyError, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER};

/// The key that a receiver holds.
#[derive(Debug)]
pub enum VerifyingKey {
    /// `whsec_`: verifies `v1` signatures.
    Hmac(HmacKey),
    /// `whpk_`: verifies `v1a` signatures.
    Ed25519(PublicKey),
}

/// What is wrong with a delivery. The variants are in the order in which a receiver checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// One of the three headers is missing.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// One of the three headers is there twice: receivers might differ in which one they use.
    #[error("the header {0} is there more than once")]
    RepeatedHeader(&'static str),
    /// `webhook-timestamp` is not a whole number of seconds.
    #[error("webhook-timestamp is not a whole number of Unix seconds")]
    TimestampMalformed,
    /// The timestamp is older than the tolerance.
    #[error("webhook-timestamp is {age} s old, and the tolerance is {tolerance} s: a replay, or a slow clock")]
    TooOld {
        /// Seconds.
        age: u64,
        /// Seconds.
        tolerance: u64,
    },
    /// The timestamp is ahead of our clock by more than the tolerance.
    #[error("webhook-timestamp is {ahead} s in the future, and the tolerance is {tolerance} s: compare the clocks")]
    TooNew {
        /// Seconds.
        ahead: u64,
        /// Seconds.
        tolerance: u64,
    },
    /// The list has no signature of the key's kind.
    #[error("webhook-signature has no {0} signature, the kind that this key verifies")]
    NoSuchSignature(&'static str),
    /// There are signatures of the right kind, but none can be decoded.
    #[error("webhook-signature has no {0} signature that is standard base64")]
    SignatureNotBase64(&'static str),
    /// The signature is right for the body without its last line end.
    #[error("the signature belongs to this body without its trailing line end: save the body byte for byte")]
    BodyHasLineEnd,
    /// The key, id, timestamp or body is another one.
    #[error("no {0} signature matches: another key, or the body, webhook-id or webhook-timestamp was changed")]
    Mismatch(&'static str),
}

impl VerifyingKey {
    /// Reads `whsec_`, `whpk_`, or `whsk_` (of which only the public half is used), without one trailing line end.
    ///
    /// # Errors
    /// As [`SigningKey::parse`].
    pub fn parse(file: &[u8]) -> Result<VerifyingKey, KeyError> {
        if let Some(public) = PublicKey::parse(file) {
            return public.map(VerifyingKey::Ed25519);
        }
        Ok(match SigningKey::parse(file)? {
            SigningKey::Hmac(key) => VerifyingKey::Hmac(key),
            SigningKey::Ed25519(key) => VerifyingKey::Ed25519(key.public()),
        })
    }

    /// The fingerprint of this key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        match self {
            VerifyingKey::Hmac(key) => key.fingerprint().clone(),
            VerifyingKey::Ed25519(key) => key.fingerprint(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            VerifyingKey::Hmac(_) => "v1",
            VerifyingKey::Ed25519(_) => "v1a",
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            VerifyingKey::Hmac(key) => key.verify(message, signature),
            VerifyingKey::Ed25519(key) => key.verify(message, signature),
        }
    }
}

/// Verifies a delivery. Header names are compared without case; `now` and `tolerance` are in seconds.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    key: &VerifyingKey,
    headers: &[(String, String)],
    body: &[u8],
    now: u64,
    tolerance: u64,
) -> Result<(), VerifyError> {
    let id = only(headers, ID_HEADER)?;
    let timestamp = only(headers, TIMESTAMP_HEADER)?;
    let signatures = only(headers, SIGNATURE_HEADER)?;

    let sent: u64 = timestamp.parse().map_err(|_| VerifyError::TimestampMalformed)?;
    if now.saturating_sub(sent) > tolerance {
        return Err(VerifyError::TooOld { age: now - sent, tolerance });
    }
    if sent.saturating_sub(now) > tolerance {
        return Err(VerifyError::TooNew { ahead: sent - now, tolerance });
    }

    let kind = key.kind();
    let candidates: Vec<&str> = signatures
        .split(' ')
        .filter_map(|signature| signature.split_once(','))
        .filter_map(|(its_kind, value)| (its_kind == kind).then_some(value))
        .collect();
    if candidates.is_empty() {
        return Err(VerifyError::NoSuchSignature(kind));
    }
    let decoded: Vec<Vec<u8>> = candidates.iter().filter_map(|value| STANDARD.decode(value).ok()).collect();
    if decoded.is_empty() {
        return Err(VerifyError::SignatureNotBase64(kind));
    }

    let matches = |body: &[u8]| {
        let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
        decoded.iter().any(|signature| key.verify(&message, signature))
    };
    if matches(body) {
        return Ok(());
    }
    match body.strip_suffix(b"\n") {
        Some(shorter) if matches(shorter) => Err(VerifyError::BodyHasLineEnd),
        _ => Err(VerifyError::Mismatch(kind)),
    }
}

fn only<'h>(headers: &'h [(String, String)], name: &'static str) -> Result<&'h str, VerifyError> {
    let mut values = headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
    let (_, value) = values.next().ok_or(VerifyError::MissingHeader(name))?;
    if values.next().is_some() { Err(VerifyError::RepeatedHeader(name)) } else { Ok(value) }
}

#[cfg(test)]
mod tests;
