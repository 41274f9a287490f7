use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn largest() -> Outcome {
    let attempt = Attempt { duration_ms: u32::MAX, reason: Reason::CertificateUnknownIssuer, http_status: Some(599) };
    let host = format!("{}.example", "a".repeat(245));
    Outcome {
        id: Some(format!("msg_{}", "a".repeat(64)).try_into().unwrap()),
        scheduled_time: Timestamp::from_unix(1_764_728_640),
        outcome: OutcomeClass::FailedPermanently,
        reason: Reason::CertificateUnknownIssuer,
        detail: "d".repeat(MAX_DETAIL_BYTES),
        http_status: Some(599),
        attempt_count: *ATTEMPTS.end(),
        attempts: vec![attempt; *ATTEMPTS.end() as usize],
        target: Some(format!("https://{host}:65535/...")),
        address_family: Some(AddressFamily::IPv6),
        key_fingerprints: vec!["sha256:9f86d081".to_owned().try_into().unwrap(); MAX_KEYS],
        timings: Timings {
            dns_ms: Some(u32::MAX),
            connect_ms: Some(u32::MAX),
            tls_ms: Some(u32::MAX),
            first_byte_ms: Some(u32::MAX),
        },
        ..Outcome::begun(Timestamp::from_unix(1_764_728_641).unwrap())
    }
}

fn parse(value: &Value) -> Result<Outcome, OutcomeUnreadable> {
    Outcome::parse(value.to_string().as_bytes())
}

#[test]
fn the_largest_outcome_that_the_limits_allow_is_written_whole_and_read_back() {
    let json = largest().to_json();
    assert!(json.len() <= MAX_OUTCOME_BYTES, "{}", json.len());
    assert_eq!(Outcome::parse(json.as_bytes()).unwrap(), largest());
}

#[test]
fn is_never_longer_than_kubernetes_keeps() {
    let mut outcome = largest();
    outcome.attempts = vec![outcome.attempts[0]; 1_000];
    outcome.detail = "ä".repeat(10_000);
    let json = outcome.to_json();
    assert!(json.len() <= MAX_OUTCOME_BYTES);
    let written: Value = serde_json::from_str(&json).unwrap();
    assert!(written["attempts"].as_array().unwrap().len() > 20, "no more is left out than must be");

    outcome.attempts.clear();
    outcome.target = Some("t".repeat(10_000));
    outcome.key_fingerprints = vec![outcome.key_fingerprints[0].clone(); 1_000];
    assert!(outcome.to_json().len() <= MAX_OUTCOME_BYTES);
}

#[test]
fn leaves_out_the_earliest_attempts_first() {
    let mut outcome = largest();
    outcome.attempts = vec![outcome.attempts[0]; 1_000];
    outcome.attempts.last_mut().unwrap().reason = Reason::Delivered;
    let written: Value = serde_json::from_str(&outcome.to_json()).unwrap();
    assert_eq!(written["attempts"].as_array().unwrap().last().unwrap()["reason"], "Delivered");
}

#[test]
fn says_nothing_of_what_is_not_known() {
    let outcome = Outcome::begun(Timestamp::from_unix(0).unwrap());
    let written: Value = serde_json::from_str(&outcome.to_json()).unwrap();
    let expected = json!({
        "version": 1,
        "startedAt": "1970-01-01T00:00:00Z",
        "outcome": "Interrupted",
        "reason": "Interrupted",
        "attemptCount": 0,
        "attempts": [],
        "keyFingerprints": [],
        "timings": {},
    });
    assert_eq!(written, expected);
}

#[test]
fn reads_the_least_and_ignores_what_a_newer_sender_adds() {
    let mut value = json!({
        "version": 1, "startedAt": "1970-01-01T00:00:00Z", "outcome": "Delivered", "reason": "Delivered",
    });
    assert!(parse(&value).is_ok());
    value["added"] = json!({"later": true});
    value["reason"] = json!("AddedLater");
    assert_eq!(parse(&value).unwrap().reason, Reason::Unrecognised);
}

