//! Senders that are started before their delivery is due (`leadSeconds`).

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver, Stream};
use serde_json::json;

use crate::folder::{Folder, now, secret};
use crate::network;

/// In how many seconds a delivery is due, so that even a busy machine starts its sender a second before.
pub(crate) const SOON: u64 = 5;

/// Tries again when the machine was too slow to do before the dot what belongs there, as `test` says.
#[track_caller]
pub(crate) fn in_time(mut test: impl FnMut() -> bool) {
    assert!((0..4).any(|_| test()), "it didn't happen before the delivery was due, again and again");
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A request, and when its first byte came.
struct Taken {
    begun: SystemTime,
    text: String,
}

/// What a receiver saw.
struct Seen {
    /// When each connection was open.
    connections: mpsc::Receiver<SystemTime>,
    requests: mpsc::Receiver<Taken>,
}

impl Seen {
    /// Whether the first connection was open before that second.
    fn was_early(&self, due: u64) -> bool {
        self.connections.try_recv().is_ok_and(|connected| connected < at(due))
    }
}

/// A receiver that treats its first connection in this way, and takes the requests of all others.
fn receiver(mut first: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static) -> (Receiver, Seen) {
    let ((connected, connections), (took, requests)) = (mpsc::channel(), mpsc::channel());
    let mut is_first = true;
    let receiver = Receiver::before_reading(move |stream| {
        let _ = connected.send(SystemTime::now());
        if std::mem::take(&mut is_first) {
            return first(stream);
        }
        let _ = took.send(take(stream)?);
        accept(stream)
    });
    (receiver, Seen { connections, requests })
}

/// Reads a request that ends with an empty line, be it that of its head.
fn take(stream: &mut Stream) -> io::Result<Taken> {
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
    Ok(Taken { begun: begun.unwrap(), text: String::from_utf8(request).unwrap() })
}

fn accept(stream: &mut Stream) -> io::Result<()> {
    stream.write_all(OK.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

#[test]
fn connects_within_the_second_before_and_sends_and_counts_from_the_dot() {
    in_time(|| {
        let (tell, told) = mpsc::channel();
        let receiver = Receiver::before_reading(move |stream| {
            let connected = SystemTime::now();
            let _ = tell.send((connected, take(stream)?));
            accept(stream)
        });
        let mut folder = Folder::to(&receiver);
        folder.delivery["signing"] = json!({"scheme": "StandardWebhooks", "keys": [secret("keys/0", "signing-key")]});
        folder.write("keys/0", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        // Less than the wait.
        folder.delivery["retries"]["totalDeadlineSeconds"] = json!(SOON - 2);
        folder.delivery["retries"]["timeoutSeconds"] = json!(SOON - 2);
        let due = folder.due_in(SOON);

        let outcome = folder.run().outcome;
        let since_due = SystemTime::now().duration_since(at(due)).unwrap();

        let Ok((connected, Taken { begun, text })) = told.try_recv() else { return false };
        assert!(connected >= at(due - 1), "connected at {connected:?}, due at {due}");
        assert!(begun >= at(due), "sent at {begun:?}, due at {due}");
        let signed = text.lines().find_map(|line| line.strip_prefix("webhook-timestamp: ")).unwrap();
        assert!(signed.parse::<u64>().unwrap() >= due, "signed as of {signed}, due at {due}");
        assert!(told.try_recv().is_err(), "there is one request");
        assert_eq!(outcome.outcome, OutcomeClass::Delivered, "{outcome:?}");
        assert!(outcome.started_at.unix() >= due, "{outcome:?}");
        assert!(Duration::from_millis(outcome.attempts[0].duration_ms.into()) <= since_due, "{outcome:?}");
        assert!(outcome.timings.tls_ms.is_some() && outcome.timings.first_byte_ms.is_some(), "{outcome:?}");
        connected < at(due)
    });
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
    for first in firsts {
        in_time(|| {
            let (receiver, seen) = receiver(first);
            let mut folder = Folder::to(&receiver);
            folder.delivery["retries"]["attempts"] = json!(1);
            let due = folder.due_in(SOON - 2);
            let ran = folder.run();
            if !seen.was_early(due) || !ran.output.contains("didn't wait for the request") {
                return false;
            }
            ran.assert(OutcomeClass::Delivered, "Delivered");
            assert_eq!(ran.outcome.attempt_count, 1);
            let again = seen.connections.try_recv().unwrap();
            assert!(again >= at(due), "connected again at {again:?}, due at {due}");
            true
        });
    }
}

#[test]
fn a_connection_that_breaks_amid_the_request_costs_no_attempt() {
    network::run_in_its_own("on_the_dot::a_connection_that_breaks_amid_the_request_costs_no_attempt", || {
        // So the kernel takes only a part of a request that nobody reads.
        fs::write("/proc/sys/net/ipv4/tcp_wmem", "4096 65536 65536").unwrap();
        in_time(|| {
            // It is closed with the request unread, and so the kernel resets it.
            let (receiver, seen) = receiver(|stream| stream.sock.peek(&mut [0]).map(drop));
            let mut folder = Folder::to(&receiver);
            folder.delivery["retries"]["attempts"] = json!(1);
            folder.delivery["maxBodyBytes"] = json!(1_048_576);
            folder.delivery["body"] = json!({"contentType": "text/plain", "source": {"file": secret("body", "body")}});
            folder.write("body", format!("#{{{{attempt}}}}{}\r\n\r\n", "x".repeat(1_000_000)));
            let due = folder.due_in(SOON);
            let ran = folder.run();
            if !seen.was_early(due) {
                return false;
            }
            ran.assert(OutcomeClass::Delivered, "Delivered");
            assert_eq!((ran.outcome.attempt_count, ran.outcome.attempts.len()), (1, 1));
            assert!(seen.requests.try_recv().unwrap().text.contains("#1xx"));
            true
        });
    });
}

#[test]
fn a_request_that_the_receiver_may_have_read_is_repeated_by_another_attempt_alone() {
    for (attempts, class, reason) in
        [(1, OutcomeClass::Failed, "ConnectionReset"), (2, OutcomeClass::Delivered, "Delivered")]
    {
        in_time(|| {
            let (receiver, seen) = receiver(|stream| take(stream).map(drop));
            let mut folder = Folder::to(&receiver);
            folder.delivery["retries"]["attempts"] = json!(attempts);
            let due = folder.due_in(SOON);
            let ran = folder.run();
            ran.assert(class, reason);
            assert_eq!(
                (ran.outcome.attempt_count, seen.requests.try_iter().count()),
                (attempts, attempts as usize - 1)
            );
            seen.was_early(due)
        });
    }
}

#[test]
fn what_is_wrong_at_the_start_and_right_at_the_dot_is_delivered() {
    in_time(|| {
        let receiver = Receiver::answering([OK]);
        let mut folder = Folder::to(&receiver);
        folder.remove("url");
        let due = folder.due_in(SOON);
        let mut child = folder.spawn();
        let log = BufReader::new(child.stderr.take().unwrap());
        let was_wrong = log.lines().any(|line| line.unwrap().contains("not ready"));
        folder.write("url", format!("https://127.0.0.1:{}/corrected", receiver.port));
        let is_early = SystemTime::now() < at(due);
        let ran = folder.ran(child);
        if is_early {
            assert!(was_wrong);
            ran.assert(OutcomeClass::Delivered, "Delivered");
            assert_eq!(receiver.only_request().line, "POST /corrected HTTP/1.1");
        }
        is_early
    });
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
    in_time(|| {
        let receiver = Receiver::answering([OK]);
        let inside = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut folder = Folder::to(&receiver);
        folder.delivery["knownClosed"] = json!([inside.local_addr().unwrap()]);
        let due = folder.due_in(SOON - 2);
        let closes = thread::spawn(move || while inside.accept().is_ok() && SystemTime::now() < at(due) {});
        let ran = folder.run();
        ran.assert(OutcomeClass::Delivered, "Delivered");
        closes.join().unwrap();
        ran.output.contains(r#""reason":"NotIsolated""#)
    });
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
    in_time(|| {
        let (tell, told) = mpsc::channel();
        let (receiver, seen) = receiver(move |stream| tell.send(stream.read(&mut [0])).map_err(io::Error::other));
        let mut folder = Folder::to(&receiver);
        let due = folder.due_in(SOON);
        let child = folder.spawn();
        seen.connections.recv().unwrap();
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        let ran = folder.ran(child);
        if SystemTime::now() >= at(due) {
            return false;
        }
        ran.assert(OutcomeClass::Interrupted, "Interrupted");
        assert!(ran.outcome.id.is_some() && ran.outcome.attempts.is_empty() && ran.outcome.started_at.unix() < due);
        assert!(told.recv().unwrap().is_err(), "TLS ends without its alert, and without a byte of a request");
        true
    });
}
