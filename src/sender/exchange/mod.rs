//! One request and its response, over a stream that is already open.
//!
//! The request is written and the response is read at the same time: a receiver may answer before it has read the whole request,
//! and close. What it sent stays readable after a write has failed, so only the end of reading ends an exchange.

use std::io;
use std::pin::pin;
use std::time::Duration;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::time::{Instant, timeout_at};

use super::response::{Malformed, Response};

/// How much of a response is read and thrown away once its status has decided. This is a courtesy: a receiver that is still
/// writing doesn't see its connection reset.
const MAX_DRAINED_BYTES: usize = 16_384;
/// How long that courtesy may take, TLS's closing alert included.
const MAX_COURTESY_TIME: Duration = Duration::from_millis(500);
const BUFFER_BYTES: usize = 4_096;

/// An HTTP/1.1 connection for one request.
pub(super) struct Exchange<S> {
    reading: ReadHalf<S>,
    writing: WriteHalf<S>,
    response: Response,
    sent: Sent,
    answered_at: Option<Instant>,
}

/// How much of the request was written to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Partly,
    Whole,
    /// The connection takes no more.
    CutShort,
}

/// Why an exchange ended without a status that counts.
#[derive(Debug)]
pub(super) enum Broken {
    /// The receiver ended the connection, or it broke, before there was a status.
    Connection(io::Error),
    /// The received bytes are not an HTTP response.
    Malformed(Malformed),
    /// A 2xx came, but the connection broke before the whole request was sent.
    CutShort,
}

impl<S: AsyncRead + AsyncWrite> Exchange<S> {
    pub(super) fn over(stream: S) -> Exchange<S> {
        let (reading, writing) = split(stream);
        Exchange { reading, writing, response: Response::new(), sent: Sent::Partly, answered_at: None }
    }

    /// The status that the receiver answered with, if it counts: a 2xx counts only once the whole request was sent.
    pub(super) fn decision(&self) -> Option<StatusCode> {
        self.response.status().filter(|status| !status.is_success() || self.sent == Sent::Whole)
    }

    /// The status that the receiver answered with, whether it counts or not.
    pub(super) fn status(&self) -> Option<StatusCode> {
        self.response.status()
    }

    /// When the status line was complete.
    pub(super) fn answered_at(&self) -> Option<Instant> {
        self.answered_at
    }

    /// The value of the response's `Retry-After`.
    pub(super) fn retry_after(&self) -> Option<&[u8]> {
        self.response.retry_after()
    }

    /// Whether the connection broke before the whole request was sent and any of an answer came: the receiver has taken nothing.
    pub(super) fn is_unsent(&self) -> bool {
        self.sent == Sent::CutShort && !self.response.has_begun()
    }

    /// Waits until the receiver sends something or the connection ends, which must not happen before there is a request.
    pub(super) async fn receiver_acts(&mut self) {
        let _ = self.reading.read(&mut [0]).await;
    }

    /// Sends the request, and reads the response until its status has decided; unless that is a 2xx, reading goes on to the end
    /// of the response's head. The caller bounds the time, and may look at what has come when the time is up.
    ///
    /// # Errors
    /// When a status that counts can't come any more.
    pub(super) async fn run(&mut self, request: &[u8]) -> Result<(), Broken> {
        let Exchange { reading, writing, response, sent, answered_at } = self;
        let mut sending = pin!(async {
            writing.write_all(request).await?;
            writing.flush().await
        });
        let mut can_read = true;
        let mut buffer = [0; BUFFER_BYTES];
        loop {
            match response.status() {
                Some(status) if status.is_success() => match sent {
                    Sent::Whole => return Ok(()),
                    Sent::CutShort => return Err(Broken::CutShort),
                    Sent::Partly => {}
                },
                Some(_) if response.head_has_ended() || !can_read => return Ok(()),
                _ => {}
            }
            tokio::select! {
                result = &mut sending, if *sent == Sent::Partly => {
                    *sent = if result.is_ok() { Sent::Whole } else { Sent::CutShort };
                }
                read = reading.read(&mut buffer), if can_read => {
                    let ended = match read {
                        Ok(0) => Some(io::ErrorKind::UnexpectedEof.into()),
                        Ok(bytes) => {
                            response.take(&buffer[..bytes]).map_err(Broken::Malformed)?;
                            None
                        }
                        Err(error) => Some(error),
                    };
                    if response.status().is_some() {
                        answered_at.get_or_insert_with(Instant::now);
                        can_read = ended.is_none();
                    } else if let Some(error) = ended {
                        if *sent == Sent::Partly {
                            *sent = Sent::CutShort;
                        }
                        return Err(Broken::Connection(error));
                    }
                }
            }
        }
    }

    /// Reads a little of what follows the status and ends the connection, by the deadline at the latest. Errors here change
    /// nothing.
    pub(super) async fn read_a_little(mut self, deadline: Instant) {
        let courtesy = async {
            let mut left = MAX_DRAINED_BYTES;
            let mut buffer = [0; BUFFER_BYTES];
            while left > 0 && !self.response.has_ended() {
                match self.reading.read(&mut buffer).await {
                    Ok(bytes @ 1..) if self.response.take(&buffer[..bytes]).is_ok() => {
                        left = left.saturating_sub(bytes);
                    }
                    _ => break,
                }
            }
            self.writing.shutdown().await
        };
        let _ = timeout_at(deadline.min(Instant::now() + MAX_COURTESY_TIME), courtesy).await;
    }
}

#[cfg(test)]
mod tests;
