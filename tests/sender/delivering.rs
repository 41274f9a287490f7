use postern::delivery::{AddressFamily, OutcomeClass};
use postern_e2e_receiver::{OK, Receiver};
use serde_json::json;

use crate::folder::{Folder, now, secret};

#[test]
fn delivers_what_the_folder_says_and_tells_how_it_went() {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    folder.delivery["headers"] = json!([
        {"name": "X-Team", "value": {"inline": "a"}},
        {"name": "Authorization", "value": {"file": secret("headers/1", "auth")}},
    ]);
    folder.write("headers/1", "Bearer abc\n");
    folder.set_inline_body("application/json", r#"{"type":"report.due"}"#);

    let ran = folder.run();

    ran.assert(OutcomeClass::Delivered, "Delivered");
    let request = receiver.only_request();
    assert_eq!(request.line, "POST /hook?token=t HTTP/1.1");
    assert_eq!(request.body, br#"{"type":"report.due"}"#);
    assert_eq!(request.header("host"), Some(format!("127.0.0.1:{}", receiver.port).as_str()));
    assert_eq!(request.header("x-team"), Some("a"));
    assert_eq!(request.header("authorization"), Some("Bearer abc"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("user-agent"), Some(concat!("postern/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(request.header("content-length"), Some("21"));
    assert_eq!(request.header("webhook-signature"), None);

    let outcome = ran.outcome;
    let scheduled_time = outcome.scheduled_time.unwrap();
    assert_eq!(scheduled_time.unix() % 60, 0);
    assert!(now() - scheduled_time.unix() < 300);
    assert_eq!(request.header("postern-scheduled-time"), Some(scheduled_time.to_string().as_str()));
    assert_eq!(request.header("idempotency-key"), Some(outcome.id.unwrap().as_str()));
    assert_eq!(outcome.target.unwrap(), format!("https://127.0.0.1:{}/...", receiver.port));
    assert_eq!(outcome.http_status, Some(200));
    assert_eq!(outcome.address_family, Some(AddressFamily::IPv4));
    assert_eq!(outcome.attempt_count, 1);
    assert!(outcome.timings.first_byte_ms.is_some());
}

#[test]
fn every_method_is_sent_as_it_is_with_and_without_a_body() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        for with_body in [false, true] {
            let receiver = Receiver::answering(["HTTP/1.1 204 No Content\r\n\r\n"]);
            let mut folder = Folder::to(&receiver);
            folder.delivery["method"] = json!(method);
            if with_body {
                folder.set_inline_body("text/plain", "hello");
            }
            folder.run().assert(OutcomeClass::Delivered, "Delivered");
            let request = receiver.only_request();
            assert_eq!(request.line, format!("{method} /hook?token=t HTTP/1.1"));
            assert_eq!(request.body, if with_body { b"hello".as_slice() } else { b"" });
            assert_eq!(request.header("content-type").is_some(), with_body);
            assert_eq!(request.header("transfer-encoding"), None);
            let length = match (with_body, method) {
                (true, _) => Some("5"),
                (false, "GET" | "DELETE") => None,
                (false, _) => Some("0"),
            };
            assert_eq!(request.header("content-length"), length, "{method}");
        }
    }
}

#[test]
fn fills_in_the_placeholders_of_a_body_from_a_file() {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    folder.delivery["body"] = json!({"contentType": "text/plain", "source": {"file": secret("body", "payload")}});
    folder
        .write("body", b"{{scheduleName}}/{{namespace}} {{scheduledTime}} {{deliveryId}} #{{attempt}} {{{{x}} \xff\n");

    let outcome = folder.run().outcome;

    let expected = [
        format!("nightly/team-a {} {} #1 {{{{x}}}} ", outcome.scheduled_time.unwrap(), outcome.id.unwrap()).as_bytes(),
        b"\xff\n",
    ]
    .concat();
    assert_eq!(String::from_utf8_lossy(&receiver.only_request().body), String::from_utf8_lossy(&expected));
}

#[test]
fn a_triggered_delivery_has_the_id_and_time_that_it_was_given() {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    folder.remove("job-name");
    folder.delivery["run"] = json!({"triggered": {"id": "msg_byhand1", "scheduledTime": "2025-12-03T02:24:11Z"}});

    let ran = folder.run();

    ran.assert(OutcomeClass::Delivered, "Delivered");
    assert_eq!(receiver.only_request().header("idempotency-key"), Some("msg_byhand1"));
    assert_eq!(receiver.only_request().header("postern-scheduled-time"), Some("2025-12-03T02:24:11Z"));
}

#[test]
fn waits_for_its_offset_within_the_minute_but_not_past_the_total_deadline() {
    let receiver = Receiver::answering([OK]);
    let mut folder = Folder::to(&receiver);
    // Scheduled either a few seconds ahead, within the tolerance for clocks, or in this minute: due within a minute.
    folder.delivery["run"] = json!({"scheduled": {"startingDeadlineSeconds": 300, "offsetSeconds": 59}});
    folder.delivery["retries"]["totalDeadlineSeconds"] = json!(1);
    folder.write("job-name", format!("postern-nightly-{}", (now() + 3) / 60));

    let ran = folder.run();

    ran.assert(OutcomeClass::Failed, "DeadlineExceeded");
    assert!(receiver.requests().is_empty());
}
