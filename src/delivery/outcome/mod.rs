//! What happened: the sender's termination message.
//!
//! The operator reads it from a pod's status, which others may write, so the reader trusts nothing: the size, every list and
//! every text is bounded, and anything in another form is rejected.

use serde::{Deserialize, Serialize};

use super::{ATTEMPTS, MAX_KEYS, MAX_OUTCOME_BYTES, Reason, Timestamp};
use crate::signing::{DeliveryId, Fingerprint};

const MAX_DETAIL_BYTES: usize = 512;
/// `https://`, a name of 253 bytes, a port and `/...`.
const MAX_TARGET_BYTES: usize = 280;

/// How a delivery ended; the sender's exit code says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OutcomeClass {
    /// The receiver took it. Exit code 0.
    Delivered,
    /// Nothing was sent, and nothing will be until somebody changes something. Exit code 10.
    Refused,
    /// An attempt failed in a way that another attempt would not mend. Exit code 11.
    FailedPermanently,
    /// Every attempt failed, or the time ran out. Exit code 12.
    Failed,
    /// The sender was told to stop. Exit code 13.
    Interrupted,
    /// The delivery was only judged, and it would be sent. Exit code 0.
    Checked,
}

impl OutcomeClass {
    /// Every class.
    pub const ALL: [OutcomeClass; 6] = [
        OutcomeClass::Delivered,
        OutcomeClass::Refused,
        OutcomeClass::FailedPermanently,
        OutcomeClass::Failed,
        OutcomeClass::Interrupted,
        OutcomeClass::Checked,
    ];

    /// The sender's exit code. For a usage error, the exit code is 2 and no outcome is written.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            OutcomeClass::Delivered | OutcomeClass::Checked => 0,
            OutcomeClass::Refused => 10,
            OutcomeClass::FailedPermanently => 11,
            OutcomeClass::Failed => 12,
            OutcomeClass::Interrupted => 13,
        }
    }
}

/// The family of the address that the last attempt connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum AddressFamily {
    IPv4,
    IPv6,
}

/// One attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The time from the look-up to the end of the response's headers or the failure, in milliseconds. What was done before the
    /// delivery was due doesn't count.
    pub duration_ms: u32,
    /// How it ended.
    pub reason: Reason,
    /// The status that the receiver answered with, if it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
}

/// How long the phases of the last attempt took, in milliseconds; absent for a phase that wasn't finished. A sender that was started
/// early may have connected before the attempt began; no wait is part of a phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Timings {
    /// The look-up of the host's addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_ms: Option<u32>,
    /// The TCP connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<u32>,
    /// The TLS handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ms: Option<u32>,
    /// From the request to the response's headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u32>,
}

/// What happened to one delivery. Its only form of the URL is the masked one, and of what the receiver said it has only the
/// status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// At most [`Outcome::VERSION`].
    pub version: u32,
    /// Absent when the delivery was refused before its id was known, and when it was only judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<DeliveryId>,
    /// Absent when the delivery was refused before its scheduled time was known, and when it was only judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_time: Option<Timestamp>,
    /// When the sender started; when the delivery was due, if the sender was started early and has waited for that.
    pub started_at: Timestamp,
    /// How it ended.
    pub outcome: OutcomeClass,
    /// Why: the reason of the last attempt, if there was one.
    pub reason: Reason,
    /// What to do about it, in words without a secret; empty when the reason is enough.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The status of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// How many attempts were made. `attempts` may list fewer: the latest ones.
    #[serde(default)]
    pub attempt_count: u32,
    /// The attempts, the first one first.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// `https://host/...`; absent when the URL was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Absent when nothing was connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_family: Option<AddressFamily>,
    /// The keys that sign, the newest first.
    #[serde(default)]
    pub key_fingerprints: Vec<Fingerprint>,
    /// The phases of the last attempt.
    #[serde(default)]
    pub timings: Timings,
}

/// Why bytes are not an outcome. No variant quotes them: others may have written them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeUnreadable {
    /// It has more than [`MAX_OUTCOME_BYTES`].
    #[error("the outcome has more than {MAX_OUTCOME_BYTES} bytes")]
    TooLarge,
    /// This build doesn't know its version.
    #[error("the outcome has version {0}, newer than this operator reads: upgrade the operator")]
    Version(u32),
    /// It is not JSON, or a field is missing or has the wrong type.
    #[error("the outcome is malformed")]
    Malformed,
    /// A field breaks a limit.
    #[error("the outcome's {0} is beyond its limit")]
    Field(&'static str),
}

