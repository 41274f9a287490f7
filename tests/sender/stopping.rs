use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command};

use postern::delivery::OutcomeClass;
use serde_json::json;

use crate::support::{Folder, Receiver};

fn tell_to_stop(child: &Child, signal: &str) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
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
    let receiver = Receiver::calling(|stream| {
        stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")
    });
    let mut folder = Folder::to(&receiver);
    folder.delivery["retries"]["backoff"] = json!({"minSeconds": 30, "maxSeconds": 30});
    let mut child = folder.spawn();
    let log = BufReader::new(child.stderr.take().unwrap());
    assert!(
        log.lines()
            .any(|line| line.unwrap().contains("attempt failed"))
    );
    tell_to_stop(&child, "TERM");
    let ran = folder.ran(child);
    ran.assert(OutcomeClass::Interrupted, "Interrupted");
    assert_eq!(ran.outcome.attempts[0].reason.as_str(), "ReceiverError");
}
