use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver};
use serde_json::{Value, json};

use crate::folder::{Folder, Ran, now, secret};

/// Runs a delivery that must be refused before anything is sent.
#[track_caller]
fn refused(reason: &str, change: impl FnOnce(&mut Folder)) -> Ran {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    change(&mut folder);
    let ran = folder.run();
    ran.assert(OutcomeClass::Refused, reason);
    assert!(receiver.requests().is_empty(), "{reason}");
    if let Some(id) = &ran.outcome.id {
        let logged = format!(r#""delivery":"{id}","reason":"{reason}""#);
        assert!(ran.output.contains(&logged), "{}", ran.output);
    }
    ran
}

#[test]
fn names_the_secret_and_key_that_is_missing_or_empty() {
    let ran = refused("ReferenceMissing", |folder| folder.remove("url"));
    let detail = "Secret report-hook doesn't exist, or has no key url; add it and the next delivery will use it";
    assert_eq!(ran.outcome.detail, detail);

    let ran = refused("ReferenceMissing", |folder| folder.remove("tls/ca.crt"));
    assert!(
        ran.outcome.detail.starts_with("ConfigMap our-ca doesn't exist, or has no key ca.crt"),
        "{}",
        ran.outcome.detail
    );

    for empty in ["", "\n", "\r\n"] {
        let ran = refused("ReferenceEmpty", |folder| folder.write("url", empty));
        assert!(ran.outcome.detail.starts_with("Secret report-hook has nothing in key url"), "{}", ran.outcome.detail);
    }
}

#[test]
fn every_mounted_file_may_be_missing_and_is_named() {
    type Change = fn(&mut Folder);
    let files: [(&str, Change); 5] = [
        ("auth", |folder| {
            folder.delivery["headers"] =
                json!([{"name": "Authorization", "value": {"file": secret("headers/0", "auth")}}]);
        }),
        ("payload", |folder| {
            folder.delivery["body"] =
                json!({"contentType": "text/plain", "source": {"file": secret("body", "payload")}});
        }),
        ("signing-key", |folder| {
            folder.delivery["signing"] =
                json!({"scheme": "StandardWebhooks", "keys": [secret("keys/0", "signing-key")]});
        }),
        ("tls.crt", |folder| {
            folder.delivery["tls"]["clientCertificate"] =
                json!({"certificate": secret("tls/tls.crt", "tls.crt"), "key": secret("tls/tls.key", "tls.key")});
        }),
        ("tls.key", |folder| {
            folder.delivery["tls"]["clientCertificate"] =
                json!({"certificate": secret("tls/ca.crt", "tls.crt"), "key": secret("tls/tls.key", "tls.key")});
        }),
    ];
    for (key, change) in files {
        let ran = refused("ReferenceMissing", change);
        assert!(ran.outcome.detail.contains(&format!("has no key {key};")), "{}", ran.outcome.detail);
    }
}

#[test]
fn refuses_a_file_that_is_too_large() {
    refused("ReferenceTooLarge", |folder| {
        folder.write("url", "x".repeat(8_193));
    });
    refused("BodyTooLarge", |folder| {
        folder.delivery["body"] = json!({"contentType": "text/plain", "source": {"file": secret("body", "payload")}});
        folder.write("body", "x".repeat(1_025));
    });
}

#[test]
fn refuses_a_body_that_is_too_large_once_it_is_filled_in() {
    refused("BodyTooLarge", |folder| {
        folder.set_inline_body("text/plain", &"x".repeat(1_025));
    });
    refused("BodyTooLarge", |folder| {
        folder.set_inline_body("text/plain", &format!("{}{{{{deliveryId}}}}", "x".repeat(1_000)));
    });
}

#[test]
fn refuses_an_unknown_placeholder_without_quoting_it() {
    let ran = refused("PlaceholderUnknown", |folder| {
        folder.set_inline_body("text/plain", "a {{canary}}");
    });
    assert!(ran.outcome.detail.starts_with("body, byte 2:"), "{}", ran.outcome.detail);
    assert!(!ran.output.contains("canary"));
}

#[test]
fn refuses_each_header_that_is_the_senders_own() {
    for name in [
        "Host",
        "content-length",
        "Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Keep-Alive",
        "Proxy-Authorization",
        "webhook-id",
        "Webhook-Signature",
        "Idempotency-Key",
        "User-Agent",
        "Content-Type",
        "Postern-Scheduled-Time",
        "X Y",
        "X\r\nHost",
        "",
    ] {
        let ran = refused("HeaderNotAllowed", |folder| {
            folder.delivery["headers"] = json!([{"name": name, "value": {"inline": "v"}}]);
        });
        assert!(ran.outcome.detail.starts_with("headers[0].name: "), "{}", ran.outcome.detail);
    }
}

#[test]
fn refuses_a_header_value_that_receivers_could_read_differently() {
    for value in ["\u{feff}a", "ä", "a\nHost: internal", "a\r\n\r\nGET / HTTP/1.1", "a\0b", "a\n\n"] {
        let ran = refused("HeaderValueInvalid", |folder| {
            folder.delivery["headers"] = json!([{"name": "X-Team", "value": {"file": secret("headers/0", "team")}}]);
            folder.write("headers/0", value);
        });
        assert!(ran.outcome.detail.contains("X-Team"), "{}", ran.outcome.detail);
    }
}

#[test]
fn refuses_a_key_that_cannot_sign_and_never_sends_unsigned() {
    for key in ["whsec_", "whsec_c2hvcnQ=", "whsec_***", "plain", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="] {
        let ran = refused("SigningKeyInvalid", |folder| {
            let keys = json!([secret("keys/0", "signing-key")]);
            folder.delivery["signing"] = json!({"scheme": "StandardWebhooks", "keys": keys});
            folder.write("keys/0", key);
        });
        assert!(ran.outcome.detail.starts_with("Secret report-hook, key signing-key: "), "{}", ran.outcome.detail);
    }
    refused("DeliveryInvalid", |folder| {
        folder.delivery["signing"] = json!({"scheme": "StandardWebhooks", "keys": []});
    });
    refused("SigningInvalid", |folder| {
        folder.delivery["signing"] = json!({
            "scheme": "HmacSha256Hex",
            "keys": [secret("keys/0", "a"), secret("keys/1", "b")],
            "classic": {"header": "X-Signature"},
        });
        folder.write("keys/0", "0123456789abcdef");
        folder.write("keys/1", "fedcba9876543210");
    });
}

#[test]
fn refuses_a_job_that_claims_a_time_it_cannot_have() {
    let job = |minutes: u64| move |folder: &mut Folder| folder.write("job-name", format!("postern-nightly-{minutes}"));
    refused("ScheduledTimeInFuture", job(now() / 60 + 2));
    refused("StartingDeadlineExceeded", job(now() / 60 - 6));
    refused("JobNameInvalid", |folder| {
        folder.write("job-name", "postern-nightly-manual");
    });
    refused("JobNameInvalid", |folder| {
        folder.write("job-name", "x".repeat(65));
    });
    refused("JobNameInvalid", |folder| {
        folder.write("job-name", b"\xff-29412144");
    });
    refused("JobNameInvalid", |folder| folder.remove("job-name"));
}

#[test]
fn refuses_what_the_guard_refuses() {
    refused("AddressInternal", |folder| {
        folder.delivery["egress"]["allowedCIDRs"] = json!([]);
    });
    refused("PortNotAllowed", |folder| {
        folder.delivery["egress"]["allowedPorts"] = json!([]);
    });
    refused("SchemeNotHttps", |folder| {
        folder.write("url", "http://127.0.0.1/");
    });
    let ran = refused("UrlMalformed", |folder| folder.write("url", "not a URL"));
    assert_eq!(ran.outcome.target, None);
}

#[test]
fn refuses_a_contract_that_it_cannot_hold() {
    refused("DeliveryInvalid", |folder| {
        folder.delivery = json!({"version": 1});
    });
    refused("DeliveryInvalid", |folder| {
        folder.delivery["surprise"] = json!(true);
    });
    let ran = refused("DeliveryInvalid", |folder| {
        folder.delivery["version"] = json!(2);
    });
    assert!(ran.outcome.detail.contains("version 2"), "{}", ran.outcome.detail);
    refused("DeliveryInvalid", |folder| {
        folder.delivery["url"]["path"] = json!("../url");
    });
    refused("DeliveryInvalid", |folder| {
        folder.delivery = Value::String("x".repeat(262_144));
    });
}

#[test]
fn refuses_certificates_that_are_none() {
    refused("CaBundleInvalid", |folder| {
        folder.write("tls/ca.crt", "no certificate");
    });
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    refused("CaBundleInvalid", |folder| {
        folder.write("tls/ca.crt", broken);
    });
    let ran = refused("ClientCertificateInvalid", |folder| {
        folder.delivery["tls"]["clientCertificate"] =
            json!({"certificate": secret("tls/tls.crt", "tls.crt"), "key": secret("tls/tls.key", "tls.key")});
        folder.write("tls/tls.crt", "none");
        folder.write("tls/tls.key", "none");
    });
    assert!(ran.outcome.detail.contains("Secret report-hook"), "{}", ran.outcome.detail);
}
