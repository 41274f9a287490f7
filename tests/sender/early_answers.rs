//! Receivers that answer before they have read the whole request, and close: their answer counts.

use std::io::Write as _;

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::Receiver;
use serde_json::json;

use crate::folder::Folder;

const RUNS: usize = 20;

/// How many of the runs saw the answer and didn't try again.
fn seen(body_bytes: usize) -> usize {
    let receiver = Receiver::before_reading(|stream| {
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\n")?;
        stream.conn.send_close_notify();
        stream.flush()
        // When it is closed with the request unread, the kernel resets the connection.
    });
    let mut folder = Folder::to(&receiver);
    folder.delivery["maxBodyBytes"] = json!(1_048_576);
    folder.set_inline_body("text/plain", "");
    folder.delivery["body"]["source"] = json!({"file": crate::folder::secret("body", "body")});
    folder.write("body", "x".repeat(body_bytes));
    let runs = (0..RUNS).map(|_| folder.run().outcome);
    runs.filter(|outcome| {
        let attempts = outcome.attempts.len();
        (outcome.outcome, outcome.http_status, attempts) == (OutcomeClass::FailedPermanently, Some(413), 1)
    })
    .count()
}

#[test]
fn a_receiver_that_refuses_a_large_body_unread_and_resets_the_connection_is_heard() {
    assert_eq!([60_000, 1_000_000].map(seen), [RUNS, RUNS]);
}
