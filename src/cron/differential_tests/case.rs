//! A question for both sides, and what Postern answers.

use std::fmt;

use jiff::Timestamp;

use crate::cron::{Expression, time_zone};

/// Zones whose clocks are changed by half an hour (Lord Howe) or two hours (Troll), at midnight (Havana, Beirut, Cairo, Santiago,
/// Azores, and `St_Johns` once), for Ramadan (Casablanca), backwards (Dublin) or by a whole day (Apia); zones with offsets of
/// minutes and seconds; and usual zones.
pub(crate) const ZONES: [&str; 28] = [
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Europe/Dublin",
    "America/St_Johns",
    "Pacific/Apia",
    "Antarctica/Troll",
    "America/Havana",
    "Asia/Beirut",
    "Africa/Cairo",
    "America/Santiago",
    "Atlantic/Azores",
    "America/Nuuk",
    "Asia/Gaza",
    "Asia/Amman",
    "Asia/Tehran",
    "America/Sao_Paulo",
    "America/Caracas",
    "Asia/Pyongyang",
    "Pacific/Kwajalein",
    "Pacific/Chatham",
    "Africa/Monrovia",
    "Asia/Kathmandu",
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Europe/London",
    "Asia/Tokyo",
    "Australia/Sydney",
];

#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) schedule: String,
    pub(crate) zone: &'static str,
    pub(crate) from: i64,
    pub(crate) count: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedule, zone, from, .. } = self;
        write!(f, "{schedule:?} in {zone} from {}", second(*from))
    }
}

/// What one side says: the next times in Unix seconds, or that it is not a schedule.
pub(crate) type Answer = Result<Vec<i64>, String>;

pub(crate) fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

pub(crate) fn ours(case: &Case) -> Answer {
    let expression = Expression::parse(&case.schedule, None).map_err(|error| error.to_string())?;
    let zone = time_zone(case.zone).expect("a zone of the database");
    Ok(expression.upcoming(&zone, second(case.from)).take(case.count).map(Timestamp::as_second).collect())
}

/// Whether a time of the answer is not later than the previous one.
pub(crate) fn goes_back(case: &Case, answer: &Answer) -> bool {
    let from = std::iter::once(&case.from);
    answer.as_ref().is_ok_and(|times| !from.chain(times).is_sorted_by(|one, next| one < next))
}
