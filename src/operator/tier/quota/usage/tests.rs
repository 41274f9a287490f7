//! Records are read back, however large they are; unreadable records give nobody an advantage.

use super::*;
use crate::operator::tier::quota::Age;

const NOW: i64 = 1_800_000_000;

fn part(takes: u32) -> Part {
    Part { takes, since: Some(NOW - 7_200), asked: u64::MAX, last: Some(NOW - 60) }
}

const UID: &str = "7d2f7a3c-5f0e-4f5e-9a5b-0c8d3e0b7a11";

fn age(uid: &str) -> Age {
    Age { created: NOW - 9_000, uid: uid.into() }
}

fn usage() -> Usage {
    Usage {
        min_interval: 900,
        schedules: [(ScheduleId::of(UID), part(4))].into(),
        given_up: vec![
            Entry { until: NOW + 60, by: Some(age(UID)), count: 2 },
            Entry { until: NOW + 120, by: None, count: 1 },
        ],
        deleted_last: Some(NOW - 300),
    }
}

/// A record with this text and these bytes.
fn record(text: &str, bytes: &[u8]) -> ConfigMap {
    ConfigMap {
        data: Some([(USAGE_KEY.into(), text.into())].into()),
        binary_data: Some([(USAGE_SCHEDULES_KEY.into(), ByteString(bytes.into()))].into()),
        ..ConfigMap::default()
    }
}

#[test]
fn what_is_written_is_read_again() {
    let written = usage().write().unwrap();
    assert_eq!(
        serde_json::json!(written)["data"]["usage"],
        "{\"version\":2,\"minInterval\":900,\"givenUp\":[[[1799991000,\"7d2f7a3c-5f0e-4f5e-9a5b-0c8d3e0b7a11\"],2,1800000060],\
         [null,1,1800000120]],\"deletedLast\":1799999700}"
    );
    assert_eq!(serde_json::json!(written)["binaryData"]["schedules"], "ErrZjDOspE///////////wAAAARrSbXga0nRxA==");
    assert_eq!(Usage::read(&written, NOW).unwrap(), usage());
    let nobody = Usage { schedules: BTreeMap::new(), ..usage() };
    let written = nobody.write().unwrap();
    assert_eq!((written.binary_data.is_none(), Usage::read(&written, NOW).unwrap()), (true, nobody));
}

#[test]
fn the_largest_record_is_within_its_bound() {
    let uid = |number: usize| format!("7d2f7a3c-5f0e-4f5e-9a5b-{number:012}");
    let given_up = (0..MANY).map(|number| Entry { until: NOW + 3_600, by: Some(age(&uid(number))), count: 600_000 });
    let largest = Usage {
        min_interval: LONGEST_INTERVAL,
        schedules: (0..MOST_PARTS).map(|number| (ScheduleId::of(&uid(number)), part(600_000))).collect(),
        given_up: given_up.collect(),
        deleted_last: Some(NOW),
    };
    assert_eq!(largest.schedules.len(), MOST_PARTS);
    let written = largest.write().unwrap();
    let bytes = serde_json::to_vec(&written).unwrap().len();
    assert!(bytes < 512 * 1_024, "{bytes} bytes; a ConfigMap may have a mebibyte");
    assert_eq!(Usage::read(&written, NOW).unwrap(), largest);
}

#[test]
fn what_is_no_record_of_this_version_is_refused() {
    let text = serde_json::to_string(&Written { version: VERSION, usage: &usage() }).unwrap();
    let too_long = format!("{text}{}", " ".repeat(MOST_BYTES));
    let too_many = vec![1; parts::SIZE * (MOST_PARTS + 1)];
    for (text, bytes, why) in [
        ("", &[][..], "no JSON"),
        ("{}", &[], "no JSON"),
        ("{\"version\":2}", &[], "no JSON"),
        ("{\"version\":1,\"schedules\":7}", &[], "version 1; this operator knows 2"),
        ("{\"version\":2,\"minInterval\":900,\"givenUp\":[[null,-4,0]]}", &[], "no JSON"),
        (&text, &too_many, "10001 schedules; at most 10000"),
        (&text, &[1; 29], "29 bytes of schedules, which is no multiple of 28"),
        (&too_long, &[], "bytes; at most 32768"),
    ] {
        let error = Usage::read(&record(text, bytes), NOW).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(Usage::read(&ConfigMap::default(), NOW).unwrap_err().to_string(), "it has no key usage");
}

#[test]
fn a_record_holds_the_part_of_a_schedule_that_has_not_changed() {
    let holds = |part| usage().holds(ScheduleId::of(UID), part, NOW);
    assert!(holds(part(4)));
    assert!(!holds(part(5)), "it takes more");
    assert!(!holds(Part { last: Some(NOW), ..part(4) }), "triggered since");
    assert!(!holds(Part { last: Some(NOW - HOUR), ..part(4) }), "what is recorded still matters");
    assert!(!usage().holds(ScheduleId::of("another"), part(4), NOW));
    let later = Part { last: None, ..part(4) };
    assert!(usage().holds(ScheduleId::of(UID), later, NOW + HOUR), "what no longer matters is no difference");
}

#[test]
fn times_of_a_clock_that_was_ahead_hold_nobody_for_ever() {
    let read = Usage::read(&usage().write().unwrap(), NOW - 90_000).unwrap();
    let earlier = NOW - 90_000;
    assert_eq!(read.deleted_last, Some(earlier));
    assert!(read.given_up.iter().all(|entry| entry.until == earlier + HOUR));
    assert!(read.schedules.values().all(|part| (part.since, part.last) == (Some(earlier), Some(earlier))));
}

#[test]
fn it_ends_an_hour_after_the_last_use_or_the_smallest_gap_after_it_if_that_is_longer() {
    let mut usage = usage();
    assert_eq!(usage.ends(), None, "a schedule takes part");
    usage.schedules.clear();
    assert_eq!(usage.ends(), Some(NOW - 300 + HOUR));
    assert!(!usage.clone().at(NOW - 301 + HOUR).is_empty());
    assert!(usage.clone().at(NOW - 300 + HOUR).is_empty());
    usage.min_interval = 86_400;
    assert_eq!(usage.ends(), Some(NOW - 300 + 86_400));
    usage.given_up.clear();
    usage.deleted_last = None;
    assert_eq!((usage.is_empty(), usage.ends()), (true, None));
}
