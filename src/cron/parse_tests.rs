//! Which texts are schedules, what they mean, and what the errors say.

use super::hash::{Place, pick};
use super::{Expression, ParseError, UnknownTimeZone, time_zone};

const UID: &str = "6f2d8a4e-9d0b-4c53-8f43-0d8d8a1f5b11";

fn parsed(text: &str) -> Expression {
    Expression::parse(text, Some(UID)).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refusal(text: &str) -> String {
    match Expression::parse(text, Some(UID)) {
        Ok(_) => panic!("{text:?} was accepted"),
        Err(error) => error.to_string(),
    }
}

/// Whether two texts match the same times.
fn same(one: &str, other: &str) -> bool {
    parsed(one).fields == parsed(other).fields
}

#[test]
fn reads_ranges_steps_lists_and_names() {
    assert!(same("5/15 * * * *", "5,20,35,50 * * * *"));
    assert!(same("10-20/5 * * * *", "10,15,20 * * * *"));
    assert!(same("0 0 1 jan-MAR sun,Wed-fri", "0 0 1 1,2,3 0,3,4,5"));
    assert!(same("0 0 ? * ?", "0 0 * * *"));
    assert!(same("\t0  0\u{2003}* * * ", "0 0 * * *"));
}

#[test]
fn keeps_the_oddities_of_the_controllers_grammar() {
    assert!(same("1,,2 , * * *", "1,2 , * * *"));
    assert!(same("*-x * * * *", "* * * * *"));
    assert!(same("05,+7 * * * *", "5,7 * * * *"));
    assert!(same("*/9223372036854775807 * * * *", "0 * * * *"));
    // A star with a step of one still counts as a star, one with a longer step doesn't: this decides how the days are combined.
    assert!(same("0 0 */1 * 1", "0 0 * * 1"));
    assert!(!same("0 0 1-31 * 1", "0 0 * * 1"));
    assert!(!parsed("0 0 */2 * 1").fields.days.star);
    assert!(parsed("0 0 1,* * 1").fields.days.star);
}

#[test]
fn reads_macros_as_the_controller_does() {
    assert!(same("@yearly", "0 0 1 1 *") && same("@annually", "@yearly"));
    assert!(same("@monthly", "0 0 1 * *"));
    assert!(same("@weekly", "0 0 * * 0"));
    assert!(same("@daily", "0 0 * * *") && same("@midnight", "@daily"));
    assert!(same("@hourly", "0 * * * *"));
    assert_eq!(parsed("@daily").resolved(), "@daily");
    for text in ["@Daily", "@daily ", " @daily", "@reboot", "@"] {
        assert!(Expression::parse(text, None).is_err(), "{text:?}");
    }
}

#[test]
fn points_at_the_field_and_the_column() {
    let column = |text| match Expression::parse(text, Some(UID)) {
        Err(ParseError::Field { field, column, .. }) => (field, column),
        other => panic!("{text:?}: {other:?}"),
    };
    assert_eq!(column("60 * * * *"), ("minute", 1));
    assert_eq!(column("0  1,24 * * *"), ("hour", 6));
    assert_eq!(column("0\u{2003}0 1-32 * *"), ("day-of-month", 7));
    assert_eq!(column("0 0 0 * *"), ("day-of-month", 5));
    assert_eq!(column("0 0 1 foo *"), ("month", 7));
    assert_eq!(column("0 0 1 nov-feb *"), ("month", 7));
    assert_eq!(column("0 0 1 * 7"), ("day-of-week", 9));
    assert_eq!(column("*/0 * * * *"), ("minute", 3));
    assert_eq!(column("*/-1 * * * *"), ("minute", 3));
    assert_eq!(column("1-2/3/4 * * * *"), ("minute", 5));
    assert_eq!(column("1-2-3 * * * *"), ("minute", 3));
    assert_eq!(column("- * * * *"), ("minute", 1));
    assert_eq!(column("5/ * * * *"), ("minute", 3));
    assert_eq!(column("0 H(5) * * *"), ("hour", 3));
    assert_eq!(column("0 H(5-24) * * *"), ("hour", 7));
    assert_eq!(column("H(0-9)/11 * * * *"), ("minute", 1));
    assert_eq!(column("Hx * * * *"), ("minute", 1));
    assert_eq!(column("h * * * *"), ("minute", 1));
}

#[test]
fn says_what_to_do_instead() {
    assert!(refusal("0 0 * *").contains("five fields"));
    assert!(refusal("0 0 * * * *").contains("found 6"));
    assert!(refusal("").contains("found 0"));
    assert!(refusal("@every 1h30m").contains("use fields"));
    for text in ["TZ=UTC 0 0 * * *", "CRON_TZ=UTC 0 0 * * *", "0 0 * * TZ"] {
        assert!(refusal(text).contains("set timeZone"), "{text}");
    }
    assert!(refusal("0 0 1 * 7").ends_with("Sunday is 0"));
    let without_uid = Expression::parse("0 H * * *", None).expect_err("no UID").to_string();
    assert!(without_uid.contains("UID"), "{without_uid}");
}

#[test]
fn resolves_every_h_on_its_own() {
    let resolved = |text| parsed(text).resolved().to_owned();
    let numbers: Vec<u8> =
        (0..5).zip([60, 24, 28, 12, 7]).map(|(field, count)| pick(UID, Place { field, nth: 0 }, count)).collect();
    let [minute, hour, day, month, weekday] = numbers[..] else { panic!("five fields") };
    let expected = format!("{minute} {hour} {} {} {weekday}", day + 1, month + 1);
    assert_eq!(resolved("H H H H H"), expected);
    let second = pick(UID, Place { field: 0, nth: 1 }, 30) + 30;
    let first = pick(UID, Place { field: 0, nth: 0 }, 30);
    assert_eq!(resolved("H(0-29),H(30-59) 5,* * * *"), format!("{first},{second} 5,* * * *"));
}

#[test]
fn keeps_h_within_its_range_and_step_for_every_uid() {
    for number in 0..500 {
        let uid = format!("uid-{number}");
        let numbers = |text: &str| {
            let expression = Expression::parse(text, Some(&uid)).expect("a schedule");
            let again = Expression::parse(expression.resolved(), None).expect("resolved has no H");
            assert_eq!(again.fields, expression.fields);
            expression.fields
        };
        let minutes = |text: &str| numbers(text).minutes.iter().collect::<Vec<_>>();
        let quarters = minutes("H/15 * * * *");
        assert!(quarters.len() == 4 && quarters[0] < 15, "{quarters:?}");
        assert!(quarters.windows(2).all(|pair| pair[1] - pair[0] == 15), "{quarters:?}");
        let tens = minutes("H(0-29)/10 * * * *");
        assert!(tens.len() == 3 && tens[0] < 10 && tens[2] < 30, "{tens:?}");
        assert!(matches!(minutes("H(7-9) * * * *")[..], [7..=9]));
        // As in Jenkins, a step of one counts as no step.
        assert_eq!(minutes("H/1 * * * *").len(), 1);
        let days: Vec<u8> = numbers("0 0 H * *").days.set.iter().collect();
        assert!(matches!(days[..], [1..=28]), "{days:?}");
        assert!(!numbers("0 0 H * 1").days.star);
    }
}

#[test]
fn spreads_a_fleet_over_the_hour() {
    let mut minutes = [0; 60];
    for number in 0..6_000 {
        minutes[usize::from(pick(&format!("uid-{number}"), Place { field: 0, nth: 0 }, 60))] += 1;
    }
    assert!(minutes.iter().all(|count| (50..=150).contains(count)), "{minutes:?}");
}

/// A change here moves every schedule with an `H` in it, in every cluster.
#[test]
fn stays_the_same_for_ever() {
    // Computed with another implementation of SHA-256.
    assert_eq!(parsed("H H H H H").resolved(), "20 7 1 11 0");
    assert_eq!(parsed("H/15 H(0-6) * * *").resolved(), "5-59/15 2 * * *");
}

#[test]
fn knows_zones_by_their_exact_names() {
    for name in ["UTC", "Europe/Berlin", "Etc/GMT+5", "US/Eastern", "America/Argentina/ComodRivadavia"] {
        assert!(time_zone(name).is_ok(), "{name}");
    }
    for name in ["", "Local", "local", "Europe/Nowhere", "../UTC", "/UTC", "EST5EDT4", "UTC ", "Etc/Unknown"] {
        assert!(matches!(time_zone(name), Err(UnknownTimeZone::Unknown(_))), "{name}");
    }
    let error = time_zone("europe/berlin").expect_err("another spelling").to_string();
    assert!(error.contains("it is written \"Europe/Berlin\""), "{error}");
}
