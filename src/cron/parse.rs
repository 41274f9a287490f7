//! Parses text into fields, with robfig/cron v3's grammar as the `CronJob` API accepts it, and with `H`.
//!
//! It keeps the oddities too, since an expression that the API server accepts must mean the same here: empty items of a list are
//! skipped (a field of commas alone matches nothing), `*-anything` is `*`, `5/15` is `5-59/15`, numbers may have a sign and
//! leading zeros, and Sunday is 0 but never 7.

use super::field::{Field, Fields, Set};
use super::hash::{Place, pick};
use super::kind::{KINDS, Kind};

/// Why a text is not a schedule.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// An error within a field.
    #[error("{field} field, column {column}: {problem}")]
    Field {
        /// The field's name, as in "day-of-month".
        field: &'static str,
        /// The column in the text, in characters from 1.
        column: usize,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// The text doesn't have five fields.
    #[error("a schedule has five fields (minute hour day-of-month month day-of-week), found {0}")]
    FieldCount(usize),
    /// `@` followed by an unknown word.
    #[error("unknown macro {0:?}: known are {known}", known = MACROS.map(|(name, _)| name).join(", "))]
    UnknownMacro(String),
    /// `@every`, which a `CronJob` accepts but can't follow.
    #[error(
        "\"@every\" is not supported: its runs are counted from creation, and two within a minute would collide; \
         use fields, such as \"*/15 * * * *\""
    )]
    Every,
    /// `TZ`, which the API refuses everywhere in a schedule.
    #[error("a schedule can't hold a time zone (\"TZ\"): set timeZone instead")]
    TimeZone,
}

const MACROS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The expression with every `H` replaced, and its fields.
pub(super) fn expression(text: &str, uid: Option<&str>) -> Result<(String, Fields), ParseError> {
    if text.contains("TZ") {
        return Err(ParseError::TimeZone);
    }
    if text.starts_with("@every") {
        return Err(ParseError::Every);
    }
    if text.starts_with('@') {
        let (_, meaning) = MACROS
            .into_iter()
            .find(|&(name, _)| name == text)
            .ok_or_else(|| ParseError::UnknownMacro(text.to_owned()))?;
        let (_, fields) = expression(meaning, uid)?;
        return Ok((text.to_owned(), fields));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let words: [&str; 5] = words.try_into().map_err(|words: Vec<_>| ParseError::FieldCount(words.len()))?;
    let mut fields = [Field::default(); 5];
    let mut resolved = Vec::with_capacity(5);
    for ((kind, word), field) in KINDS.iter().zip(words).zip(&mut fields) {
        let mut reader = Reader { text, kind, uid, hashes: 0 };
        let (written, value) = reader.field(word)?;
        *field = value;
        resolved.push(written);
    }
    let [minutes, hours, days, months, weekdays] = fields;
    let fields = Fields { minutes: minutes.set, hours: hours.set, days, months: months.set, weekdays };
    Ok((resolved.join(" "), fields))
}

/// Reads one field of a text.
struct Reader<'a> {
    text: &'a str,
    kind: &'static Kind,
    uid: Option<&'a str>,
    /// How many `H`s have been read.
    hashes: u8,
}

/// A range of numbers with a step.
struct Range {
    first: u8,
    last: u8,
    step: u64,
}

