//! When an observed verdict is reported.

use super::*;

fn proved() -> IsolationStatus {
    IsolationStatus::new("True", "Proved", "")
}

fn unknown() -> IsolationStatus {
    IsolationStatus::new("Unknown", "Checking", "")
}

fn widened(by: &str) -> IsolationStatus {
    IsolationStatus::new("False", "ForeignPolicy", by)
}

/// How often the reported verdict changed, with these observations at these seconds.
fn changes(reported: &mut ReportedVerdict, found: impl IntoIterator<Item = (i64, IsolationStatus)>) -> usize {
    found.into_iter().filter(|(at, verdict)| reported.note(verdict.clone(), *at)).count()
}

#[test]
fn the_first_proof_of_a_namespace_is_reported_at_once() {
    let mut reported = ReportedVerdict::first(unknown(), 0);
    assert!(reported.note(proved(), 1));
    assert_eq!(reported.verdict(), &proved());
}

#[test]
fn bad_news_is_reported_at_once_and_good_news_when_it_has_held() {
    let mut reported = ReportedVerdict::first(proved(), 0);
    assert!(reported.note(widened("a"), 10));
    assert!(!reported.note(proved(), 12));
    assert_eq!((reported.verdict(), reported.until()), (&widened("a"), Some(42)));
    assert!(!reported.note(proved(), 41));
    assert!(reported.note(proved(), 42));
    assert_eq!((reported.verdict(), reported.until()), (&proved(), None));
}

#[test]
fn good_news_that_does_not_hold_begins_anew() {
    let mut reported = ReportedVerdict::first(proved(), 0);
    assert_eq!(changes(&mut reported, [(10, widened("a")), (12, proved()), (30, widened("a")), (41, proved())]), 1);
    assert_eq!(reported.until(), Some(71));
    // Another verdict that is as bad neither restores the reported one nor counts as a better one.
    assert_eq!(changes(&mut reported, [(50, widened("b")), (60, proved())]), 0);
    assert_eq!(reported.until(), Some(90));
}

#[test]
fn what_is_better_than_before_goes_on_holding() {
    let mut reported = ReportedVerdict::first(proved(), 0);
    assert_eq!(changes(&mut reported, [(10, widened("a")), (12, unknown()), (20, proved()), (42, proved())]), 2);
    assert_eq!(reported.verdict(), &proved());
}

#[test]
fn whatever_tenants_do_what_is_told_changes_a_few_times_an_hour() {
    let second = |at: i64| match at % 4 {
        0 => widened("a"),
        1 => proved(),
        2 => widened("b"),
        _ => unknown(),
    };
    let slow = |at: i64| if at % 1_300 < 650 { widened("a") } else { proved() };
    let names = |at: i64| widened(&at.to_string());
    let patient = |at: i64| if at % 70 < 35 { widened("a") } else { proved() };
    // Twelve changes while the wait grows, and two in each ten minutes.
    let most = 36;
    for find in [second as fn(i64) -> IsolationStatus, slow, names, patient] {
        let mut reported = ReportedVerdict::first(proved(), 0);
        let in_two_hours = changes(&mut reported, (1..7_200).map(|at| (at, find(at))));
        assert!(in_two_hours <= most, "{in_two_hours}");
    }
    // An attacker who watches the reported verdict, and reverses it.
    let mut reported = ReportedVerdict::first(proved(), 0);
    let undo = |reported: &ReportedVerdict| if reported.verdict() == &proved() { widened("a") } else { proved() };
    let in_two_hours = (1..7_200)
        .filter(|at| {
            let found = undo(&reported);
            reported.note(found, *at)
        })
        .count();
    assert!(in_two_hours <= most, "{in_two_hours}");
}

#[test]
fn the_while_is_thirty_seconds_at_first_doubles_up_to_ten_minutes_and_is_forgotten_after_an_hour() {
    let mut reported = ReportedVerdict::first(proved(), 0);
    let mut now = 0;
    for wait in [30, 60, 120, 240, 480, 600, 600] {
        now += 1_000;
        assert!(reported.note(widened("a"), now));
        assert!(!reported.note(proved(), now) && !reported.note(proved(), now + wait - 1), "{wait}");
        assert!(reported.note(proved(), now + wait), "{wait}");
    }
    assert!(reported.note(widened("a"), now + 600 + CALM));
    assert!(!reported.note(proved(), now + 600 + CALM));
    assert_eq!(reported.until(), Some(now + 600 + CALM + 30));
}

#[test]
fn what_another_tier_calls_for_is_proved_without_a_wait() {
    let mut reported = ReportedVerdict::first(proved(), 0);
    assert_eq!(changes(&mut reported, [(10, unknown()), (15, proved())]), 2);
}

#[test]
fn canaries_are_made_at_the_same_pace() {
    let mut reported = ReportedVerdict::first(proved(), 0);
    reported.canary_made(0);
    assert!(reported.next_canary() <= 0, "nothing has changed for the worse");
    reported.note(widened("a"), 10);
    assert_eq!(reported.next_canary(), 30);
}
