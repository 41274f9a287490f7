//! A TLS receiver that accepts every request, and records when a connection came.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::measure::now;

pub(crate) const ADDRESS: &str = "127.0.0.1";
/// The name that the DNS server resolves to [`ADDRESS`].
pub(crate) const NAME: &str = "hooks.example.com";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub(crate) struct Receiver {
    pub(crate) ca_pem: String,
    connections: mpsc::Receiver<Duration>,
}

impl Receiver {
    pub(crate) fn start() -> Receiver {
        let listener = TcpListener::bind((ADDRESS, 443)).unwrap();
        let (config, ca_pem) = tls();
        let (came, connections) = mpsc::channel();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                came.send(now()).unwrap();
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                // If something goes wrong, the program's exit code shows it.
                let _ = answer(StreamOwned::new(connection, stream));
            }
        });
        Receiver { ca_pem, connections }
    }

    /// When the only connection since the last call came.
    pub(crate) fn only_connection(&self) -> Duration {
        let came = self.connections.try_recv().unwrap();
        assert!(self.connections.try_recv().is_err(), "one connection a run");
        came
    }
}

fn answer(mut stream: StreamOwned<ServerConnection, TcpStream>) -> io::Result<()> {
    stream.sock.set_nodelay(true)?;
    let mut request = Vec::new();
    while !is_whole(&request) {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk)?;
        request.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    stream.write_all(RESPONSE)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// Whether the request is complete: both programs send the same body, and the request ends with it.
fn is_whole(request: &[u8]) -> bool {
    request.ends_with(crate::programs::BODY.as_bytes())
}

fn tls() -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Without a name of its own, the authority would have the server's name, and openssl would take the server for self-signed.
    params.distinguished_name.push(DnType::CommonName, "the bench's authority");
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new([ADDRESS.to_owned(), NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (Arc::new(config), issuer.pem())
}
