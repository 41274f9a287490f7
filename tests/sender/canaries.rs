use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{Certificates, OK, Receiver};
use serde_json::json;

use crate::folder::{Folder, secret};

const CANARIES: [&str; 9] = [
    "canary-path",
    "canary-query",
    "canary-header",
    "canary-inline-header",
    "Y2FuYXJ5LWtleS",
    "canary-body",
    "canary-status",
    "canary-response-header",
    "canary-response-body",
];

fn folder(receiver: &Receiver) -> Folder {
    let mut folder = Folder::to(receiver);
    folder.write("url", format!("https://127.0.0.1:{}/canary-path?canary-query", receiver.port));
    folder.delivery["headers"] = json!([
        {"name": "X-Secret", "value": {"file": secret("headers/0", "auth")}},
        {"name": "X-Inline", "value": {"inline": "canary-inline-header"}},
    ]);
    folder.write("headers/0", "canary-header");
    folder.delivery["body"] = json!({"contentType": "text/plain", "source": {"file": secret("body", "payload")}});
    folder.write("body", "canary-body");
    folder.delivery["signing"] = json!({"scheme": "StandardWebhooks", "keys": [secret("keys/0", "key")]});
    folder.write("keys/0", "whsec_Y2FuYXJ5LWtleS1jYW5hcnkta2V5LWNhbmFyeQ==");
    folder
}

#[track_caller]
fn nothing_leaks(folder: &Folder, class: OutcomeClass, reason: &str) {
    let ran = folder.run();
    ran.assert(class, reason);
    for canary in CANARIES {
        assert!(!ran.output.contains(canary), "{canary} in {}", ran.output);
    }
    assert!(ran.output.contains(r#""level""#), "the test must see the logs: {}", ran.output);
}

#[test]
fn secrets_appear_in_no_output_however_a_delivery_ends() {
    let answer = |status: &str| {
        format!(
            "HTTP/1.1 {status} canary-status\r\nx: canary-response-header\r\nlocation: /canary-path\r\n\
             content-length: 20\r\n\r\ncanary-response-body"
        )
    };
    for (status, class, reason) in [
        ("200", OutcomeClass::Delivered, "Delivered"),
        ("302", OutcomeClass::FailedPermanently, "RedirectNotFollowed"),
        ("400", OutcomeClass::FailedPermanently, "RequestRejected"),
        ("500", OutcomeClass::Failed, "ReceiverError"),
    ] {
        nothing_leaks(&folder(&Receiver::answering([&answer(status)])), class, reason);
    }
    for (answer, class, reason) in [
        ("canary-response-body\r\n\r\n", OutcomeClass::Failed, "ResponseMalformed"),
        ("HTTP/1.1 200 OK\r\ncanary-response-header\r\n\r\n", OutcomeClass::Delivered, "Delivered"),
        ("HTTP/1.1 503 Busy\r\nretry-after: canary-response-header\r\n\r\n", OutcomeClass::Failed, "ReceiverError"),
        ("HTTP/1.1 200 canary-status", OutcomeClass::Failed, "ConnectionReset"),
    ] {
        nothing_leaks(&folder(&Receiver::answering([answer])), class, reason);
    }
    let wrong_name = Receiver::with(Certificates::good("hooks.example.com"), false, Receiver::by_turns([OK]));
    nothing_leaks(&folder(&wrong_name), OutcomeClass::FailedPermanently, "CertificateNameMismatch");
}

#[test]
fn secrets_appear_in_no_output_when_they_are_what_is_wrong() {
    let receiver = Receiver::answering([OK]);
    let wrong: [(&str, &str, &str); 9] = [
        ("url", "http://canary-query@canary-path.example/canary-path", "SchemeNotHttps"),
        ("url", "https://127.0.0.1:1/canary-path?canary-query", "PortNotAllowed"),
        ("url", "canary-path canary-query", "UrlMalformed"),
        ("url", "https://10.0.0.1/canary-path?canary-query", "AddressInternal"),
        ("headers/0", "canary-header\ncanary-header", "HeaderValueInvalid"),
        ("body", "{{canary-body}}", "PlaceholderUnknown"),
        ("keys/0", "Y2FuYXJ5LWtleS1jYW5hcnkta2V5LWNhbmFyeQ==", "SigningKeyInvalid"),
        ("keys/0", "whsec_Y2FuYXJ5LWtleS!", "SigningKeyInvalid"),
        ("tls/ca.crt", "canary-body", "CaBundleInvalid"),
    ];
    for (path, content, reason) in wrong {
        let folder = folder(&receiver);
        folder.write(path, content);
        nothing_leaks(&folder, OutcomeClass::Refused, reason);
    }
}
