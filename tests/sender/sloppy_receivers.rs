//! Receivers whose answers are clear, although they break the RFCs. Each gets a delivery once.

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver};
use serde_json::json;

use crate::folder::Folder;

#[test]
fn a_success_counts_whatever_follows_the_status_line() {
    for headers in [
        "X-Powered-By : PHP/5.2\r\nContent-Length: 0\r\n",
        "PHP Warning:  Undefined variable $x in /srv/hook.php on line 3\r\nContent-Type: text/html\r\n",
        "Warning without a colon\r\n",
        "X-Folded: one\r\n two\r\n",
        " begins with a blank\r\n",
        "X-Latin-1: caf\u{e9}\r\nX-Nul: \0\r\n",
        "Content-Length: two\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: -1\r\n",
        "Transfer-Encoding: gzip, what\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        &"Set-Cookie: a=b\r\n".repeat(200),
    ] {
        let receiver = Receiver::answering([&format!("HTTP/1.1 200 OK\r\n{headers}\r\nok")]);
        let ran = Folder::to(&receiver).run();
        ran.assert(OutcomeClass::Delivered, "Delivered");
        assert_eq!(receiver.requests().len(), 1, "{headers:?}");
    }
    for answer in
        ["HTTP/1.1 200\r\n\r\n", "HTTP/1.0 200 OK\n\n", "\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y"]
    {
        let receiver = Receiver::answering([answer]);
        Folder::to(&receiver).run().assert(OutcomeClass::Delivered, "Delivered");
        assert_eq!(receiver.requests().len(), 1, "{answer:?}");
    }
}

#[test]
fn an_interim_response_is_no_answer() {
    let receiver = Receiver::answering(["HTTP/1.1 102 Processing\r\n\r\n"]);
    Folder::to(&receiver).run().assert(OutcomeClass::Failed, "ConnectionReset");
    assert_eq!(receiver.requests().len(), 3);

    let receiver =
        Receiver::answering(["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 Done\r\n\r\n"]);
    let ran = Folder::to(&receiver).run();
    ran.assert(OutcomeClass::Delivered, "Delivered");
    assert_eq!(ran.outcome.http_status, Some(204));
}

#[test]
fn a_retry_after_that_nobody_means_is_no_reason_to_give_up() {
    for value in [
        "0.5",
        "120000",
        "1764364800",
        "soon",
        "-1",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "",
    ] {
        let receiver = Receiver::answering([&format!("HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\n\r\n"), OK]);
        let ran = Folder::to(&receiver).run();
        ran.assert(OutcomeClass::Delivered, "Delivered");
        assert_eq!(receiver.requests().len(), 2, "{value:?}");
    }
}

#[test]
fn says_when_the_time_does_not_suffice_for_another_attempt() {
    let receiver = Receiver::answering(["HTTP/1.1 503 Busy\r\nretry-after: 61\r\ncontent-length: 0\r\n\r\n"]);
    let ran = Folder::to(&receiver).run();
    ran.assert(OutcomeClass::Failed, "ReceiverError");
    let detail = &ran.outcome.detail;
    assert!(detail.contains("61 s (Retry-After)") && detail.contains("delivery.totalDeadlineSeconds"), "{detail}");

    let receiver = Receiver::answering(["HTTP/1.1 503 Busy\r\n\r\n"]);
    let mut folder = Folder::to(&receiver);
    folder.delivery["retries"]["backoff"] = json!({"minSeconds": 61, "maxSeconds": 61});
    let ran = folder.run();
    ran.assert(OutcomeClass::Failed, "ReceiverError");
    assert!(ran.outcome.detail.starts_with("the next attempt would come after"), "{:?}", ran.outcome);
}
