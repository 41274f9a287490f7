//! Fingerprints: they identify a signing key without showing it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::id::hex;

const DOMAIN: &[u8] = b"postern.dev/signing-key\n";

/// The first 8 hex digits of SHA-256 over `postern.dev/signing-key` LF and the key, as `sha256:9f86d081`.
///
/// The hash is over the key's decoded bytes. For ed25519 it is over the public key, so that both sides can compare their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(String);

impl Fingerprint {
    pub(super) fn of(key: &[u8]) -> Fingerprint {
        let hash = Sha256::new().chain_update(DOMAIN).chain_update(key);
        Fingerprint(format!("sha256:{}", hex(&hash.finalize()[..4])))
    }

    /// `sha256:` and 8 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Fingerprint, &'static str> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == 8 && digits.bytes().all(is_hex) {
            Ok(Fingerprint(text))
        } else {
            Err("a fingerprint is `sha256:` and 8 lower-case hex digits")
        }
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.0
    }
}
