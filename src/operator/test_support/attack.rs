//! Attacks on a listener that try to keep others out.

use std::convert::Infallible;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;
use tokio::sync::Notify;
use tokio::task::yield_now;

const CONNECTIONS: usize = 300;
/// How often each connection is opened at most, so that a test ends whatever the listener does.
const OPENINGS: usize = 100;

/// Silent connections: this many at a time, from this many addresses.
pub(crate) struct Attack {
    sources: u8,
    opened: AtomicUsize,
    all: Notify,
}

impl Attack {
    /// From 127.0.0.2 and the addresses after it.
    pub(crate) fn from(sources: u8) -> Self {
        Self { sources, opened: AtomicUsize::new(0), all: Notify::new() }
    }

    /// Opens the connections, sends nothing, and reopens each one that is closed.
    pub(crate) async fn run(&self, address: SocketAddr) -> Infallible {
        let sources = (2..).take(self.sources.into()).cycle();
        join_all(sources.take(CONNECTIONS).map(|last| self.hold(address, [127, 0, 0, last].into()))).await;
        unreachable!("no connection is given up")
    }

    /// Waits until all connections have been opened once.
    pub(crate) async fn is_under_way(&self) {
        self.all.notified().await;
    }

    async fn hold(&self, address: SocketAddr, source: Ipv4Addr) -> Infallible {
        for _ in 0..OPENINGS {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::new(source.into(), 0)).unwrap();
            if let Ok(mut stream) = socket.connect(address).await {
                if self.opened.fetch_add(1, Ordering::Relaxed) + 1 == CONNECTIONS {
                    self.all.notify_one();
                }
                let _ = stream.read(&mut [0]).await;
            }
            yield_now().await;
        }
        pending().await
    }
}
