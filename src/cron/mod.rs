//! Cron schedules as arithmetic: parsing, `H`, next times, the smallest gap.
//!
//! An expression has exactly the meaning that it has in Kubernetes' `CronJob` controller, which uses robfig/cron v3: the same
//! grammar, and the same next times in every zone, including its oddities around changes of the clocks. `docs/schedules.md` lists
//! those that a user can meet. `H` is added: a stable value picked from the schedule's UID, which parsing replaces by a number.
//!
//! Nothing here reads a clock, a file or the environment: instants are passed in, and the time zone database is the one compiled
//! into the program. The operator has the tiers, and decides what a gap is compared with.

mod calendar;
mod closest;
mod field;
mod gap;
mod hash;
mod kind;
mod next;
mod offsets;
mod parse;
mod pattern;
mod zone;

#[cfg(test)]
mod differential_tests;
#[cfg(test)]
mod gap_tests;
#[cfg(test)]
mod generate;
#[cfg(test)]
mod next_tests;
#[cfg(test)]
mod parse_tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use closest::closest_usual;
use field::Fields;
pub use gap::Tightest;
pub use next::Upcoming;
pub use parse::ParseError;
pub use zone::{UnknownTimeZone, time_zone};

/// A parsed schedule, with every `H` replaced by its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    resolved: String,
    fields: Fields,
}

impl Expression {
    /// Parses what a `CronJob` accepts (robfig/cron v3's `ParseStandard`, without a time zone prefix and without
    /// `@every`), plus `H`.
    ///
    /// `H` is picked from `uid`, the schedule's UID. The same text and UID always give the same expression.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its field and column; or an `H` when there is no `uid`.
    pub fn parse(text: &str, uid: Option<&str>) -> Result<Self, ParseError> {
        let (resolved, fields) = parse::expression(text, uid)?;
        Ok(Self { resolved, fields })
    }

    /// The expression that the `CronJob` gets: as it was written, with each `H` replaced.
    #[must_use]
    pub fn resolved(&self) -> &str {
        &self.resolved
    }

    /// Whether the expression fires on any date; `0 0 30 2 *` never does.
    #[must_use]
    pub fn ever_fires(&self) -> bool {
        self.fields.ever_match()
    }

    /// The name of a field that matches nothing, so that the expression can never fire. `,` is such a field, and a `CronJob`
    /// accepts it.
    #[must_use]
    pub fn empty_field(&self) -> Option<&'static str> {
        self.fields.empty()
    }

    /// The times at which the expression fires in `zone`, in order, starting with the first after `from`.
    ///
    /// As in the controller, the search ends when nothing is found in the five calendar years after a time: from 2096, `0 0 29 2
    /// *` has no next time until 2099 has begun, since 2100 is not a leap year.
    #[must_use]
    pub fn upcoming(&self, zone: &TimeZone, from: Timestamp) -> Upcoming<'_> {
        Upcoming::new(&self.fields, zone.clone(), from)
    }

    /// The smallest gap and the fullest hour that can occur in `zone` from `from` on: over a full 400-year cycle of the calendar,
    /// with the zone's rules in the database. `None` when the expression never fires.
    #[must_use]
    pub fn tightest(&self, zone: &TimeZone, from: Timestamp) -> Option<Tightest> {
        gap::tightest(&self.fields, zone, from, gap::FULL_CYCLE)
    }
}
