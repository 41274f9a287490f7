//! One request and the head of its response, over a stream that is open already.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The most headers that a response may have.
const MAX_RESPONSE_HEADERS: usize = 100;
/// The most bytes that the head of a response may have.
const MAX_RESPONSE_HEAD_BYTES: usize = 16_384;
/// How much of a response's body is read and thrown away. The status has decided already; reading is a courtesy, so
/// that a receiver that is still writing doesn't see its connection reset.
const MAX_DRAINED_BYTES: usize = 16_384;
/// How long that courtesy, with TLS's goodbye, may take.
const MAX_COURTESY_TIME: Duration = Duration::from_millis(500);

/// An HTTP/1.1 connection for one request.
pub(super) struct Exchange {
    sender: SendRequest<Full<Bytes>>,
    /// Reads and writes the stream; it ends with this value at the latest.
    connection: JoinSet<hyper::Result<()>>,
}

impl Exchange {
    pub(super) async fn open<S>(stream: S) -> hyper::Result<Exchange>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_headers(MAX_RESPONSE_HEADERS)
            .max_buf_size(MAX_RESPONSE_HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(connection);
        Ok(Exchange { sender, connection: tasks })
    }

    /// Sends the request and reads the head of the response. The caller bounds the time.
    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        self.sender.send_request(request).await
    }

    /// What is left once the head has been read.
    pub(super) fn rest_of(self, body: Incoming) -> Rest {
        Rest { exchange: self, body }
    }
}

/// The body of a response whose status has decided already, and its connection.
pub(super) struct Rest {
    exchange: Exchange,
    body: Incoming,
}

impl Rest {
    /// Reads a little of the body and ends the connection, by the deadline at the latest; whatever goes wrong here
    /// changes nothing.
    pub(super) async fn read_a_little(self, deadline: Instant) {
        let Rest { exchange: Exchange { sender, mut connection }, mut body } = self;
        let courtesy = async {
            let mut left = MAX_DRAINED_BYTES;
            while let Some(Ok(frame)) = body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    return;
                }
            }
            drop(sender);
            connection.join_next().await;
        };
        let _ = timeout_at(deadline.min(Instant::now() + MAX_COURTESY_TIME), courtesy).await;
    }
}
