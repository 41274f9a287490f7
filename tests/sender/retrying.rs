use std::net::TcpListener;

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver};
use serde_json::json;

use crate::folder::Folder;

fn answer(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n")
}

#[test]
fn tries_again_what_may_pass_until_it_is_taken() {
    for (status, reason) in [
        ("500 Oops", "ReceiverError"),
        ("503 Busy", "ReceiverError"),
        ("408 Slow", "ReceiverBusy"),
        ("409 Conflict", "ReceiverBusy"),
        ("425 Early", "ReceiverBusy"),
        ("429 Slow down", "ReceiverBusy"),
    ] {
        let receiver = Receiver::answering([&answer(status), OK]);
        let ran = Folder::to(&receiver).run();
        ran.assert(OutcomeClass::Delivered, "Delivered");
        let attempts: Vec<_> = ran.outcome.attempts.iter().map(|attempt| attempt.reason.as_str()).collect();
        assert_eq!(attempts, [reason, "Delivered"]);
        assert_eq!(receiver.requests().len(), 2);
    }
}

#[test]
fn gives_up_at_once_on_what_another_attempt_would_not_mend() {
    for (status, reason) in [
        ("301 Moved", "RedirectNotFollowed"),
        ("307 Moved\r\nlocation: https://169.254.169.254/", "RedirectNotFollowed"),
        ("304 Same", "RedirectNotFollowed"),
        ("400 Bad", "RequestRejected"),
        ("401 Who", "RequestRejected"),
        ("404 Gone astray", "RequestRejected"),
        ("422 No", "RequestRejected"),
        ("410 Gone", "ReceiverGone"),
        ("600 What", "StatusUnexpected"),
    ] {
        let receiver = Receiver::answering([&answer(status), OK]);
        let ran = Folder::to(&receiver).run();
        ran.assert(OutcomeClass::FailedPermanently, reason);
        assert_eq!(ran.outcome.http_status, status[..3].parse().ok());
        assert_eq!(receiver.requests().len(), 1, "{status}");
    }
}

#[test]
fn stops_after_the_attempts_that_it_has() {
    let receiver = Receiver::answering([&answer("500 Oops")]);
    let ran = Folder::to(&receiver).run();
    ran.assert(OutcomeClass::Failed, "ReceiverError");
    assert_eq!((ran.outcome.attempt_count, ran.outcome.attempts.len()), (3, 3));
    assert_eq!(receiver.requests().len(), 3);
}

#[test]
fn does_not_wait_for_an_attempt_that_would_come_too_late() {
    let receiver = Receiver::answering(["HTTP/1.1 503 Busy\r\nretry-after: 61\r\ncontent-length: 0\r\n\r\n"]);
    let ran = Folder::to(&receiver).run();
    ran.assert(OutcomeClass::Failed, "ReceiverError");
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn waits_as_long_as_the_receiver_asks_for_by_a_date_that_has_passed() {
    let answer = "HTTP/1.1 503 Busy\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0\r\n\r\n";
    let receiver = Receiver::answering([answer, OK]);
    Folder::to(&receiver).run().assert(OutcomeClass::Delivered, "Delivered");
}

#[test]
fn retries_where_nothing_listens() {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    folder.delivery["egress"]["allowedPorts"] = json!([closed]);
    folder.write("url", format!("https://127.0.0.1:{closed}/hook"));
    let ran = folder.run();
    ran.assert(OutcomeClass::Failed, "ConnectionRefused");
    assert_eq!(ran.outcome.attempts.len(), 3);
    assert_eq!(ran.outcome.address_family, None);
}

#[test]
fn each_attempt_has_the_same_id_and_its_own_number() {
    let receiver = Receiver::answering([&answer("500 Oops"), &answer("500 Oops"), OK]);
    let mut folder = Folder::to(&receiver);
    folder.set_inline_body("application/cloudevents+json; charset=utf-8", r#"{"attempt":{{attempt}}}"#);
    folder.run().assert(OutcomeClass::Delivered, "Delivered");
    let requests = receiver.requests();
    let bodies: Vec<_> = requests.iter().map(|request| String::from_utf8_lossy(&request.body)).collect();
    assert_eq!(bodies, [r#"{"attempt":1}"#, r#"{"attempt":2}"#, r#"{"attempt":3}"#]);
    assert!(requests.windows(2).all(|pair| pair[0].header("idempotency-key") == pair[1].header("idempotency-key")));
}
