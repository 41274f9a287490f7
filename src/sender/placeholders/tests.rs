use proptest::prelude::*;

use super::*;

fn values<'v>(id: &'v DeliveryId, schedule: &'v Schedule) -> Values<'v> {
    Values { scheduled_time: Timestamp::from_unix(1_764_728_640).unwrap(), id, schedule, attempt: 3 }
}

fn filled_in(source: &[u8], content_type: &str) -> Result<Vec<u8>, Refusal> {
    let id = DeliveryId::try_from("msg_1".to_owned()).unwrap();
    let schedule = Schedule { name: "say \"hi\"\\\n".into(), namespace: "team-a".into(), uid: "uid".into() };
    let filled_in = Template::new(Secret::of(source), content_type)?.fill_in(&values(&id, &schedule));
    assert_eq!(filled_in.capacity(), filled_in.len(), "it grew, and left a copy behind");
    Ok(filled_in.to_vec())
}

#[test]
fn fills_in_every_placeholder_anywhere() {
    let source = b"{{scheduledTime}}{{deliveryId}} {{namespace}}: {{attempt}}{{attempt}}";
    assert_eq!(filled_in(source, "text/plain").unwrap(), b"2025-12-03T02:24:00Zmsg_1 team-a: 33");
    assert_eq!(filled_in(b"", "text/plain").unwrap(), b"");
}

#[test]
fn escapes_values_where_the_content_type_is_json() {
    let source = br#"{"name":"{{scheduleName}}"}"#;
    for json in ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json", "text/json"] {
        let body = filled_in(source, json).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["name"], "say \"hi\"\\\n", "{json}");
    }
    for other in ["text/plain", "application/jsonl", "application/x-www-form-urlencoded", "text/plain; a=+json"] {
        assert_eq!(filled_in(b"{{scheduleName}}", other).unwrap(), b"say \"hi\"\\\n", "{other}");
    }
}

#[test]
fn four_braces_stand_for_two() {
    assert_eq!(filled_in(b"{{{{attempt}} {{{{{{{{ {{{{{{attempt}}", "text/plain").unwrap(), b"{{attempt}} {{{{ {{3");
}

#[test]
fn leaves_lone_braces_and_bytes_alone() {
    for source in [b"{\"a\":{\"b\":1}}".as_slice(), b"} }} { \xff\xfe\0 {", b"{a{{{{"] {
        let expected = source.strip_suffix(b"{{").filter(|_| source.ends_with(b"{{{{")).unwrap_or(source);
        assert_eq!(filled_in(source, "text/plain").unwrap(), expected);
    }
}

#[test]
fn refuses_two_braces_that_begin_nothing_known() {
    let cases: [(&[u8], usize); 8] = [
        (b"{{", 0),
        (b"abc {{", 4),
        (b"{{}}", 0),
        (b"{{ attempt }}", 0),
        (b"{{Attempt}}", 0),
        (b"{{attempt}", 0),
        (b"{{attempt}} {{attempts}}", 12),
        (b"{{{attempt}}}", 0),
    ];
    for (source, at) in cases {
        let refusal = filled_in(source, "text/plain").unwrap_err();
        assert_eq!(refusal.reason, Reason::PlaceholderUnknown);
        assert!(refusal.detail.starts_with(&format!("body, byte {at}: {{{{ begins none of")), "{}", refusal.detail);
        assert!(refusal.detail.ends_with("write {{{{ for two braces"), "{}", refusal.detail);
    }
}

proptest! {
    #[test]
    fn what_is_written_twice_comes_out_once(text in "[a-z{} ]{0,40}") {
        let escaped = text.replace("{{", "{{{{");
        prop_assert_eq!(filled_in(escaped.as_bytes(), "text/plain").unwrap(), text.as_bytes());
    }

    #[test]
    fn never_panics(bytes: Vec<u8>) {
        let _ = filled_in(&bytes, "application/json");
    }
}
