//! A DNS server that knows one name.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;

use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};

use crate::receiver::ADDRESS;

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 53);

/// Answers every A question with the receiver's address, and every other question with no records.
pub(crate) fn start() {
    let socket = UdpSocket::bind((SERVER, 53)).unwrap();
    let address: Ipv4Addr = ADDRESS.parse().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let mut message = Message::from_vec(&buffer[..length]).unwrap();
            message.metadata.message_type = MessageType::Response;
            message.metadata.recursion_available = true;
            let question = message.queries[0].clone();
            if question.query_type() == RecordType::A {
                let record = Record::from_rdata(question.name().clone(), 60, RData::A(A(address)));
                message.add_answer(record);
            }
            socket.send_to(&message.to_vec().unwrap(), from).unwrap();
        }
    });
}
