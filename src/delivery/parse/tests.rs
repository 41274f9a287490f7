use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::delivery::{Run, Scheduled};

fn secret(path: &str) -> Value {
    json!({"path": path, "from": {"secret": {"name": "report-hook", "key": "k"}}})
}

/// Every field, each with the largest value it allows.
fn full() -> Value {
    json!({
        "version": 1,
        "schedule": {"name": "nightly", "namespace": "team-a", "uid": "6d3f2b54-9a0e-4c55-8c62-0e7b0f5f5a11"},
        "run": {"scheduled": {"startingDeadlineSeconds": 120, "offsetSeconds": 59, "leadSeconds": 30}},
        "url": secret("url"),
        "method": "POST",
        "headers": [
            {"name": "X-Team", "value": {"inline": "a"}},
            {"name": "Authorization", "value": {"file": secret("headers/1")}},
        ],
        "body": {"contentType": "application/json", "source": {"inline": "{}"}},
        "signing": {
            "scheme": "HmacSha256Hex",
            "keys": [secret("keys/0"), secret("keys/1")],
            "classic": {"header": "Stripe-Signature", "prefix": "v1=", "payload": "TimestampBody"},
        },
        "tls": {
            "caBundle": {"path": "tls/ca.crt", "from": {"configMap": {"name": "our-ca", "key": "ca.crt"}}},
            "clientCertificate": {"certificate": secret("tls/tls.crt"), "key": secret("tls/tls.key")},
        },
        "retries": {
            "attempts": 20,
            "timeoutSeconds": 60,
            "backoff": {"minSeconds": 5, "maxSeconds": 3600},
            "totalDeadlineSeconds": 21600,
        },
        "egress": {"allowedPorts": [8443]},
        "maxBodyBytes": 1_048_576,
    })
}

fn parse(value: &Value) -> Result<Delivery, DeliveryInvalid> {
    Delivery::parse(value.to_string().as_bytes())
}

#[test]
fn reads_back_what_it_writes() {
    let delivery = parse(&full()).unwrap();
    let written = serde_json::to_value(&delivery).unwrap();
    assert_eq!(written["signing"], full()["signing"]);
    assert_eq!(serde_json::to_value(parse(&written).unwrap()).unwrap(), written);
}

#[test]
fn needs_no_more_than_the_least() {
    let mut least = full();
    for optional in ["headers", "body", "signing", "tls", "egress"] {
        least.as_object_mut().unwrap().remove(optional);
    }
    let delivery = parse(&least).unwrap();
    assert!(delivery.signing.is_none() && delivery.body.is_none() && delivery.headers.is_empty());
}

/// A sender that doesn't know the field would refuse the delivery, and templates would change that need no change.
#[test]
fn a_delivery_without_a_lead_is_written_as_before_there_were_leads() {
    let written = |lead: Value| {
        let mut delivery = full();
        delivery["run"]["scheduled"]["leadSeconds"] = lead;
        serde_json::to_value(parse(&delivery).unwrap()).unwrap()["run"].clone()
    };
    let timing = json!({"startingDeadlineSeconds": 120, "offsetSeconds": 59});
    assert_eq!(written(json!(0)), json!({"scheduled": timing}));
    let mut without = full();
    without["run"]["scheduled"] = timing;
    assert!(matches!(parse(&without).unwrap().run, Run::Scheduled(Scheduled { lead_seconds: 0, .. })));
    assert_eq!(written(json!(7))["scheduled"]["leadSeconds"], 7);
}

#[test]
fn every_other_field_is_needed_and_no_further_one_is_known() {
    for field in ["version", "schedule", "run", "url", "method", "retries", "maxBodyBytes"] {
        let mut lacking = full();
        lacking.as_object_mut().unwrap().remove(field);
        assert!(matches!(parse(&lacking), Err(DeliveryInvalid::Malformed { .. })), "{field}");
    }
    for at in ["", "/schedule", "/url", "/url/from/secret", "/retries", "/signing", "/signing/classic", "/tls", "/body"]
    {
        let mut further = full();
        further.pointer_mut(at).unwrap()["further"] = json!(1);
        assert!(matches!(parse(&further), Err(DeliveryInvalid::Malformed { .. })), "{at}");
    }
}

