use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command};

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver};
use serde_json::json;

use crate::folder::Folder;

fn tell_to_stop(child: &Child, signal: &str) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

#[test]
fn ends_amid_an_attempt_when_it_is_told_to_and_says_so() {
    for signal in ["TERM", "INT"] {
        let receiver = Receiver::calling(|stream| stream.read_exact(&mut [0]));
        let folder = Folder::to(&receiver);
        let child = folder.spawn();
        receiver.await_request();
        tell_to_stop(&child, signal);
        let ran = folder.ran(child);
        ran.assert(OutcomeClass::Interrupted, "Interrupted");
        assert!(ran.outcome.id.is_some());
    }
}

#[test]
fn ends_amid_a_wait_and_still_tells_of_the_attempts_made() {
    let receiver = Receiver::calling(|stream| stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"));
    let mut folder = Folder::to(&receiver);
    folder.delivery["retries"]["backoff"] = json!({"minSeconds": 30, "maxSeconds": 30});
    let mut child = folder.spawn();
    let log = BufReader::new(child.stderr.take().unwrap());
    assert!(log.lines().any(|line| line.unwrap().contains("attempt failed")));
    tell_to_stop(&child, "TERM");
    let ran = folder.ran(child);
    ran.assert(OutcomeClass::Interrupted, "Interrupted");
    assert_eq!(ran.outcome.attempts[0].reason.as_str(), "ReceiverError");
}

#[test]
fn ends_amid_a_tls_handshake_when_it_is_told_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::to_port(&Receiver::answering([OK]), listener.local_addr().unwrap().port());
    let child = folder.spawn();
    let _silent = listener.accept().unwrap();
    tell_to_stop(&child, "TERM");
    folder.ran(child).assert(OutcomeClass::Interrupted, "Interrupted");
}

#[test]
fn tells_of_a_delivery_that_was_taken_before_it_was_told_to_stop() {
    let receiver = Receiver::calling(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")?;
        stream.read_exact(&mut [0])
    });
    let folder = Folder::to(&receiver);
    let mut child = folder.spawn();
    let log = BufReader::new(child.stderr.take().unwrap());
    assert!(log.lines().any(|line| line.unwrap().contains("delivered")));
    tell_to_stop(&child, "TERM");
    let ran = folder.ran(child);
    ran.assert(OutcomeClass::Delivered, "Delivered");
    assert_eq!(ran.outcome.attempt_count, 1);
}
