//! A DNS server on loopback for tests, which answers as each test wants.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// What the server does when it is asked.
pub(super) enum Reply {
    /// Answers with these records: each is an address, or `CNAME name`, and belongs to the name before `=`.
    Records(&'static [&'static str]),
    /// Answers with these addresses.
    Addresses(Vec<IpAddr>),
    /// Answers with a code and nothing else.
    Code(ResponseCode),
    /// Doesn't answer.
    Silence,
    /// Answers that the answer is truncated.
    Truncated,
    /// Sends first the forged answers that `forge` makes from the true one, then the true one.
    AfterForgeries(fn(Message) -> Vec<Message>, &'static [&'static str]),
}

/// Whether a question came over TCP, and how many of its type came before it.
pub(super) struct Asked {
    pub(super) kind: RecordType,
    pub(super) over_tcp: bool,
    pub(super) before: usize,
}

pub(super) struct TestDns {
    pub(super) addr: SocketAddr,
    pub(super) questions: Arc<AtomicUsize>,
    pub(super) names: Arc<Mutex<Vec<String>>>,
}

impl TestDns {
    /// Serves until the runtime ends.
    pub(super) async fn start(answer: impl Fn(Asked) -> Reply + Send + Sync + 'static) -> Self {
        let (udp, tcp) = same_port().await;
        let addr = udp.local_addr().unwrap();
        let (questions, names) = (Arc::default(), Arc::default());
        let state = Arc::new(State {
            answer: Box::new(answer),
            a: AtomicUsize::new(0),
            aaaa: AtomicUsize::new(0),
            questions: Arc::clone(&questions),
            names: Arc::clone(&names),
        });
        let for_tcp = Arc::clone(&state);
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (length, from) = udp.recv_from(&mut buffer).await.unwrap();
                for reply in state.replies(&buffer[..length], false) {
                    udp.send_to(&reply, from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let length = stream.read_u16().await.unwrap();
                let mut buffer = vec![0; length.into()];
                stream.read_exact(&mut buffer).await.unwrap();
                for reply in for_tcp.replies(&buffer, true) {
                    stream.write_u16(reply.len().try_into().unwrap()).await.unwrap();
                    stream.write_all(&reply).await.unwrap();
                }
            }
        });
        Self { addr, questions, names }
    }
}

/// The kernel picks the UDP port. The TCP port of the same number is nearly always free.
async fn same_port() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

struct State {
    answer: Box<dyn Fn(Asked) -> Reply + Send + Sync>,
    a: AtomicUsize,
    aaaa: AtomicUsize,
    questions: Arc<AtomicUsize>,
    names: Arc<Mutex<Vec<String>>>,
}

impl State {
    fn replies(&self, bytes: &[u8], over_tcp: bool) -> Vec<Vec<u8>> {
        let question = Message::from_vec(bytes).unwrap();
        let query = question.queries[0].clone();
        let counter = if query.query_type == RecordType::A { &self.a } else { &self.aaaa };
        let before = counter.fetch_add(1, Ordering::SeqCst);
        self.questions.fetch_add(1, Ordering::SeqCst);
        self.names.lock().unwrap().push(query.name.to_string());
        let mut reply = question.clone();
        reply.metadata.message_type = MessageType::Response;
        let messages = match (self.answer)(Asked { kind: query.query_type, over_tcp, before }) {
            Reply::Silence => vec![],
            Reply::Code(code) => {
                reply.metadata.response_code = code;
                vec![reply]
            }
            Reply::Truncated => {
                reply.metadata.truncation = true;
                vec![reply]
            }
            Reply::Records(records) => vec![with_records(reply, &query, records)],
            Reply::Addresses(ips) => {
                let texts: Vec<String> = ips.iter().map(IpAddr::to_string).collect();
                vec![with_records(reply, &query, &texts.iter().map(String::as_str).collect::<Vec<_>>())]
            }
            Reply::AfterForgeries(forge, records) => {
                let reply = with_records(reply, &query, records);
                let mut messages = forge(reply.clone());
                messages.push(reply);
                messages
            }
        };
        messages.iter().map(|message| message.to_vec().unwrap()).collect()
    }
}

fn with_records(mut reply: Message, query: &Query, records: &[&str]) -> Message {
    for text in records {
        let (owner, value) = text.split_once('=').map_or((None, *text), |(owner, value)| (Some(owner), value));
        let owner = owner.map_or_else(|| query.name.clone(), |owner| Name::from_ascii(owner).unwrap());
        let data = match value.strip_prefix("CNAME ") {
            Some(alias) => RData::CNAME(CNAME(Name::from_ascii(alias).unwrap())),
            None => match value.parse().unwrap() {
                IpAddr::V4(ip) => RData::A(A(ip)),
                IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
            },
        };
        reply.add_answer(Record::from_rdata(owner, 0, data));
    }
    reply
}
