//! Values as people make them: what editors, shells, templates and copying leave in a URL, a key or a certificate.
//!
//! Everybody who reads such a value (sender, `postern check`, `postern verify`) asks here, so that all say the same. A
//! [`Flaw`] says what is wrong and how to mend it, and never holds any of the value.

mod flaw;
mod invisible;
mod placeholder;

pub use flaw::Flaw;
pub(crate) use flaw::{encoded_twice, flaw, flaw_of_free_text, hidden};

/// Less one line end, which an editor or `kubectl create secret --from-file` leaves behind; it is no part of the value.
pub(crate) fn line(file: &[u8]) -> &[u8] {
    let line = file.strip_suffix(b"\n").unwrap_or(file);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests;
