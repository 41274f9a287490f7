use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use rustls::{ServerConnection, StreamOwned};

use super::Certificates;

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

const MOST_PATIENCE: Duration = Duration::from_mins(1);

pub(crate) type Stream = StreamOwned<ServerConnection, TcpStream>;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice");
        value
    }

    /// The headers, as verifiers want them.
    pub(crate) fn header_map(&self) -> HeaderMap {
        let pair = |(name, value): &(String, String)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
        };
        self.headers.iter().map(pair).collect()
    }

    fn read(stream: &mut Stream) -> io::Result<Request> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => bytes.extend_from_slice(&chunk[..read]),
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
        let mut request = Request { line, headers: lines.map(pair).collect(), body: bytes[head_end + 4..].to_vec() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        let already = request.body.len();
        request.body.resize(length, 0);
        stream.read_exact(&mut request.body[already..])?;
        Ok(request)
    }
}

/// A receiver that answers one connection after the other, until the tests end.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    pub(crate) certificates: Arc<Certificates>,
    requests: Arc<Mutex<Vec<Request>>>,
    arrivals: mpsc::Receiver<()>,
}

impl Receiver {
    /// On 127.0.0.1; answers the first request with the first answer, and so on; the last one again and again.
    pub(crate) fn answering<const N: usize>(answers: [&str; N]) -> Receiver {
        Receiver::with(Certificates::good("127.0.0.1"), false, Receiver::by_turns(answers))
    }

    pub(crate) fn by_turns<const N: usize>(answers: [&str; N]) -> impl FnMut(&mut Stream) -> io::Result<()> + use<N> {
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

    /// On 127.0.0.1; answers each request by calling `answer`; an error ends that connection.
    pub(crate) fn calling(answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static) -> Receiver {
        Receiver::with(Certificates::good("127.0.0.1"), false, answer)
    }

    pub(crate) fn with(
        certificates: Certificates,
        wants_client_certificate: bool,
        answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static,
    ) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Receiver::on(listener, certificates, wants_client_certificate, answer)
    }

    /// Where the listener listens, which may be in another network than the test.
    pub(crate) fn on(
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

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn only_request(&self) -> Request {
        let [request] = self.requests().try_into().unwrap();
        request
    }

    /// Waits until a request has arrived; a sender that never sends one fails the test.
    pub(crate) fn await_request(&self) {
        self.arrivals.recv_timeout(MOST_PATIENCE).unwrap();
    }
}
