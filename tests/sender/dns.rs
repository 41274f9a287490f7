//! A DNS server on port 53 that knows one name.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::RecordType;

/// RFC 1035, sections 4.1.1 to 4.2.1.
const MAX_OVER_UDP: usize = 512;
const ANSWER_COUNT: Range<usize> = 6..8;
const TRUNCATED: u8 = 2;
const NAME_OF_THE_QUESTION: [u8; 2] = [0xc0, 12];
const CLASS_IN: [u8; 2] = [0, 1];

/// How a question is answered.
pub(crate) enum Answer {
    /// With these addresses; over TCP when they don't fit into an answer over UDP.
    Addresses(Vec<IpAddr>),
    /// With a code and nothing else.
    Code(ResponseCode),
    /// No answer.
    Silence,
}

pub(crate) struct Dns {
    connections: Arc<AtomicUsize>,
}

impl Dns {
    /// The address of the server.
    pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);

    /// Starts the server, which answers until the process ends.
    pub(crate) fn start(answer: impl Fn(RecordType) -> Answer + Send + Sync + 'static) -> Dns {
        let (udp, tcp) = (UdpSocket::bind((Self::SERVER, 53)).unwrap(), TcpListener::bind((Self::SERVER, 53)).unwrap());
        let (connections, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
        let (counter, over_tcp) = (Arc::clone(&connections), Arc::clone(&answer));
        thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                let Some(mut bytes) = answered(&buffer[..length], &*answer) else { continue };
                if bytes.len() > MAX_OVER_UDP {
                    bytes.truncate(length);
                    bytes[ANSWER_COUNT].fill(0);
                    bytes[2] |= TRUNCATED;
                }
                udp.send_to(&bytes, from).unwrap();
            }
        });
        thread::spawn(move || {
            while let Ok((mut stream, _)) = tcp.accept() {
                counter.fetch_add(1, Ordering::SeqCst);
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut buffer = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut buffer).unwrap();
                let bytes = answered(&buffer, &*over_tcp).unwrap();
                let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
                // A client that doesn't read all of it closes the connection.
                let _ = stream.write_all(&[&length, bytes.as_slice()].concat());
            }
        });
        Dns { connections }
    }

    /// How many connections came over TCP.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The bytes of the answer. Records are written here, since hickory marks an answer with so many records as truncated.
fn answered(question: &[u8], answer: &dyn Fn(RecordType) -> Answer) -> Option<Vec<u8>> {
    let mut message = Message::from_vec(question).unwrap();
    message.metadata.message_type = MessageType::Response;
    let kind = message.queries[0].query_type;
    let addresses = match answer(kind) {
        Answer::Silence => return None,
        Answer::Code(code) => {
            message.metadata.response_code = code;
            Vec::new()
        }
        Answer::Addresses(addresses) => addresses,
    };
    let mut bytes = message.to_vec().unwrap();
    bytes[ANSWER_COUNT].copy_from_slice(&u16::try_from(addresses.len()).unwrap().to_be_bytes());
    for address in addresses {
        let data = match address {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let lifetime = 0_u32.to_be_bytes();
        bytes.extend(
            NAME_OF_THE_QUESTION.iter().chain(&u16::from(kind).to_be_bytes()).chain(&CLASS_IN).chain(&lifetime),
        );
        bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes().iter().chain(&data));
    }
    Some(bytes)
}
