use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver};
use serde_json::json;
use standardwebhooks::Webhook;

use crate::folder::{Folder, now, secret};

const KEYS: [&str; 2] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
const BODY: &str = r#"{"type":"report.due","timestamp":"{{scheduledTime}}"}"#;

#[test]
fn the_official_library_verifies_every_attempt_with_either_key() {
    let receiver = Receiver::answering(["HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", OK]);
    let mut folder = Folder::to(&receiver);
    folder.set_inline_body("application/json", BODY);
    folder.delivery["signing"] =
        json!({"scheme": "StandardWebhooks", "keys": [secret("keys/0", "new"), secret("keys/1", "old")]});
    folder.write("keys/0", KEYS[0]);
    folder.write("keys/1", format!("{}\n", KEYS[1]));

    let ran = folder.run();

    ran.assert(OutcomeClass::Delivered, "Delivered");
    assert_eq!(ran.outcome.key_fingerprints.len(), 2);
    let requests = receiver.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        for key in KEYS {
            Webhook::new(key).unwrap().verify(&request.body, &request.header_map()).unwrap();
        }
        assert_eq!(request.header("webhook-id"), request.header("idempotency-key"));
        let timestamp: u64 = request.header("webhook-timestamp").unwrap().parse().unwrap();
        assert!(now() - timestamp < 60);
    }
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
}

#[test]
fn github_would_know_the_classic_signature() {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    folder.set_inline_body("text/plain", "Hello, World!");
    folder.delivery["signing"] = json!({
        "scheme": "HmacSha256Hex",
        "keys": [secret("keys/0", "key")],
        "classic": {"header": "X-Hub-Signature-256", "prefix": "sha256="},
    });
    folder.write("keys/0", "It's a Secret to Everybody\n");

    folder.run().assert(OutcomeClass::Delivered, "Delivered");

    let request = receiver.only_request();
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(request.header("x-hub-signature-256"), Some(signature));
    assert_eq!(request.header("webhook-signature"), None);
}
