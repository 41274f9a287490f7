//! Values as people create them: what editors, shells, templates and copying leave in a URL, a key or a certificate.
//!
//! All code that reads such a value (sender, `postern check`, `postern verify`) uses this module, so that the messages are the
//! same. A [`Flaw`] says what is wrong and how to fix it, and never holds the value.

mod flaw;
mod invisible;
mod placeholder;

pub use flaw::Flaw;
pub(crate) use flaw::{encoded_twice, flaw, flaw_of_free_text, hidden};

/// The file's content without one line end, which an editor or `kubectl create secret --from-file` leaves behind; it is not part
/// of the value.
pub(crate) fn line(file: &[u8]) -> &[u8] {
    let line = file.strip_suffix(b"\n").unwrap_or(file);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests;
