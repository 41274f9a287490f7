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
fn changes(told: &mut Told, found: impl IntoIterator<Item = (i64, IsolationStatus)>) -> usize {
    found.into_iter().filter(|(at, verdict)| told.note(verdict.clone(), *at)).count()
}

#[test]
fn the_first_proof_of_a_namespace_is_told_at_once() {
    let mut told = Told::first(unknown(), 0);
    assert!(told.note(proved(), 1));
    assert_eq!(told.verdict(), &proved());
}

#[test]
fn bad_news_is_told_at_once_and_good_news_when_it_has_held() {
    let mut told = Told::first(proved(), 0);
    assert!(told.note(widened("a"), 10));
    assert!(!told.note(proved(), 12));
    assert_eq!((told.verdict(), told.until()), (&widened("a"), Some(42)));
    assert!(!told.note(proved(), 41));
    assert!(told.note(proved(), 42));
    assert_eq!((told.verdict(), told.until()), (&proved(), None));
}

#[test]
fn good_news_that_does_not_hold_begins_anew() {
    let mut told = Told::first(proved(), 0);
    assert_eq!(changes(&mut told, [(10, widened("a")), (12, proved()), (30, widened("a")), (41, proved())]), 1);
    assert_eq!(told.until(), Some(71));
    // Another verdict that is as bad neither restores the reported one nor counts as a better one.
    assert_eq!(changes(&mut told, [(50, widened("b")), (60, proved())]), 0);
    assert_eq!(told.until(), Some(90));
}

#[test]
fn what_is_better_than_before_goes_on_holding() {
    let mut told = Told::first(proved(), 0);
    assert_eq!(changes(&mut told, [(10, widened("a")), (12, unknown()), (20, proved()), (42, proved())]), 2);
    assert_eq!(told.verdict(), &proved());
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
        let mut told = Told::first(proved(), 0);
        let in_two_hours = changes(&mut told, (1..7_200).map(|at| (at, find(at))));
        assert!(in_two_hours <= most, "{in_two_hours}");
    }
    // An attacker who watches the reported verdict, and reverses it.
    let mut told = Told::first(proved(), 0);
    let undo = |told: &Told| if told.verdict() == &proved() { widened("a") } else { proved() };
    let in_two_hours = (1..7_200)
        .filter(|at| {
            let found = undo(&told);
            told.note(found, *at)
        })
        .count();
    assert!(in_two_hours <= most, "{in_two_hours}");
}

#[test]
fn the_while_is_thirty_seconds_at_first_doubles_up_to_ten_minutes_and_is_forgotten_after_an_hour() {
    let mut told = Told::first(proved(), 0);
    let mut now = 0;
    for wait in [30, 60, 120, 240, 480, 600, 600] {
        now += 1_000;
        assert!(told.note(widened("a"), now));
        assert!(!told.note(proved(), now) && !told.note(proved(), now + wait - 1), "{wait}");
        assert!(told.note(proved(), now + wait), "{wait}");
    }
    assert!(told.note(widened("a"), now + 600 + CALM));
    assert!(!told.note(proved(), now + 600 + CALM));
    assert_eq!(told.until(), Some(now + 600 + CALM + 30));
}

#[test]
fn what_another_tier_calls_for_is_proved_without_a_wait() {
    let mut told = Told::first(proved(), 0);
    assert_eq!(changes(&mut told, [(10, unknown()), (15, proved())]), 2);
}

#[test]
fn canaries_are_made_at_the_same_pace() {
    let mut told = Told::first(proved(), 0);
    told.canary_made(0);
    assert!(told.next_canary() <= 0, "nothing has changed for the worse");
    told.note(widened("a"), 10);
    assert_eq!(told.next_canary(), 30);
}
