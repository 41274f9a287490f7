//! Records are read back, however large they are; unreadable records give nobody an advantage.

use super::*;

const NOW: i64 = 1_800_000_000;

fn part(takes: u32) -> Part {
    Part { takes, since: Some(NOW - 7_200), asked: u64::MAX, last_triggered: Some(NOW - 60) }
}

fn usage() -> Usage {
    Usage {
        min_interval: 900,
        schedules: [("7d2f7a3c-5f0e-4f5e-9a5b-0c8d3e0b7a11".to_owned(), part(4))].into(),
        given_up: vec![
            Entry { until: NOW + 60, by: Some("7d2f7a3c-5f0e-4f5e-9a5b-0c8d3e0b7a11".into()), count: 2 },
            Entry { until: NOW + 120, by: None, count: 1 },
        ],
        deleted_last: Some(NOW - 300),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let text = usage().write().unwrap();
    assert_eq!(
        text,
        "{\"version\":1,\"minInterval\":900,\"schedules\":{\"7d2f7a3c-5f0e-4f5e-9a5b-0c8d3e0b7a11\":\
         [4,1799992800,18446744073709551615,1799999940]},\"givenUp\":[[\"7d2f7a3c-5f0e-4f5e-9a5b-0c8d3e0b7a11\",2,1800000060],\
         [null,1,1800000120]],\"deletedLast\":1799999700}"
    );
    assert_eq!(Usage::read(Some(&text), NOW).unwrap(), usage());
}

#[test]
fn the_largest_record_is_within_its_bound() {
    let uid = |number: usize| format!("7d2f7a3c-5f0e-4f5e-9a5b-{number:012}");
    let given_up = (0..MANY).map(|number| Entry { until: NOW + 3_600, by: Some(uid(number)), count: 600_000 });
    let largest = Usage {
        min_interval: LONGEST_INTERVAL,
        schedules: (0..MOST_PARTS).map(|number| (uid(number), part(600_000))).collect(),
        given_up: given_up.collect(),
        deleted_last: Some(NOW),
    };
    let text = largest.write().unwrap();
    assert!(text.len() <= MOST_BYTES, "{} bytes", text.len());
    assert_eq!(Usage::read(Some(&text), NOW).unwrap(), largest);
}

#[test]
fn what_is_no_record_of_this_version_is_refused() {
    let too_many = Usage { schedules: (0..=MOST_PARTS).map(|n| (n.to_string(), part(1))).collect(), ..usage() };
    let (too_many, too_long) =
        (too_many.write().unwrap(), format!("{}{}", usage().write().unwrap(), " ".repeat(MOST_BYTES)));
    for (text, why) in [
        (None, "it has no key usage"),
        (Some(""), "no JSON"),
        (Some("{}"), "no JSON"),
        (Some("{\"version\":1}"), "no JSON"),
        (Some("{\"version\":2,\"schedules\":7}"), "version 2; this operator knows 1"),
        (Some("{\"version\":1,\"minInterval\":900,\"schedules\":{\"a\":[-4,0,0,null]},\"givenUp\":[]}"), "no JSON"),
        (Some(&too_many), "1001 schedules"),
        (Some(&too_long), "bytes"),
    ] {
        let error = Usage::read(text, NOW).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn times_of_a_clock_that_was_ahead_hold_nobody_for_ever() {
    let text = usage().write().unwrap();
    let read = Usage::read(Some(&text), NOW - 90_000).unwrap();
    let earlier = NOW - 90_000;
    assert_eq!(read.deleted_last, Some(earlier));
    assert!(read.given_up.iter().all(|entry| entry.until == earlier + HOUR));
    assert!(read.schedules.values().all(|part| (part.since, part.last_triggered) == (Some(earlier), Some(earlier))));
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
