//! Certificates in PEM (RFC 7468), each read on its own: one that can't be read doesn't affect the others.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::values::{self, Flaw};

/// How a certificate begins.
pub(super) const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
/// The part of a private key's first line that all kinds of keys share.
const PRIVATE_KEY: &str = "PRIVATE KEY-----";
/// What the first lines of an encrypted key contain: PKCS #8 (RFC 5958), and OpenSSL's older form (RFC 1421, 4.6.1.1).
const ENCRYPTED: [&str; 2] = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];
/// The most places that a message names.
const MOST_NAMED: usize = 3;

/// The certificates in their order, `None` for one that can't be read. Text before, between and after them is not part of them,
/// as RFC 7468 says: a byte order mark, quotes, comments, blanks.
pub(super) fn certificates(pem: &[u8]) -> impl Iterator<Item = Option<CertificateDer<'static>>> {
    let mut rest = find(pem, CERTIFICATE).map(|start| &pem[start..]);
    std::iter::from_fn(move || {
        let block = rest?;
        let next = find(&block[CERTIFICATE.len()..], CERTIFICATE).map(|start| CERTIFICATE.len() + start);
        rest = next.map(|start| &block[start..]);
        Some(CertificateDer::from_pem_slice(&block[..next.unwrap_or(block.len())]).ok())
    })
}

/// Why a value has no section that begins with `beginning`.
pub(super) fn why_none(pem: &[u8], beginning: &str) -> String {
    flaw(pem).map_or_else(|| format!("holds no PEM that can be read ({beginning})"), |flaw| flaw.to_string())
}

/// Why a value has no private key that can be read.
pub(super) fn why_no_key(pem: &[u8]) -> String {
    if flaw(pem).is_none() && ENCRYPTED.iter().any(|mark| find(pem, mark).is_some()) {
        return "has an encrypted key: store it without a passphrase (openssl pkey -in FILE)".to_owned();
    }
    why_none(pem, PRIVATE_KEY)
}

/// What is wrong with the whole of a value that should be PEM.
pub(super) fn flaw(pem: &[u8]) -> Option<Flaw> {
    values::encoded_twice(pem, "-----BEGIN ")
        .or_else(|| find(pem, "\\n").map(|_| Flaw::LineBreaksWrittenOut))
        .or_else(|| values::hidden(pem))
}

/// The places for a message, as in "certificate 3 of 5"; their number is bounded.
pub(super) fn places(places: &[usize], count: usize) -> String {
    let named: Vec<String> = places.iter().take(MOST_NAMED).map(usize::to_string).collect();
    let named = named.join(", ");
    match places.len() {
        0 | 1 => format!("certificate {named} of {count}"),
        2..=MOST_NAMED => format!("certificates {named} of {count}"),
        more => format!("certificates {named} and {} more of {count}", more - MOST_NAMED),
    }
}

fn find(text: &[u8], part: &str) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part.as_bytes())
}

#[cfg(test)]
mod tests;
