//! What each of the five fields may hold.

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A kind of field.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) index: u8,
    pub(super) min: u8,
    pub(super) max: u8,
    /// The largest number that a bare `H` picks.
    pub(super) hash_max: u8,
    /// Names of the numbers from `min` on.
    pub(super) names: &'static [&'static str],
}

pub(super) const KINDS: [Kind; 5] = [
    Kind { name: "minute", index: 0, min: 0, max: 59, hash_max: 59, names: &[] },
    Kind { name: "hour", index: 1, min: 0, max: 23, hash_max: 23, names: &[] },
    Kind { name: "day-of-month", index: 2, min: 1, max: 31, hash_max: 28, names: &[] },
    Kind { name: "month", index: 3, min: 1, max: 12, hash_max: 12, names: &MONTHS },
    Kind { name: "day-of-week", index: 4, min: 0, max: 6, hash_max: 6, names: &WEEKDAYS },
];