#[test]
fn names_the_field_that_breaks_its_limit() {
    let cases: [(&str, Value, &str); 23] = [
        ("/schedule/name", json!(""), "schedule.name"),
        ("/schedule/namespace", json!("a/b"), "schedule.namespace"),
        ("/schedule/uid", json!("a\nb"), "schedule.uid"),
        ("/run/scheduled/offsetSeconds", json!(60), "run.scheduled.offsetSeconds"),
        ("/run/scheduled/leadSeconds", json!(31), "run.scheduled.leadSeconds"),
        ("/url/path", json!("/etc/passwd"), "url.path"),
        ("/url/path", json!("a/../../b"), "url.path"),
        ("/url/path", json!(""), "url.path"),
        ("/url/from/secret/key", json!("a b"), "url.from.key"),
        ("/headers/0/value/inline", json!("a\r\nb"), "headers[0].value"),
        ("/headers/1/value/file/path", json!(".."), "headers[1].value.path"),
        ("/body/contentType", json!(" "), "body.contentType"),
        ("/body/contentType", json!("a\nb"), "body.contentType"),
        ("/signing/keys", json!([]), "signing.keys"),
        ("/signing/classic", Value::Null, "signing.classic"),
        ("/signing/classic/prefix", json!("a b"), "signing.classic.prefix"),
        ("/signing/classic/header", json!("x-TEAM"), "signing.classic.header"),
        ("/tls/caBundle/path", json!("./ca"), "tls.caBundle.path"),
        ("/retries/attempts", json!(0), "retries.attempts"),
        ("/retries/timeoutSeconds", json!(61), "retries.timeoutSeconds"),
        ("/retries/backoff/maxSeconds", json!(4), "retries.backoff.maxSeconds"),
        ("/retries/totalDeadlineSeconds", json!(0), "retries.totalDeadlineSeconds"),
        ("/maxBodyBytes", json!(1_048_577), "maxBodyBytes"),
    ];
    for (pointer, value, expected) in cases {
        let mut broken = full();
        *broken.pointer_mut(pointer).unwrap() = value;
        match parse(&broken) {
            Err(DeliveryInvalid::Field { field, .. }) => assert_eq!(field, expected, "{pointer}"),
            other => panic!("{pointer}: {other:?}"),
        }
    }
}

#[test]
fn a_classic_signature_goes_into_no_header_of_the_senders() {
    let mut broken = full();
    broken["signing"]["classic"]["header"] = json!("Webhook-Signature");
    assert!(matches!(parse(&broken), Err(DeliveryInvalid::Header { field, .. }) if field == "signing.classic.header"));
}

#[test]
fn standard_webhooks_has_no_options() {
    let mut broken = full();
    broken["signing"]["scheme"] = json!("StandardWebhooks");
    assert!(matches!(parse(&broken), Err(DeliveryInvalid::Field { field, .. }) if field == "signing.classic"));
}

#[test]
fn another_version_is_named_before_its_fields_are_found_unknown() {
    assert_eq!(Delivery::parse(br#"{"version":2,"all":"new"}"#).unwrap_err(), DeliveryInvalid::Version(2));
}

#[test]
fn no_error_quotes_what_was_read() {
    for broken in [r#"{"version":"canary"}"#, r#"{"version":1,"canary":1}"#, r#"{"version":1,"url":"canary"}"#] {
        assert!(!Delivery::parse(broken.as_bytes()).unwrap_err().to_string().contains("canary"));
    }
    let mut broken = full();
    broken["headers"][0]["value"]["inline"] = json!("canary\n");
    assert!(!parse(&broken).unwrap_err().to_string().contains("canary"));
    broken["headers"][0]["value"]["inline"] = json!("canary");
    assert!(!format!("{:?}", parse(&broken)).contains("canary"));
}

#[test]
fn is_bounded() {
    assert_eq!(Delivery::parse(&vec![b' '; MAX_DELIVERY_BYTES + 1]).unwrap_err(), DeliveryInvalid::TooLarge);
}

proptest! {
    #[test]
    fn never_panics(bytes: Vec<u8>) {
        let _ = Delivery::parse(&bytes);
    }

    #[test]
    fn never_panics_on_a_field_of_another_kind(at in 0..12_usize, number: i64, text: String) {
        let mut broken = full();
        let fields = broken.as_object_mut().unwrap();
        let key = fields.keys().nth(at % fields.len()).unwrap().clone();
        for value in [json!(number), json!(text), json!([text]), json!({"version": number})] {
            broken[&key] = value;
            let _ = parse(&broken);
        }
    }
}
