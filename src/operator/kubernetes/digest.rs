//! Numbers derived from a hash: the same text always gives the same number.

use ring::digest::{SHA256, digest};

/// The first eight bytes of the SHA-256 of a text, as a big-endian number.
pub(crate) fn number_of(text: &str) -> u64 {
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref().iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}