/// What senders of version 1 have written, to the letter. Only add to it: such senders are still in use.
const WRITTEN_BY_VERSION_1: &str = r#"{"version":1,"id":"msg_8c7dcf0c258c3197eafa7d657d1aee4e","scheduledTime":"2025-12-03T02:24:00Z","startedAt":"2025-12-03T02:24:01Z","outcome":"Failed","reason":"ReceiverError","detail":"the receiver answered 503","httpStatus":503,"attemptCount":2,"attempts":[{"durationMs":12,"reason":"ConnectionReset"},{"durationMs":34,"reason":"ReceiverError","httpStatus":503}],"target":"https://hooks.example.com/...","addressFamily":"IPv4","keyFingerprints":["sha256:9f86d081"],"timings":{"dnsMs":1,"connectMs":2,"tlsMs":3,"firstByteMs":4}}"#;

#[test]
fn reads_what_an_older_sender_wrote() {
    let outcome = Outcome::parse(WRITTEN_BY_VERSION_1.as_bytes()).unwrap();
    assert_eq!((outcome.outcome, outcome.reason), (OutcomeClass::Failed, Reason::ReceiverError));
    assert_eq!((outcome.attempt_count, outcome.attempts.len(), outcome.http_status), (2, 2, Some(503)));
    assert_eq!(outcome.to_json(), WRITTEN_BY_VERSION_1, "this version writes it so, too");
}

/// What a sender writes about a delivery that it only judged.
const CHECKED: &str = r#"{"version":1,"startedAt":"2025-12-03T02:24:01Z","outcome":"Checked","reason":"Allowed","attemptCount":1,"attempts":[{"durationMs":12,"reason":"Allowed"}],"target":"https://hooks.example.com/...","keyFingerprints":["sha256:9f86d081"],"timings":{"dnsMs":12}}"#;

#[test]
fn a_check_is_written_and_read_in_the_same_form() {
    let outcome = Outcome::parse(CHECKED.as_bytes()).unwrap();
    assert_eq!((outcome.outcome, outcome.reason), (OutcomeClass::Checked, Reason::Allowed));
    assert_eq!(outcome.to_json(), CHECKED);
}

#[test]
fn reads_no_version_that_it_cannot_know() {
    for version in [0, 2, u32::MAX] {
        let value = json!({"version": version, "all": "new"});
        assert_eq!(parse(&value), Err(OutcomeUnreadable::Version(version)));
    }
}

#[test]
fn believes_no_field_that_breaks_its_form() {
    let written: Value = serde_json::from_str(&largest().to_json()).unwrap();
    let cases: [(&str, Value); 18] = [
        ("/id", json!("msg_a.b")),
        ("/id", json!("<script>")),
        ("/scheduledTime", json!("yesterday")),
        ("/startedAt", json!(5)),
        ("/outcome", json!("Splendid")),
        ("/detail", json!("d".repeat(513))),
        ("/detail", json!("a\u{1b}[31mb")),
        ("/httpStatus", json!(99)),
        ("/httpStatus", json!(1000)),
        ("/attemptCount", json!(21)),
        ("/attemptCount", json!(19)),
        ("/attempts/0/httpStatus", json!(0)),
        ("/attempts/0/durationMs", json!(-1)),
        ("/target", json!("https://host/secret/...")),
        ("/target", json!("https://host/...?q")),
        ("/target", json!("http://host/...")),
        ("/keyFingerprints/0", json!("sha256:whole-key")),
        ("/keyFingerprints", json!(vec!["sha256:9f86d081"; 9])),
    ];
    assert!(parse(&written).is_ok());
    for (pointer, value) in cases {
        let mut broken = written.clone();
        *broken.pointer_mut(pointer).unwrap() = value;
        assert!(parse(&broken).is_err(), "{pointer}");
    }
}

#[test]
fn every_class_has_its_own_exit_code_but_for_the_two_that_are_as_wanted() {
    let codes = OutcomeClass::ALL.map(OutcomeClass::exit_code);
    assert_eq!(codes, [0, 10, 11, 12, 13, 0]);
}

proptest! {
    #[test]
    fn never_panics(bytes: Vec<u8>) {
        let _ = Outcome::parse(&bytes);
    }
}

#[test]
fn is_bounded_before_it_is_read() {
    assert_eq!(Outcome::parse(&[b' '; MAX_OUTCOME_BYTES + 1]), Err(OutcomeUnreadable::TooLarge));
}
