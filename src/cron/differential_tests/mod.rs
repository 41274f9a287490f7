//! Compares next times with those of the `CronJob` controller's own library, robfig/cron v3, in `e2e/cron-oracle`.
//!
//! `POSTERN_CRON_CASES` sets how many expressions are compared. Both sides use the time zone database that is compiled into
//! Postern, so zones can't cause a disagreement. Cases in which the library finds no answer within its time limit, or a time that
//! is not later than the previous one, are listed but not compared. A disagreement is made as small as possible before it is
//! shown.

mod case;
mod minimise;
mod oracle;

use std::time::Instant;

use jiff::Timestamp;

use super::generate::{self, Random};
use super::time_zone;
use case::{Answer, Case, ZONES, goes_back, ours, second};
use minimise::minimised;
use oracle::Oracle;

const DAY: i64 = 86_400;

/// When each zone's clocks are changed between 1968 and 2101.
fn changes(zone: &str) -> Vec<i64> {
    let zone = time_zone(zone).expect("a zone of the database");
    let until = second(131 * 366 * DAY);
    let changes = zone.following(second(-730 * DAY)).map(|change| change.timestamp());
    changes.take_while(|&at| at < until).map(Timestamp::as_second).collect()
}

/// An expression that mostly has a wrong character in it; some of these are accepted anyway.
fn spoilt(random: &mut Random, schedule: &str) -> String {
    let mut characters: Vec<char> = schedule.chars().collect();
    let noise: Vec<char> = "0123456789 *?/-,+@JANsun:LW#T".chars().collect();
    for _ in 0..random.between(1, 2) {
        let last = i64::try_from(characters.len()).expect("short") - 1;
        let index = usize::try_from(random.between(0, last.max(0))).expect("not negative");
        let character = *random.pick(&noise);
        match random.between(1, 3) {
            1 => characters.insert(index, character),
            2 if index < characters.len() => characters[index] = character,
            _ if index < characters.len() => drop(characters.remove(index)),
            _ => {}
        }
    }
    characters.into_iter().collect()
}

#[test]
fn agrees_with_the_controllers_library() {
    let cases: u64 = std::env::var("POSTERN_CRON_CASES").map_or(3_000, |cases| cases.parse().expect("a number"));
    let started = Instant::now();
    let changes: Vec<Vec<i64>> = ZONES.iter().map(|zone| changes(zone)).collect();
    let mut oracle = Oracle::start(Oracle::build());
    let mut random = Random(6);
    let (mut near_changes, mut refused, mut times) = (0, 0, 0);
    let (mut hangs, mut repeats, mut disagreements) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..cases {
        let index = usize::try_from(random.next() % ZONES.len() as u64).expect("small");
        let schedule = generate::expression(&mut random);
        let schedule = if random.one_in(10) { spoilt(&mut random, &schedule) } else { schedule };
        let near = number % 2 == 0 && !changes[index].is_empty();
        let from = if near {
            *random.pick(&changes[index]) + random.between(-3 * DAY, DAY)
        } else {
            random.between(0, 131 * 365 * DAY)
        };
        let case = Case { schedule, zone: ZONES[index], from, count: 8 };
        let Some(theirs) = oracle.ask(&case) else {
            hangs.push(case);
            continue;
        };
        if goes_back(&case, &theirs) {
            repeats.push(case);
            continue;
        }
        near_changes += u32::from(near);
        let ours = ours(&case);
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) if ours == theirs => times += ours.len(),
            (Err(_), Err(_)) => refused += 1,
            _ => disagreements.push(case),
        }
    }
    println!(
        "{cases} expressions in {} zones, {near_changes} of them around changes of the clocks: {times} next times agree, \
         {refused} expressions are refused by both, {} disagree, {} not compared as the library hangs \
         and {} as it goes back or repeats a time; {:?}",
        ZONES.len(),
        disagreements.len(),
        hangs.len(),
        repeats.len(),
        started.elapsed(),
    );
    for case in &hangs {
        println!("the library hangs on {case}");
    }
    for case in &repeats {
        println!("the library goes back or repeats a time on {case}");
    }
    for case in disagreements.iter().take(5) {
        let case = minimised(&mut oracle, case);
        let theirs = oracle.ask(&case).expect("an answer as before");
        println!("{case}:\n    Postern {}\n    library {}", shown(&ours(&case)), shown(&theirs));
    }
    assert!(disagreements.is_empty(), "{} disagreements, the first of them above", disagreements.len());
}

fn shown(answer: &Answer) -> String {
    match answer {
        Ok(times) => format!("{:?}", times.iter().map(|&time| second(time).to_string()).collect::<Vec<_>>()),
        Err(error) => format!("refuses it: {error}"),
    }
}

#[test]
fn goes_on_where_the_controllers_library_hangs() {
    let case = Case { schedule: "0 12 30 12 *".into(), zone: "Pacific/Apia", from: 1_300_000_000, count: 1 };
    assert_eq!(Oracle::start(Oracle::build()).ask(&case), None, "the library doesn't hang any more: compare this too");
    // Noon of 30 December 2012 in Apia: in 2011, that day didn't exist there.
    assert_eq!(ours(&case), Ok(vec![1_356_818_400]));
}
