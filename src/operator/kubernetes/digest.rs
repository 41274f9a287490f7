//! Numbers derived from a hash: the same text always gives the same number.

use sha2::{Digest as _, Sha256};

/// The first eight bytes of the SHA-256 of a text, as a big-endian number.
pub(crate) fn number_of(text: &str) -> u64 {
    let hash = Sha256::digest(text);
    hash.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}
