//! Senders that are started before their delivery is due (`leadSeconds`).

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver, Stream};
use serde_json::json;

use crate::folder::{Folder, now, secret};

/// Long enough for a busy machine to start the sender a second before its delivery is due.
const SOON: u64 = 5;

/// What a receiver saw of one connection.
struct Seen {
    connected: SystemTime,
    /// When the first byte of the request had come.
    begun: SystemTime,
    head: String,
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A receiver that treats the first connection in this way, and takes the requests of all others. It tells of those it took.
fn receiver(mut first: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static) -> (Receiver, mpsc::Receiver<Seen>) {
    let (tell, seen) = mpsc::channel();
    let mut is_first = true;
    let receiver =
        Receiver::before_reading(
            move |stream| {
                if std::mem::take(&mut is_first) { first(stream) } else { take(stream, &tell) }
            },
        );
    (receiver, seen)
}

/// Takes a request and answers it. The request ends with an empty line, or with a body that has one at its end.
fn take(stream: &mut Stream, tell: &mpsc::Sender<Seen>) -> io::Result<()> {
    let connected = SystemTime::now();
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    let mut begun = None;
    while !request.ends_with(b"\r\n\r\n") {
        let length = stream.read(&mut chunk)?;
        begun.get_or_insert_with(SystemTime::now);
        request.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let head = String::from_utf8(request).unwrap();
    tell.send(Seen { connected, begun: begun.unwrap(), head }).unwrap();
    stream.write_all(OK.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// Waits until the sender logs this.
fn await_log(child: &mut Child, text: &str) {
    let log = BufReader::new(child.stderr.take().unwrap());
    assert!(log.lines().any(|line| line.unwrap().contains(text)), "it didn't log {text:?}");
}

#[test]
fn connects_within_the_second_before_and_sends_and_counts_from_the_dot() {
    let (tell, seen) = mpsc::channel();
    let receiver = Receiver::before_reading(move |stream| take(stream, &tell));
    let mut folder = Folder::to(&receiver);
    folder.delivery["signing"] = json!({"scheme": "StandardWebhooks", "keys": [secret("keys/0", "signing-key")]});
    folder.write("keys/0", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let due = folder.due_in(SOON);
    // Less than the wait.
    folder.delivery["retries"]["totalDeadlineSeconds"] = json!(SOON - 2);
    folder.delivery["retries"]["timeoutSeconds"] = json!(SOON - 2);

    let ran = folder.run();
    let since_due = SystemTime::now().duration_since(at(due)).unwrap();

    ran.assert(OutcomeClass::Delivered, "Delivered");
    let Seen { connected, begun, head } = seen.try_recv().unwrap();
    assert!((at(due - 1)..at(due)).contains(&connected), "connected at {connected:?}, due at {due}");
    assert!(begun >= at(due), "sent at {begun:?}, due at {due}");
    let signed = head.lines().find_map(|line| line.strip_prefix("webhook-timestamp: ")).unwrap();
    assert!(signed.parse::<u64>().unwrap() >= due, "signed as of {signed}, due at {due}");
    assert!(seen.try_recv().is_err(), "one request");
    let outcome = ran.outcome;
    assert!(outcome.started_at.unix() >= due, "{outcome:?}");
    assert!(Duration::from_millis(outcome.attempts[0].duration_ms.into()) <= since_due, "{outcome:?}");
    assert!(outcome.timings.tls_ms.is_some() && outcome.timings.first_byte_ms.is_some(), "{outcome:?}");
}

#[test]
fn makes_a_new_connection_if_the_receiver_did_not_wait_for_the_dot() {
    type First = fn(&mut Stream) -> io::Result<()>;
    let firsts: [First; 4] = [
        |_| Ok(()),
        |stream| {
            stream.conn.send_close_notify();
            stream.flush()?;
            // Nothing comes until the sender closes.
            stream.read(&mut [0]).map(drop)
        },
        |stream| {
            stream.write_all(b"H")?;
            stream.read(&mut [0]).map(drop)
        },
        |stream| stream.write_all(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n"),
    ];
    let begun = firsts.map(|first| {
        let (receiver, seen) = receiver(first);
        let mut folder = Folder::to(&receiver);
        folder.delivery["retries"]["attempts"] = json!(1);
        let due = folder.due_in(SOON);
        let child = folder.spawn();
        (receiver, seen, folder, due, child)
    });
    for (_receiver, seen, folder, due, child) in begun {
        let ran = folder.ran(child);
        ran.assert(OutcomeClass::Delivered, "Delivered");
        assert_eq!(ran.outcome.attempt_count, 1);
        assert!(ran.output.contains("didn't wait for the request"), "{}", ran.output);
        let Seen { connected, .. } = seen.try_recv().unwrap();
        assert!(connected >= at(due), "connected again at {connected:?}, due at {due}");
    }
}

#[test]
fn a_connection_that_breaks_amid_the_request_costs_no_attempt() {
    // When it is closed with the request unread, the kernel resets the connection.
    let (receiver, seen) = receiver(|stream| stream.read(&mut [0]).map(drop));
    let mut folder = Folder::to(&receiver);
    folder.delivery["retries"]["attempts"] = json!(1);
    folder.delivery["maxBodyBytes"] = json!(1_048_576);
    folder.delivery["body"] = json!({"contentType": "text/plain", "source": {"file": secret("body", "body")}});
    folder.write("body", format!("#{{{{attempt}}}}{}\r\n\r\n", "x".repeat(1_000_000)));
    folder.due_in(SOON);
    let ran = folder.run();
    ran.assert(OutcomeClass::Delivered, "Delivered");
    assert_eq!((ran.outcome.attempt_count, ran.outcome.attempts.len()), (1, 1));
    assert!(seen.try_recv().unwrap().head.contains("#1xx"));
}

#[test]
fn a_request_that_the_receiver_may_have_read_is_repeated_by_another_attempt_alone() {
    for (attempts, class, reason) in
        [(1, OutcomeClass::Failed, "ConnectionReset"), (2, OutcomeClass::Delivered, "Delivered")]
    {
        let (receiver, seen) = receiver(|stream| stream.read(&mut [0; 4096]).map(drop));
        let mut folder = Folder::to(&receiver);
        folder.delivery["retries"]["attempts"] = json!(attempts);
        folder.due_in(SOON);
        let ran = folder.run();
        ran.assert(class, reason);
        assert_eq!((ran.outcome.attempt_count, 1 + seen.try_iter().count()), (attempts, attempts.try_into().unwrap()));
    }
}

#[test]
fn what_is_wrong_at_the_start_and_right_at_the_dot_is_delivered() {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    folder.remove("url");
    folder.due_in(SOON);
    let mut child = folder.spawn();
    await_log(&mut child, "not ready");
    folder.write("url", format!("https://127.0.0.1:{}/corrected", receiver.port));
    folder.ran(child).assert(OutcomeClass::Delivered, "Delivered");
    assert_eq!(receiver.only_request().line, "POST /corrected HTTP/1.1");
}

#[test]
fn what_is_still_wrong_at_the_dot_is_refused_then() {
    let mut folder = Folder::to(&Receiver::answering([OK]));
    folder.remove("url");
    let due = folder.due_in(2);
    let ran = folder.run();
    ran.assert(OutcomeClass::Refused, "ReferenceMissing");
    assert!(now() >= due && ran.outcome.started_at.unix() >= due, "{:?}", ran.outcome);
}

#[test]
fn what_must_be_closed_may_be_open_until_the_dot() {
    let receiver = Receiver::answering([OK]);
    let inside = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut folder = Folder::to(&receiver);
    folder.delivery["knownClosed"] = json!([inside.local_addr().unwrap()]);
    let due = folder.due_in(SOON);
    let closes = thread::spawn(move || while inside.accept().is_ok() && SystemTime::now() < at(due) {});
    let ran = folder.run();
    ran.assert(OutcomeClass::Delivered, "Delivered");
    assert!(ran.output.contains(r#""reason":"NotIsolated""#), "{}", ran.output);
    closes.join().unwrap();
}

#[test]
fn a_job_that_was_made_too_early_is_refused_at_once() {
    let mut folder = Folder::to(&Receiver::answering([OK]));
    let minutes = now() / 60 + 2;
    folder.delivery["run"]["scheduled"]["leadSeconds"] = json!(30);
    folder.write("job-name", format!("postern-nightly-{minutes}"));
    let ran = folder.run();
    ran.assert(OutcomeClass::Refused, "ScheduledTimeInFuture");
    assert!(ran.outcome.detail.ends_with("s in the future, beyond the 35 s that are accepted"), "{:?}", ran.outcome);
    assert!(now() < minutes * 60);
}

#[test]
fn one_that_starts_late_although_it_has_a_lead_delivers_at_once() {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    folder.due_in(0);
    folder.run().assert(OutcomeClass::Delivered, "Delivered");
    receiver.only_request();
}

#[test]
fn ends_while_it_waits_when_it_is_told_to_and_has_sent_nothing() {
    let (connected, connections) = mpsc::channel();
    let (tell, end) = mpsc::channel();
    let receiver = Receiver::before_reading(move |stream| {
        connected.send(()).unwrap();
        tell.send(stream.read(&mut [0])).unwrap();
        Ok(())
    });
    let mut folder = Folder::to(&receiver);
    let due = folder.due_in(SOON);
    let child = folder.spawn();
    connections.recv().unwrap();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let ran = folder.ran(child);
    ran.assert(OutcomeClass::Interrupted, "Interrupted");
    assert!(ran.outcome.id.is_some() && ran.outcome.attempts.is_empty() && ran.outcome.started_at.unix() < due);
    assert!(end.recv().unwrap().is_err(), "TLS ends without its alert, and without a byte of a request");
}
