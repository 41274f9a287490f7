//! The response, as far as a delivery needs it. Its status line decides. Of what follows, only `Retry-After` and the body's
//! length matter, and whatever can't be understood is skipped: the receiver has either taken the delivery or it has not.
//!
//! This is all of HTTP that the sender reads: the status line of RFC 9112, 4, and lines up to an empty one.

use http::StatusCode;

/// The most bytes of a response's head. Later bytes are not looked at.
pub(super) const MAX_HEAD_BYTES: usize = 16_384;
/// The length of an HTTP/2 frame's header (RFC 9113, 4.1).
const FRAME_HEAD_BYTES: usize = 9;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

/// A response without a status line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    /// It begins with an HTTP/2 frame.
    Http2,
    /// It begins with something other than `HTTP/1.` and a status.
    NotHttp1,
    /// No status line ended within [`MAX_HEAD_BYTES`].
    TooLong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    StatusLine,
    /// The headers of a 1xx, after which another head comes.
    InterimHeaders,
    Headers,
    Body,
}

/// What has been received of a response.
#[derive(Debug)]
pub(super) struct Response {
    stage: Stage,
    /// The bytes of a line that hasn't ended yet.
    line: Vec<u8>,
    /// The bytes of this head so far.
    head_bytes: usize,
    status: Option<StatusCode>,
    retry_after: Option<Vec<u8>>,
    /// How much of the body is still to come; `None` when only the end of the connection tells.
    body_left: Option<u64>,
}

impl Response {
    pub(super) fn new() -> Response {
        Response {
            stage: Stage::StatusLine,
            line: Vec::new(),
            head_bytes: 0,
            status: None,
            retry_after: None,
            body_left: None,
        }
    }

    /// The final status: never a 1xx, except for 101, which the sender never asks for.
    pub(super) fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Whether anything of an answer was received. A 1xx is none.
    pub(super) fn has_begun(&self) -> bool {
        self.stage != Stage::StatusLine || self.head_bytes > 0
    }

    /// The value of the first `Retry-After`.
    pub(super) fn retry_after(&self) -> Option<&[u8]> {
        self.retry_after.as_deref()
    }

    /// Whether no more headers can come.
    pub(super) fn head_has_ended(&self) -> bool {
        self.stage == Stage::Body
    }

    /// Whether nothing more can come at all, as far as the response itself says.
    pub(super) fn has_ended(&self) -> bool {
        self.head_has_ended() && self.body_left == Some(0)
    }

    /// Takes the next bytes that were received.
    ///
    /// # Errors
    /// When the bytes can't become a status line. There are no errors once there is a status.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while self.stage != Stage::Body && !bytes.is_empty() {
            let end = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
            let (piece, rest) = bytes.split_at(end.min(MAX_HEAD_BYTES - self.head_bytes));
            self.line.extend_from_slice(piece);
            self.head_bytes += piece.len();
            bytes = rest;
            if self.line.ends_with(b"\n") {
                self.end_line()?;
            } else if self.stage == Stage::StatusLine {
                begins_a_status_line(&self.line)?;
            }
            if self.head_bytes == MAX_HEAD_BYTES {
                self.stage = self.status.map(|_| Stage::Body).ok_or(Malformed::TooLong)?;
            }
        }
        let body_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.body_left = self.body_left.map(|left| left.saturating_sub(body_bytes));
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Malformed> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.stage {
            // Some scripts write an empty line before their answer.
            Stage::StatusLine if line.is_empty() => {}
            Stage::StatusLine => {
                let status = status_of(line)?;
                if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
                    self.stage = Stage::InterimHeaders;
                } else {
                    self.stage = Stage::Headers;
                    self.status = Some(status);
                    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
                    self.body_left = bodiless.then_some(0);
                }
            }
            Stage::InterimHeaders if line.is_empty() => {
                self.stage = Stage::StatusLine;
                self.head_bytes = 0;
            }
            Stage::Headers if line.is_empty() => self.stage = Stage::Body,
            Stage::Headers => self.header(line),
            Stage::InterimHeaders | Stage::Body => {}
        }
        Ok(())
    }

    /// Keeps the headers that are needed. The continuation of a folded line begins with a blank, matches neither name, and is
    /// skipped.
    fn header(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return;
        };
        let (name, value) = (line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"retry-after") {
            self.retry_after.get_or_insert_with(|| value.to_vec());
        } else if name.eq_ignore_ascii_case(b"content-length") && self.body_left.is_none() {
            self.body_left = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        }
    }
}

/// `HTTP/1.x`, blanks, three digits, and then either nothing or a blank and any text.
fn status_of(line: &[u8]) -> Result<StatusCode, Malformed> {
    begins_a_status_line(line)?;
    let rest = line.strip_prefix(b"HTTP/1.").and_then(|rest| rest.split_first());
    let (_, rest) = rest.filter(|(minor, _)| minor.is_ascii_digit()).ok_or(Malformed::NotHttp1)?;
    let status = rest.trim_ascii_start();
    let (digits, after) = status.split_at_checked(3).ok_or(Malformed::NotHttp1)?;
    if status.len() == rest.len() || after.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
        return Err(Malformed::NotHttp1);
    }
    StatusCode::from_bytes(digits).map_err(|_| Malformed::NotHttp1)
}

/// Whether these bytes can still become a status line, so that nobody waits for the end of a line that can't be one.
fn begins_a_status_line(line: &[u8]) -> Result<(), Malformed> {
    const BEGINNING: &[u8] = b"HTTP/1.";
    let common = line.len().min(BEGINNING.len());
    match line {
        _ if line[..common] == BEGINNING[..common] || matches!(line, b"\r") => Ok(()),
        // The highest byte of a frame's length: the first frame of a connection is short.
        [0, ..] if line.len() < FRAME_HEAD_BYTES => Ok(()),
        [0, _, _, SETTINGS | GOAWAY, _, 0, 0, 0, 0, ..] => Err(Malformed::Http2),
        _ => Err(Malformed::NotHttp1),
    }
}

#[cfg(test)]
mod tests;