impl Reader<'_> {
    /// Reads a list of items; returns its text with each `H` replaced, and what it matches.
    fn field(&mut self, word: &str) -> Result<(String, Field), ParseError> {
        let mut written = Vec::new();
        let mut field = Field::default();
        for item in word.split(',') {
            if item.is_empty() {
                written.push(String::new());
                continue;
            }
            let (text, range, star) = if let Some(rest) = item.strip_prefix('H') {
                let range = self.hashed(item, rest)?;
                let text = match range {
                    Range { first, last, .. } if first == last => first.to_string(),
                    Range { first, last, step } => format!("{first}-{last}/{step}"),
                };
                (text, range, false)
            } else {
                let (range, star) = self.plain(item)?;
                (item.to_owned(), range, star)
            };
            written.push(text);
            field.set.add(Set::range(range.first, range.last, range.step));
            field.star |= star;
        }
        Ok((written.join(","), field))
    }

    /// Reads `*`, `N`, `N-M`, each with or without `/step`; also returns whether it counts as a star.
    fn plain(&self, item: &str) -> Result<(Range, bool), ParseError> {
        let Kind { min, max, .. } = *self.kind;
        let (range, step) = self.split_step(item)?;
        let (low, high) = match range.split_once('-') {
            Some((low, high)) => (low, Some(high)),
            None => (range, None),
        };
        let star = matches!(low, "*" | "?");
        let (first, last) = match high {
            _ if star => (min, max),
            Some(high) => self.bounds(low, high)?,
            None => {
                let number = self.number(low)?;
                (number, if step.is_some() { max } else { number })
            }
        };
        let step = step.unwrap_or(1);
        Ok((Range { first, last, step }, star && step == 1))
    }

    /// Reads what follows an `H`: nothing, `(N-M)`, `/step` or both. Returns the resolved range.
    fn hashed(&mut self, item: &str, rest: &str) -> Result<Range, ParseError> {
        let Kind { name, index, min, hash_max, .. } = *self.kind;
        let (range, step) = self.split_step(rest)?;
        let (first, last) = if range.is_empty() {
            (min, hash_max)
        } else {
            let inner = range.strip_prefix('(').and_then(|range| range.strip_suffix(')'));
            let Some((low, high)) = inner.and_then(|inner| inner.split_once('-')) else {
                return Err(self.error(item, "after H comes a range in brackets or a step: H, H(0-29), H/15".into()));
            };
            self.bounds(low, high)?
        };
        let count = last - first + 1;
        let step = match step {
            None => None,
            Some(step) => match u8::try_from(step) {
                Ok(step) if step <= count => Some(step),
                _ => {
                    let problem = format!("the step of this H can be 1 to {count}, not {step}");
                    return Err(self.error(item, problem));
                }
            },
        };
        let Some(uid) = self.uid else {
            return Err(
                self.error(item, format!("H is picked from the schedule's UID, and none was given for the {name}"))
            );
        };
        let place = Place { field: index, nth: self.hashes };
        self.hashes = self.hashes.wrapping_add(1);
        Ok(match step {
            // In Jenkins a step of 1 is the same as no step: one number.
            None | Some(1) => {
                let number = first + pick(uid, place, count);
                Range { first: number, last: number, step: 1 }
            }
            Some(step) => Range { first: first + pick(uid, place, step), last, step: u64::from(step) },
        })
    }

    /// The text before a `/`, and the step after it.
    fn split_step<'t>(&self, item: &'t str) -> Result<(&'t str, Option<u64>), ParseError> {
        let Some((range, step)) = item.split_once('/') else {
            return Ok((item, None));
        };
        if step.contains('/') {
            return Err(self.error(step, "only one step (/) is allowed".into()));
        }
        match step.parse::<i64>().map(u64::try_from) {
            Ok(Ok(number @ 1..)) => Ok((range, Some(number))),
            _ => Err(self.error(step, format!("a step is a number from 1, not {step:?}"))),
        }
    }

    fn bounds(&self, low: &str, high: &str) -> Result<(u8, u8), ParseError> {
        if high.contains('-') {
            return Err(self.error(high, "a range has two ends: only one hyphen is allowed".into()));
        }
        let (first, last) = (self.number(low)?, self.number(high)?);
        if first > last {
            let problem =
                format!("the range {low}-{high} ends before it begins: write it as two, separated by a comma");
            return Err(self.error(low, problem));
        }
        Ok((first, last))
    }

    /// A number or a name.
    fn number(&self, text: &str) -> Result<u8, ParseError> {
        let Kind { min, max, names, .. } = *self.kind;
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(position) => u8::try_from(position).ok().map(|position| min + position),
            None => text.parse::<i64>().ok().and_then(|number| u8::try_from(number).ok()),
        };
        number.filter(|number| (min..=max).contains(number)).ok_or_else(|| {
            let or_name = match names {
                [first, .., last] => format!(" or a name from {first} to {last}"),
                _ => String::new(),
            };
            let or_list = if min == 0 && max == 6 && text == "7" { "; Sunday is 0" } else { "" };
            self.error(text, format!("{text:?} is not allowed: give a number from {min} to {max}{or_name}{or_list}"))
        })
    }

    /// An error at `part`, which is a slice of the text.
    fn error(&self, part: &str, problem: String) -> ParseError {
        let offset = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let column = self.text.get(..offset).map_or(0, |before| before.chars().count()) + 1;
        ParseError::Field { field: self.kind.name, column, problem }
    }
}
