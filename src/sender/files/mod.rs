//! Reading the delivery's folder: every file is bounded, and a missing one is named in the user's words.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::refusal::Refusal;
use crate::delivery::{Delivery, FileRef, KeyRef, MAX_DELIVERY_BYTES, MAX_PROBES_BYTES, Probes, Reason, ValueSource};
use crate::values;

const DELIVERY_FILE: &str = "delivery.json";
const PROBES_FILE: &str = "probes.json";
const JOB_NAME_FILE: &str = "job-name";
/// Kubernetes allows 63 bytes in a label.
const MAX_JOB_NAME_BYTES: usize = 64;

/// Bytes that can't be printed, and that are wiped when they are no longer needed.
pub(super) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub(super) fn of(bytes: &[u8]) -> Secret {
        Secret(Zeroizing::new(bytes.to_vec()))
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes without one trailing line end, which an editor or `kubectl create secret --from-file` leaves behind.
    pub(super) fn line(&self) -> &[u8] {
        values::line(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The delivery's folder in the pod.
pub(super) struct Root(PathBuf);

enum ReadError {
    Missing,
    TooLarge,
    Unreadable(ErrorKind),
}

impl Root {
    pub(super) fn new(path: &Path) -> Root {
        Root(path.to_owned())
    }

    pub(super) fn delivery(&self) -> Result<Delivery, Refusal> {
        let json = self.own_file(DELIVERY_FILE, MAX_DELIVERY_BYTES, Reason::DeliveryInvalid)?;
        Ok(Delivery::parse(json.expose())?)
    }

    pub(super) fn job_name(&self) -> Result<String, Refusal> {
        let name = self.own_file(JOB_NAME_FILE, MAX_JOB_NAME_BYTES, Reason::JobNameInvalid)?;
        String::from_utf8(name.line().to_vec())
            .map_err(|_| Refusal::new(Reason::JobNameInvalid, format!("{JOB_NAME_FILE} is not text")))
    }

    /// What a canary should try to reach.
    pub(super) fn probes(&self) -> io::Result<Probes> {
        let json = self.read(PROBES_FILE, MAX_PROBES_BYTES).map_err(|error| {
            io::Error::from(match error {
                ReadError::Missing => ErrorKind::NotFound,
                ReadError::TooLarge => ErrorKind::FileTooLarge,
                ReadError::Unreadable(kind) => kind,
            })
        })?;
        Probes::parse(json.expose()).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }

    /// A file that the operator provides, not the user.
    fn own_file(&self, name: &str, limit: usize, reason: Reason) -> Result<Secret, Refusal> {
        self.read(name, limit).map_err(|error| {
            let problem = match error {
                ReadError::Missing => "is missing".to_owned(),
                ReadError::TooLarge => format!("has more than {limit} bytes"),
                ReadError::Unreadable(kind) => format!("can't be read: {kind}"),
            };
            Refusal::new(reason, format!("{name} {problem}"))
        })
    }

    /// A mounted file of at most `limit` bytes, which must hold at least one byte besides a line end.
    pub(super) fn mounted(&self, file: &FileRef, limit: usize) -> Result<Secret, Refusal> {
        let KeyRef { name: object, key } = file.from.key_ref();
        let kind = file.from.kind();
        let refuse = |reason, detail| Err(Refusal::new(reason, detail));
        match self.read(&file.path, limit) {
            Ok(secret) if secret.line().is_empty() => refuse(
                Reason::ReferenceEmpty,
                format!("{kind} {object} has nothing in key {key}; fill it and the next delivery will use it"),
            ),
            Ok(secret) => Ok(secret),
            // The kubelet leaves out an optional file in the same way for a missing object and a missing key.
            Err(ReadError::Missing) => refuse(
                Reason::ReferenceMissing,
                format!("{kind} {object} doesn't exist, or has no key {key}; add it and the next delivery will use it"),
            ),
            Err(ReadError::TooLarge) => refuse(
                Reason::ReferenceTooLarge,
                format!("{kind} {object} has more than {limit} bytes in key {key}; shorten it"),
            ),
            Err(ReadError::Unreadable(error)) => refuse(
                Reason::ReferenceUnreadable,
                format!("{kind} {object}, key {key} can't be read where it is mounted: {error}"),
            ),
        }
    }

    /// An inline value, or the value in the mounted file. The file's line end is kept: not every value is one line.
    pub(super) fn value(&self, source: &ValueSource, limit: usize) -> Result<Secret, Refusal> {
        match source {
            ValueSource::Inline(text) => Ok(Secret::of(text.as_bytes())),
            ValueSource::File(file) => self.mounted(file, limit),
        }
    }

    fn read(&self, path: &str, limit: usize) -> Result<Secret, ReadError> {
        let file = File::open(self.0.join(path)).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => ReadError::Missing,
            kind => ReadError::Unreadable(kind),
        })?;
        // Allocate room for the whole file: growing would leave copies behind that nobody wipes.
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let capacity = usize::try_from(length).unwrap_or(usize::MAX).min(limit) + 1;
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        let one_too_many = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        file.take(one_too_many).read_to_end(&mut bytes).map_err(|error| ReadError::Unreadable(error.kind()))?;
        if bytes.len() > limit { Err(ReadError::TooLarge) } else { Ok(Secret(bytes)) }
    }
}

#[cfg(test)]
mod tests;
