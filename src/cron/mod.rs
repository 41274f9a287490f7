//! Cron schedules, as arithmetic: parsing, `H`, next times, the smallest gap.
//!
//! An expression means here exactly what it means to Kubernetes' `CronJob` controller, which uses robfig/cron v3:
//! the same grammar, and the same next times in every zone, its oddities around changes of the clocks included.
//! `docs/schedules.md` lists those a user can meet. What is added is `H`, a stable value picked from the schedule's
//! UID, which is gone once an expression is parsed.
//!
//! Nothing here reads a clock, a file or the environment: instants are passed in, and the time zone database is the
//! one compiled into the program. Tiers, and what a gap is compared with, live with the operator.

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
    /// `uid` is what `H` is picked from: the schedule's UID. The same text and UID give the same expression for ever.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its field and column; or an `H` without a `uid`.
    pub fn parse(text: &str, uid: Option<&str>) -> Result<Self, ParseError> {
        let (resolved, fields) = parse::expression(text, uid)?;
        Ok(Self { resolved, fields })
    }

    /// The expression as the `CronJob` gets it: as it was written, each `H` replaced.
    #[must_use]
    pub fn resolved(&self) -> &str {
        &self.resolved
    }

    /// Whether there is any date at all on which this fires; `0 0 30 2 *` has none.
    #[must_use]
    pub fn ever_fires(&self) -> bool {
        self.fields.ever_match()
    }

    /// The name of a field that matches nothing, so that this may never fire; `,` is one, and a `CronJob` takes it.
    #[must_use]
    pub fn empty_field(&self) -> Option<&'static str> {
        self.fields.empty()
    }

    /// The times at which this fires in `zone`, each after the one before, the first after `from`.
    ///
    /// As the controller's, the search ends when nothing is found in the five calendar years after a time: from
    /// 2096, `0 0 29 2 *` has no next time until 2099 has begun, since 2100 is not a leap year.
    #[must_use]
    pub fn upcoming(&self, zone: &TimeZone, from: Timestamp) -> Upcoming<'_> {
        Upcoming::new(&self.fields, zone.clone(), from)
    }

    /// The smallest gap and the fullest hour that can occur in `zone` from `from` on: over a full 400-year cycle of
    /// the calendar, with the zone's rules as the database has them. `None` when it never fires.
    #[must_use]
    pub fn tightest(&self, zone: &TimeZone, from: Timestamp) -> Option<Tightest> {
        gap::tightest(&self.fields, zone, from, gap::FULL_CYCLE)
    }
}
