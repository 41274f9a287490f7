//! The receivers of `docs/receivers.md`, run exactly as they are there, against a request that the sender really made.
//!
//! `make test-receivers` builds them with their languages' libraries, below `target/receivers`, and runs these tests.

mod process;

use std::process::Command;

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver, Request};
use serde_json::json;
use standardwebhooks::Webhook;

use self::process::Process;
use crate::folder::{Folder, now, secret};

/// Postern signs with a new key of each kind and with the old one; the receivers know only the old one.
struct Delivery {
    request: Request,
    old_key: String,
}

fn keygen(scheme: &str) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_postern")).args(["keygen", "--scheme", scheme]).output().unwrap();
    assert!(made.status.success());
    String::from_utf8(made.stdout).unwrap()
}

/// Makes the sender send a request to a receiver that records it.
fn deliver() -> Delivery {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    folder.set_inline_body("application/json", r#"{"type":"report.due","data":{"name":"Zoë"}}"#);
    let keys = [keygen("v1a"), keygen("v1"), keygen("v1")];
    folder.delivery["signing"] = json!({
        "scheme": "StandardWebhooks",
        "keys": [secret("keys/0", "new-v1a"), secret("keys/1", "new"), secret("keys/2", "old")],
    });
    for (index, key) in keys.iter().enumerate() {
        folder.write(&format!("keys/{index}"), key);
    }
    folder.run().assert(OutcomeClass::Delivered, "Delivered");
    let [.., old_key] = keys;
    Delivery { request: receiver.only_request(), old_key: old_key.trim().into() }
}

impl Delivery {
    /// The same request, as somebody with the key would have signed it this many seconds ago.
    fn signed_ago(&self, seconds: u64, id: &str) -> Request {
        let time = i64::try_from(now() - seconds).unwrap();
        let signature = Webhook::new(&self.old_key).unwrap().sign(id, time, &self.request.body).unwrap();
        let mut request = self.request.clone();
        for (name, value) in
            [("webhook-id", id.to_owned()), ("webhook-timestamp", time.to_string()), ("webhook-signature", signature)]
        {
            let header = request.headers.iter_mut().find(|(given, _)| given.eq_ignore_ascii_case(name)).unwrap();
            header.1 = value;
        }
        request
    }
}

/// Sends a receiver a real delivery twice, and then requests that it must refuse.
fn try_out(command: &mut Command) {
    let delivery = deliver();
    let id = delivery.request.header("webhook-id").unwrap();
    let signatures = delivery.request.header("webhook-signature").unwrap();
    assert_eq!(
        signatures.split(' ').map(|one| one.split_once(',').unwrap().0).collect::<Vec<_>>(),
        ["v1a", "v1", "v1"]
    );

    let mut forged = delivery.request.clone();
    forged.body = br#"{"type":"report.due","data":{"name":"Eve"}}"#.to_vec();
    let mut unsigned = delivery.request.clone();
    unsigned.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("webhook-signature"));
    let mut garbled = delivery.request.clone();
    garbled.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("webhook-signature")).unwrap().1 =
        "v1,%% v1 ,,".into();

    let receiver = Process::start(command.env("WEBHOOK_KEY", &delivery.old_key));
    for (what, request, answer) in [
        ("a forged body", &forged, 401),
        ("no signature", &unsigned, 401),
        ("a signature that is none", &garbled, 401),
        ("an old recording", &delivery.signed_ago(600, "msg_old"), 401),
        ("the true delivery", &delivery.request, 204),
        ("another attempt at it, or a replay", &delivery.request, 204),
        ("a delivery that took its time", &delivery.signed_ago(60, "msg_late"), 204),
    ] {
        assert_eq!(receiver.answer_to(request), answer, "{what}");
    }
    assert_eq!(receiver.end(), [format!("took {id}"), "took msg_late".to_owned()]);
}

fn built(path: &str) -> String {
    format!("{}/target/receivers/{path}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
#[ignore = "`make test-receivers` builds them and runs this"]
fn in_rust() {
    try_out(&mut Command::new(built("rust/target/debug/receiver")));
}

#[test]
#[ignore = "`make test-receivers` builds them and runs this"]
fn in_python() {
    try_out(Command::new(built("python/.venv/bin/python")).arg(built("python/receiver.py")));
}

#[test]
#[ignore = "`make test-receivers` builds them and runs this"]
fn in_go() {
    try_out(&mut Command::new(built("go/receiver")));
}

#[test]
#[ignore = "`make test-receivers` builds them and runs this"]
fn in_typescript() {
    try_out(Command::new("node").arg(built("typescript/receiver.js")));
}
