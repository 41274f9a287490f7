//! Signature schemes: the headers that prove who sent an attempt.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::id::hex;
use super::{DeliveryId, Fingerprint, HmacKey, ID_HEADER, SIGNATURE_HEADER, SigningKey, TIMESTAMP_HEADER};

/// How a classic scheme writes the 32 bytes of HMAC-SHA256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hex digits.
    Hex,
    /// Standard base64 with padding.
    Base64,
}

/// What a classic scheme signs, which also decides the form of its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Payload {
    /// The body alone, in GitHub's form: `X-Hub-Signature-256: sha256=<signature>`. It takes one key, since its receivers expect
    /// one signature.
    #[default]
    Body,
    /// The attempt's Unix seconds, a full stop and the body, in Stripe's form: `t=<seconds>,v1=<signature>`, with one
    /// `v1=` for each key.
    TimestampBody,
}

/// What the user of a classic scheme chooses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClassicOptions {
    /// The header that carries the signature.
    pub header: String,
    /// The text before each signature: `sha256=`, `v1=`, or nothing.
    #[serde(default)]
    pub prefix: String,
    /// What is signed.
    #[serde(default)]
    pub payload: Payload,
}

/// One header of a signed attempt.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureHeader {
    /// The header's name.
    pub name: String,
    /// Its value; printable ASCII.
    pub value: String,
}

/// Leaves out the value: a receiver accepts it until the timestamp is too old.
impl fmt::Debug for SignatureHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignatureHeader({})", self.name)
    }
}

/// Why the keys can't make a signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// Signing was asked for, without any key.
    #[error("signing needs at least one key")]
    NoKey,
    /// There are several keys for a form that carries one signature.
    #[error("a classic signature of the body alone takes one key: name one key, or sign TimestampBody")]
    OneKeyOnly,
}

/// Signs attempts. A signer can't be made without a key, so that nothing is sent unsigned.
#[derive(Debug)]
pub struct Signer(Scheme);

#[derive(Debug)]
enum Scheme {
    /// One signature for each key, in order.
    StandardWebhooks(Vec<SigningKey>),
    /// All keys sign, in order.
    Classic { keys: Vec<HmacKey>, encoding: Encoding, options: ClassicOptions },
}

impl Signer {
    /// A signer of the Standard Webhooks scheme.
    ///
    /// # Errors
    /// When there is no key.
    pub fn standard_webhooks(keys: Vec<SigningKey>) -> Result<Signer, SignerError> {
        if keys.is_empty() { Err(SignerError::NoKey) } else { Ok(Signer(Scheme::StandardWebhooks(keys))) }
    }

    /// A signer of a classic scheme.
    ///
    /// # Errors
    /// When there is no key, or more than one for a signature of the body alone.
    pub fn classic(keys: Vec<HmacKey>, encoding: Encoding, options: ClassicOptions) -> Result<Signer, SignerError> {
        match (keys.len(), options.payload) {
            (0, _) => Err(SignerError::NoKey),
            (1, _) | (_, Payload::TimestampBody) => Ok(Signer(Scheme::Classic { keys, encoding, options })),
            (_, Payload::Body) => Err(SignerError::OneKeyOnly),
        }
    }

    /// The headers of one attempt; `timestamp` is the attempt's time in Unix seconds.
    #[must_use]
    pub fn sign(&self, id: &DeliveryId, timestamp: u64, body: &[u8]) -> Vec<SignatureHeader> {
        let timestamp = timestamp.to_string();
        match &self.0 {
            Scheme::StandardWebhooks(keys) => {
                let signatures: Vec<String> = keys.iter().map(|key| standard(key, id, &timestamp, body)).collect();
                vec![
                    header(ID_HEADER, id.to_string()),
                    header(TIMESTAMP_HEADER, timestamp),
                    header(SIGNATURE_HEADER, signatures.join(" ")),
                ]
            }
            Scheme::Classic { keys, encoding, options } => {
                vec![header(&options.header, classic(keys, *encoding, options, &timestamp, body))]
            }
        }
    }

    /// The fingerprints of the keys that sign, in order.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        match &self.0 {
            Scheme::StandardWebhooks(keys) => keys.iter().map(SigningKey::fingerprint).collect(),
            Scheme::Classic { keys, .. } => keys.iter().map(|key| key.fingerprint().clone()).collect(),
        }
    }
}

fn header(name: &str, value: String) -> SignatureHeader {
    SignatureHeader { name: name.to_owned(), value }
}

fn standard(key: &SigningKey, id: &DeliveryId, timestamp: &str, body: &[u8]) -> String {
    let parts: [&[u8]; 5] = [id.as_str().as_bytes(), b".", timestamp.as_bytes(), b".", body];
    match key {
        SigningKey::Hmac(key) => format!("v1,{}", STANDARD.encode(key.sign(&parts))),
        SigningKey::Ed25519(key) => format!("v1a,{}", STANDARD.encode(key.sign(&parts))),
    }
}

fn classic(keys: &[HmacKey], encoding: Encoding, options: &ClassicOptions, timestamp: &str, body: &[u8]) -> String {
    let signed: &[&[u8]] = match options.payload {
        Payload::Body => &[body],
        Payload::TimestampBody => &[timestamp.as_bytes(), b".", body],
    };
    let mut values: Vec<String> = keys
        .iter()
        .map(|key| {
            let tag = key.sign(signed);
            let signature = match encoding {
                Encoding::Hex => hex(&tag),
                Encoding::Base64 => STANDARD.encode(tag),
            };
            format!("{}{signature}", options.prefix)
        })
        .collect();
    if options.payload == Payload::TimestampBody {
        values.insert(0, format!("t={timestamp}"));
    }
    values.join(",")
}

#[cfg(test)]
mod tests;