impl Outcome {
    /// The version that this build writes, and the newest one that it reads.
    pub const VERSION: u32 = 1;

    /// The outcome of a delivery that has only begun: interrupted, until it is known how it ended.
    #[must_use]
    pub fn begun(started_at: Timestamp) -> Outcome {
        Outcome {
            version: Outcome::VERSION,
            id: None,
            scheduled_time: None,
            started_at,
            outcome: OutcomeClass::Interrupted,
            reason: Reason::Interrupted,
            detail: String::new(),
            http_status: None,
            attempt_count: 0,
            attempts: Vec::new(),
            target: None,
            address_family: None,
            key_fingerprints: Vec::new(),
            timings: Timings::default(),
        }
    }

    /// Records how the delivery ended.
    pub fn conclude(&mut self, class: OutcomeClass, reason: Reason, detail: String) {
        self.outcome = class;
        self.reason = reason;
        self.detail = detail;
    }

    /// Writes the outcome as one line of JSON of at most [`MAX_OUTCOME_BYTES`] bytes. If it would be longer, the earliest
    /// attempts are left out first, and then the detail.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut outcome = self.clone();
        truncate(&mut outcome.detail, MAX_DETAIL_BYTES);
        loop {
            // Numbers, texts and lists of them can always be written as JSON.
            let json = serde_json::to_string(&outcome).unwrap_or_default();
            if json.len() <= MAX_OUTCOME_BYTES {
                return json;
            }
            if outcome.attempts.is_empty() {
                outcome.detail.clear();
                outcome.target = None;
                outcome.key_fingerprints.truncate(MAX_KEYS);
            } else {
                outcome.attempts.remove(0);
            }
        }
    }

    /// Reads an outcome, which anybody may have written.
    ///
    /// # Errors
    /// When it is too large, of a newer version, malformed, or a field breaks its limit.
    pub fn parse(json: &[u8]) -> Result<Outcome, OutcomeUnreadable> {
        /// The version is read first: a newer version may have other fields.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }

        if json.len() > MAX_OUTCOME_BYTES {
            return Err(OutcomeUnreadable::TooLarge);
        }
        let Versioned { version } = serde_json::from_slice(json).map_err(|_| OutcomeUnreadable::Malformed)?;
        if !(1..=Outcome::VERSION).contains(&version) {
            return Err(OutcomeUnreadable::Version(version));
        }
        let outcome: Outcome = serde_json::from_slice(json).map_err(|_| OutcomeUnreadable::Malformed)?;
        outcome.check()?;
        Ok(outcome)
    }

    /// Checks the fields whose types don't already ensure their form, as those of ids, times and fingerprints do.
    fn check(&self) -> Result<(), OutcomeUnreadable> {
        let status = |status: Option<u16>| status.is_none_or(|status| (100..=999).contains(&status));
        let most_attempts = *ATTEMPTS.end();
        let target = |target: &String| {
            let host = target.strip_prefix("https://").and_then(|rest| rest.strip_suffix("/..."));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
            target.len() <= MAX_TARGET_BYTES && host.is_some_and(|host| host.bytes().all(plain))
        };
        let checks = [
            ("detail", self.detail.len() <= MAX_DETAIL_BYTES && !self.detail.chars().any(char::is_control)),
            ("httpStatus", status(self.http_status)),
            ("attemptCount", self.attempt_count <= most_attempts),
            ("attempts", self.attempts.len() <= self.attempt_count as usize),
            ("attempts", self.attempts.iter().all(|attempt| status(attempt.http_status))),
            ("target", self.target.as_ref().is_none_or(target)),
            ("keyFingerprints", self.key_fingerprints.len() <= MAX_KEYS),
        ];
        match checks.into_iter().find(|(_, holds)| !holds) {
            Some((field, _)) => Err(OutcomeUnreadable::Field(field)),
            None => Ok(()),
        }
    }
}

/// Cuts the text at a character boundary.
fn truncate(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
}

#[cfg(test)]
mod tests;
