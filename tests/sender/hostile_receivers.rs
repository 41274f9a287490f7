use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver};
use serde_json::json;

use crate::folder::Folder;

fn one_attempt_of_a_second(receiver: &Receiver) -> Folder {
    let mut folder = Folder::to(receiver);
    folder.delivery["retries"]["attempts"] = json!(1);
    folder.delivery["retries"]["timeoutSeconds"] = json!(1);
    folder
}

#[test]
fn a_receiver_that_never_answers_runs_out_of_time() {
    // The read returns when the sender closes the connection.
    let receiver = Receiver::calling(|stream| stream.read_exact(&mut [0]));
    let ran = one_attempt_of_a_second(&receiver).run();
    ran.assert(OutcomeClass::Failed, "RequestTimeout");
    assert_eq!(ran.outcome.timings.first_byte_ms, None);
    assert!(ran.outcome.timings.tls_ms.is_some());
}

#[test]
fn a_receiver_that_never_speaks_tls_runs_out_of_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut folder = Folder::to_port(&Receiver::answering([OK]), listener.local_addr().unwrap().port());
    folder.delivery["retries"]["attempts"] = json!(1);
    folder.delivery["retries"]["timeoutSeconds"] = json!(1);
    let ran = folder.run();
    ran.assert(OutcomeClass::Failed, "RequestTimeout");
    assert!(ran.outcome.timings.connect_ms.is_some());
    assert_eq!(ran.outcome.timings.tls_ms, None);
}

#[test]
fn a_receiver_that_trickles_its_handshake_runs_out_of_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut folder = Folder::to_port(&Receiver::answering([OK]), listener.local_addr().unwrap().port());
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            // The beginning of a handshake record of 16 KiB, then the rest of it one byte at a time.
            let mut trickle = stream.write_all(&[0x16, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc]);
            while trickle.is_ok() {
                thread::sleep(Duration::from_millis(20));
                trickle = stream.write_all(&[3]);
            }
        }
    });
    folder.delivery["retries"]["totalDeadlineSeconds"] = json!(1);
    let ran = folder.run();
    assert_eq!(ran.outcome.outcome, OutcomeClass::Failed);
    assert_eq!(ran.outcome.attempts.len(), 1, "{:?}", ran.outcome);
}

/// Sends the beginning of a response at once, and then more bytes without end, one at a time.
fn trickling(beginning: &'static str) -> Receiver {
    Receiver::calling(move |stream| {
        stream.write_all(beginning.as_bytes())?;
        loop {
            stream.write_all(b"x")?;
            thread::sleep(Duration::from_millis(20));
        }
    })
}

#[test]
fn a_receiver_that_trickles_its_status_line_runs_out_of_time() {
    one_attempt_of_a_second(&trickling("HTTP/1.1 200 ")).run().assert(OutcomeClass::Failed, "RequestTimeout");
}

#[test]
fn a_receiver_that_trickles_its_headers_changes_nothing_of_the_status() {
    let ran = one_attempt_of_a_second(&trickling("HTTP/1.1 200 OK\r\nx: ")).run();
    ran.assert(OutcomeClass::Delivered, "Delivered");
    let ran = one_attempt_of_a_second(&trickling("HTTP/1.1 503 Busy\r\nx: ")).run();
    ran.assert(OutcomeClass::Failed, "ReceiverError");
    assert_eq!(ran.outcome.http_status, Some(503));
}

#[test]
fn the_total_deadline_holds_over_all_attempts() {
    let receiver = Receiver::calling(|stream| stream.read_exact(&mut [0]));
    let mut folder = Folder::to(&receiver);
    folder.delivery["retries"]["totalDeadlineSeconds"] = json!(1);
    let ran = folder.run();
    ran.assert(OutcomeClass::Failed, "RequestTimeout");
    assert_eq!(ran.outcome.attempts.len(), 1);
}

/// Writes a beginning, and after it the same bytes again and again.
fn endless(beginning: &'static str, more: &'static str) -> Receiver {
    Receiver::calling(move |stream| {
        stream.write_all(beginning.as_bytes())?;
        loop {
            stream.write_all(more.as_bytes())?;
        }
    })
}

#[test]
fn an_endless_status_line_is_malformed() {
    let receiver =
        endless("HTTP/1.1 200 ", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    let ran = Folder::to(&receiver).run();
    ran.assert(OutcomeClass::Failed, "ResponseMalformed");
    assert!(ran.outcome.detail.contains("16 KiB"), "{:?}", ran.outcome);
}

#[test]
fn endless_headers_change_nothing_of_the_status() {
    let header = "x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n";
    Folder::to(&endless("HTTP/1.1 200 OK\r\n", header)).run().assert(OutcomeClass::Delivered, "Delivered");
    let ran = Folder::to(&endless("HTTP/1.1 404 Not Found\r\n", header)).run();
    ran.assert(OutcomeClass::FailedPermanently, "RequestRejected");
}

#[test]
fn what_is_not_http_is_malformed() {
    Folder::to(&Receiver::answering(["SSH-2.0-OpenSSH_9.9\r\n\r\n"]))
        .run()
        .assert(OutcomeClass::Failed, "ResponseMalformed");
}

#[test]
fn an_endless_body_changes_nothing_of_the_status() {
    let receiver = Receiver::calling(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 8_192])?;
        }
    });
    Folder::to(&receiver).run().assert(OutcomeClass::Delivered, "Delivered");
}

#[test]
fn a_body_that_never_comes_changes_nothing_of_the_status() {
    let receiver = Receiver::calling(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")?;
        stream.read_exact(&mut [0])
    });
    Folder::to(&receiver).run().assert(OutcomeClass::Delivered, "Delivered");
}

#[test]
fn a_connection_that_ends_amid_the_headers_is_tried_again() {
    let receiver = Receiver::answering(["HTTP/1.1 200 O"]);
    let ran = Folder::to(&receiver).run();
    ran.assert(OutcomeClass::Failed, "ConnectionReset");
    assert_eq!(receiver.requests().len(), 3);
}

#[test]
fn endless_interim_responses_run_out_of_time() {
    let receiver = Receiver::calling(|stream| {
        loop {
            stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")?;
        }
    });
    one_attempt_of_a_second(&receiver).run().assert(OutcomeClass::Failed, "RequestTimeout");
}
