//! The small part of an HTTP server that probes and scrapes need: one request per connection, and limits on everything that a
//! caller could hold on to.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::Abortable;
use futures::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::places::Places;

/// How long a TLS handshake may take, and then a request's line and headers.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection may live: TLS, request and answer.
const LIFETIME: Duration = Duration::from_secs(10);
/// The size limit of a request's line and headers.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// How long to wait before the next try when the system can't accept a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections the kernel queues until they are accepted, where `net.core.somaxconn` allows that many. A caller whose
/// connection finds no room in the queue tries again after a second.
const BACKLOG: u32 = 4096;

pub(crate) type Answer = Response<Full<Bytes>>;

/// Listens on this address.
///
/// # Errors
/// When the address is taken, or doesn't belong to this machine.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers requests for ever. `open` turns a connection into a stream that speaks HTTP. Every connection is accepted, so silent
/// callers keep nobody out: when too many are open, one of theirs is closed.
pub(crate) async fn serve<Io: AsyncRead + AsyncWrite + Unpin>(
    listener: TcpListener,
    open: impl AsyncFn(TcpStream) -> io::Result<Io>,
    answer: impl AsyncFn(Request<Incoming>) -> Answer,
) -> Infallible {
    let (open, answer) = (&open, &answer);
    let (mut places, mut connections) = (Places::default(), FuturesUnordered::new());
    loop {
        tokio::select! {
            Some(number) = connections.next() => places.free(number),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let place = places.take(peer.ip());
                    connections.push(async move {
                        let life = timeout(LIFETIME, connection(stream, open, answer, &place.has_asked));
                        // Ignore why a connection has ended: that is the caller's concern.
                        let _ = Abortable::new(life, place.closed).await;
                        place.number
                    });
                }
                Err(_) => sleep(PAUSE).await,
            },
        }
    }
}

async fn connection<Io: AsyncRead + AsyncWrite + Unpin>(
    stream: TcpStream,
    open: impl AsyncFn(TcpStream) -> io::Result<Io>,
    answer: impl AsyncFn(Request<Incoming>) -> Answer,
    has_asked: &AtomicBool,
) {
    let Ok(Ok(stream)) = timeout(PATIENCE, open(stream)).await else { return };
    let service = service_fn(async |request| {
        has_asked.store(true, Ordering::Relaxed);
        Ok::<_, Infallible>(answer(request).await)
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).max_buf_size(MAX_HEAD_BYTES).timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // The caller may disconnect at any time.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

/// A plain-text answer of one line.
pub(crate) fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::from(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

#[cfg(test)]
mod tests;
