use serde_json::json;

use super::*;

/// What is read of a text with this bound, and which fields were cut.
fn read_with(room: usize, text: &str) -> (Value, Vec<String>) {
    let mut from = serde_json::Deserializer::from_str(text);
    let (value, cut) = read(&Rules { room, ..Rules::SMALL }, &mut from).unwrap();
    from.end().unwrap();
    (value, cut.into_iter().collect())
}

#[test]
fn what_has_room_is_read_as_it_is() {
    let value = json!({"spec": {"a": [1, -2, 0.5, true, null, "x\n\"é"], "b": {"c": {}}}, "top": "level"});
    assert_eq!(read_with(4096, &value.to_string()), (value, vec![]));
}

#[test]
fn what_has_no_room_is_left_out_and_named_and_takes_no_room_from_another_field() {
    for long in [format!("[{}]", vec!["{}"; 100_000].join(",")), json!("x".repeat(100_000)).to_string()] {
        let text = format!(r#"{{"spec":{{"a":"first","long":{long},"z":[1]}},"status":{{"b":2}}}}"#);
        let (value, cut) = read_with(2048, &text);
        assert_eq!(cut, ["spec.long"]);
        assert_eq!(
            (&value["spec"]["a"], &value["spec"]["z"], &value["status"]["b"]),
            (&json!("first"), &json!([1]), &json!(2))
        );
        assert!(value.to_string().len() < 2048, "{value}");
    }
}

#[test]
fn fields_that_are_unknown_cost_nothing_and_nesting_is_followed_as_far_as_there_is_room() {
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let (value, cut) = read_with(2048, &format!(r#"{{"metadata":{{"unknown":"x"}},"spec":{{"deep":{deep}}}}}"#));
    assert_eq!((value["metadata"].clone(), cut), (json!({}), vec!["spec.deep".to_owned()]));
}
