use std::fs;
use std::path::Path;

use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{OK, Receiver};
use serde_json::{Value, json};

use crate::folder::Folder;

#[test]
fn the_sample_folder_delivers_once_it_has_a_receiver() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/samples/sender");
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    let rules = folder.delivery["egress"].clone();
    let tls = folder.delivery["tls"].clone();
    folder.delivery =
        serde_json::from_str::<Value>(&fs::read_to_string(sample.join("delivery.json")).unwrap()).unwrap();
    folder.delivery["egress"] = rules;
    folder.delivery["tls"] = tls;
    for path in ["headers/1", "keys/0"] {
        folder.write(path, fs::read(sample.join(path)).unwrap());
    }

    folder.run().assert(OutcomeClass::Delivered, "Delivered");

    let request = receiver.only_request();
    let expected = json!({"type": "report.due", "timestamp": "2026-01-01T02:00:00Z", "data": {}});
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), expected);
    assert_eq!(request.header("webhook-id"), Some("msg_byhand1"));
    assert!(request.header("webhook-signature").unwrap().starts_with("v1,"));
}
