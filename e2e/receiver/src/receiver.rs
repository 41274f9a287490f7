//! The receiver, which runs in a thread of the test.

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

use super::{Certificates, Request};

/// What a receiver answers that takes a delivery.
pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// No measure: it only ends what hangs.
const MOST_PATIENCE: Duration = Duration::from_mins(5);

/// A connection to a sender, after the handshake.
pub type Stream = StreamOwned<ServerConnection, TcpStream>;

/// A receiver that answers one connection after the other, until the tests end.
pub struct Receiver {
    /// Where it listens.
    pub port: u16,
    /// Its own, and those by which a sender trusts it.
    pub certificates: Arc<Certificates>,
    requests: Arc<Mutex<Vec<Request>>>,
    arrivals: mpsc::Receiver<()>,
}

impl Receiver {
    /// On 127.0.0.1 and a port that is free; answers [by turns](Self::by_turns).
    pub fn answering<const N: usize>(answers: [&str; N]) -> Receiver {
        Receiver::with(Certificates::good("127.0.0.1"), false, Receiver::by_turns(answers))
    }

    /// Answers the first request with the first answer, and so on; the last one again and again.
    pub fn by_turns<const N: usize>(answers: [&str; N]) -> impl FnMut(&mut Stream) -> io::Result<()> + use<N> {
        let answers = answers.map(str::to_owned);
        let mut turn = 0;
        move |stream: &mut Stream| {
            let answer = &answers[turn.min(N - 1)];
            turn += 1;
            stream.write_all(answer.as_bytes())?;
            stream.conn.send_close_notify();
            stream.flush()
        }
    }

    /// On 127.0.0.1 and a port that is free; answers each request by calling `answer`, whose error ends that connection.
    pub fn calling(answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static) -> Receiver {
        Receiver::with(Certificates::good("127.0.0.1"), false, answer)
    }

    /// The same with these certificates; the receiver may want one of the sender, too.
    pub fn with(
        certificates: Certificates,
        wants_client_certificate: bool,
        answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static,
    ) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Receiver::on(listener, certificates, wants_client_certificate, answer)
    }

    /// The same where the listener listens, which may be in another network than the test.
    pub fn on(
        listener: TcpListener,
        certificates: impl Into<Arc<Certificates>>,
        wants_client_certificate: bool,
        mut answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static,
    ) -> Receiver {
        let certificates = certificates.into();
        let port = listener.local_addr().unwrap().port();
        let config = certificates.server_config(wants_client_certificate);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (arrived, arrivals) = mpsc::channel();
        let received = Arc::clone(&requests);
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                if let Ok(request) = Request::read(&mut stream) {
                    received.lock().unwrap().push(request);
                    let _ = arrived.send(());
                    let _ = answer(&mut stream);
                }
            }
        });
        Receiver { port, certificates, requests, arrivals }
    }

    /// On 127.0.0.1 and a port that is free; calls `answer` after each handshake, and reads no request.
    pub fn before_reading(mut answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let certificates = Arc::new(Certificates::good("127.0.0.1"));
        let config = certificates.server_config(false);
        let (_, arrivals) = mpsc::channel();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                // What waits for an acknowledgement would be lost when the connection is closed.
                stream.set_nodelay(true).unwrap();
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream);
                while stream.conn.is_handshaking() {
                    if stream.conn.complete_io(&mut stream.sock).is_err() {
                        break;
                    }
                }
                let _ = answer(&mut stream);
            }
        });
        Receiver { port, certificates, requests: Arc::default(), arrivals }
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The one request that has arrived.
    ///
    /// # Panics
    /// When none has, or several have.
    pub fn only_request(&self) -> Request {
        let [request] = self.requests().try_into().unwrap();
        request
    }

    /// Waits until a request has arrived.
    ///
    /// # Panics
    /// After five minutes without one.
    pub fn await_request(&self) {
        self.arrivals.recv_timeout(MOST_PATIENCE).unwrap();
    }
}
