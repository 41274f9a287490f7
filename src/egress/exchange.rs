//! One DNS question to one server: over UDP, and over TCP when the answer did not fit (RFC 1035, section 4.2).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Without EDNS an answer over UDP has at most 512 bytes. A larger buffer costs nothing.
const MAX_UDP_ANSWER: usize = 4096;

/// The longest answer over TCP that is read, in bytes: room for a thousand IPv4 addresses, of which `sender` tries a few. DNS
/// itself allows 65,535.
const MAX_TCP_ANSWER: u16 = 16 * 1024;

/// Asks, and waits for a matching answer for as long as the caller allows.
pub(super) async fn exchange(server: SocketAddr, query: &Query) -> io::Result<Message> {
    let answer = over_udp(server, query).await?;
    if answer.metadata.truncation { over_tcp(server, query).await } else { Ok(answer) }
}

/// A forger has to guess the random id, the random port (a new socket each time) and the question. The socket is connected, so
/// the kernel drops packets from elsewhere. A message that doesn't match is ignored, and the wait for the answer goes on.
async fn over_udp(server: SocketAddr, query: &Query) -> io::Result<Message> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let question = question(query);
    socket.send(&question.to_vec().map_err(io::Error::other)?).await?;
    let mut buffer = vec![0; MAX_UDP_ANSWER];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(answer) = Message::from_vec(&buffer[..length]).ok().filter(|answer| fits(answer, &question)) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, query: &Query) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let question = question(query);
    let bytes = question.to_vec().map_err(io::Error::other)?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    // One write, so that the message goes out in one segment.
    stream.write_all(&[&length.to_be_bytes(), bytes.as_slice()].concat()).await?;
    let length = stream.read_u16().await?;
    if length > MAX_TCP_ANSWER {
        return Err(io::Error::other(format!("the answer has {length} bytes; at most {MAX_TCP_ANSWER} are read")));
    }
    let mut buffer = vec![0; length.into()];
    stream.read_exact(&mut buffer).await?;
    let answer = Message::from_vec(&buffer).ok().filter(|answer| fits(answer, &question));
    answer
        .filter(|answer| !answer.metadata.truncation)
        .ok_or_else(|| io::Error::other("the answer over TCP is malformed"))
}

/// A new query message with a random id.
fn question(query: &Query) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.add_query(query.clone());
    message
}

fn fits(answer: &Message, question: &Message) -> bool {
    answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && answer.metadata.op_code == OpCode::Query
        && answer.queries == question.queries
}
