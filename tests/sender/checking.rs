//! `--check`: finds what a delivery would be refused for, and sends nothing.

use std::io::ErrorKind;
use std::net::TcpListener;

use postern::delivery::{OutcomeClass, Reason};
use postern_e2e_receiver::{OK, Receiver};
use serde_json::json;

use crate::folder::{Folder, Ran, secret};

/// Runs a check that must open no connection, not even one that is never accepted.
fn checked(change: impl FnOnce(&mut Folder)) -> Ran {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut folder = Folder::to_port(&Receiver::answering([OK]), listener.local_addr().unwrap().port());
    change(&mut folder);
    let ran = folder.check();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{ran:?}");
    ran
}

#[test]
fn what_would_be_sent_is_allowed_and_opens_no_connection() {
    let ran = checked(|folder| {
        folder.delivery["signing"] = json!({"scheme": "StandardWebhooks", "keys": [secret("keys/0", "signing-key")]});
        folder.write("keys/0", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        folder.set_inline_body("application/json", r#"{"at":"{{scheduledTime}}"}"#);
    });
    ran.assert(OutcomeClass::Checked, "Allowed");
    let outcome = ran.outcome;
    assert_eq!((outcome.id, outcome.scheduled_time, outcome.http_status), (None, None, None));
    assert_eq!(outcome.attempts.iter().map(|attempt| attempt.reason).collect::<Vec<_>>(), [Reason::Allowed]);
    assert_eq!((outcome.timings.connect_ms, outcome.address_family), (None, None));
    assert!(outcome.target.unwrap().starts_with("https://127.0.0.1:"));
    assert_eq!(outcome.key_fingerprints.len(), 1);
}

#[test]
fn whatever_would_refuse_a_delivery_refuses_its_check() {
    type Change = fn(&mut Folder);
    let wrongs: [(&str, Change); 16] = [
        ("DeliveryInvalid", |folder| folder.delivery["version"] = json!(99)),
        ("SchemeNotHttps", |folder| folder.write("url", "http://127.0.0.1/")),
        ("PortNotAllowed", |folder| folder.delivery["egress"]["allowedPorts"] = json!([])),
        ("UrlMalformed", |folder| folder.write("url", "not a URL")),
        ("HostNotAllowed", |folder| folder.delivery["egress"]["allowedHosts"] = json!(["*.example.com"])),
        ("AddressInternal", |folder| folder.delivery["egress"]["allowedCIDRs"] = json!([])),
        ("ReferenceMissing", |folder| folder.remove("url")),
        ("CaBundleInvalid", |folder| folder.write("tls/ca.crt", "none")),
        ("ClientCertificateInvalid", |folder| {
            folder.delivery["tls"]["clientCertificate"] =
                json!({"certificate": secret("tls/tls.crt", "tls.crt"), "key": secret("tls/tls.key", "tls.key")});
            folder.write("tls/tls.crt", "none");
            folder.write("tls/tls.key", "none");
        }),
        ("HeaderNotAllowed", |folder| {
            folder.delivery["headers"] = json!([{"name": "Host", "value": {"inline": "internal"}}]);
        }),
        ("HeaderValueInvalid", |folder| {
            folder.delivery["headers"] = json!([{"name": "X-Team", "value": {"file": secret("headers/0", "team")}}]);
            folder.write("headers/0", "a\nHost: internal");
        }),
        ("PlaceholderUnknown", |folder| folder.set_inline_body("text/plain", "{{nothing}}")),
        ("BodyTooLarge", |folder| folder.set_inline_body("text/plain", &"x".repeat(1_025))),
        ("BodyTooLarge", |folder| {
            folder.delivery["body"] =
                json!({"contentType": "text/plain", "source": {"file": secret("body", "payload")}});
            folder.write("body", "x".repeat(1_025));
        }),
        ("ReferenceEmpty", |folder| {
            folder.delivery["body"] =
                json!({"contentType": "text/plain", "source": {"file": secret("body", "payload")}});
            folder.write("body", "");
        }),
        ("SigningKeyInvalid", |folder| {
            folder.delivery["signing"] = json!({"scheme": "StandardWebhooks", "keys": [secret("keys/0", "key")]});
            folder.write("keys/0", "whsec_c2hvcnQ=");
        }),
    ];
    for (reason, wrong) in wrongs {
        checked(wrong).assert(OutcomeClass::Refused, reason);
    }
}

#[test]
fn neither_the_jobs_name_nor_a_deadline_is_looked_at() {
    for name in [Some("postern-nightly-cdeadbeef1"), Some("postern-nightly-1"), None] {
        let ran = checked(|folder| match name {
            Some(name) => folder.write("job-name", name),
            None => folder.remove("job-name"),
        });
        ran.assert(OutcomeClass::Checked, "Allowed");
    }
}
