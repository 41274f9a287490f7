//! `postern cron`: when a schedule fires, and how close its deliveries get.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::cron::{Expression, ParseError, Tightest, UnknownTimeZone, time_zone};

/// Print when a schedule fires, its smallest gap, and its fields with every H resolved.
#[derive(clap::Args)]
pub struct Args {
    /// Five fields or a macro, as in spec.schedule.
    #[arg(long, required_unless_present = "input")]
    schedule: Option<String>,
    /// An IANA name, as in spec.timeZone.
    #[arg(long, default_value = UTC, conflicts_with = "input")]
    time_zone: String,
    /// Times after this one (RFC 3339); now when absent.
    #[arg(long, conflicts_with = "input")]
    from: Option<Timestamp>,
    /// How many times.
    #[arg(long, default_value_t = COUNT, value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_COUNT)), conflicts_with = "input")]
    count: u32,
    /// The schedule's UID, which H is picked from.
    #[arg(long, conflicts_with = "input")]
    uid: Option<String>,
    /// "-": read JSON Lines {"schedule", "timeZone", "from", "count", "uid"} from standard input, and answer each
    /// with one.
    #[arg(value_parser = ["-"], conflicts_with = "schedule")]
    input: Option<String>,
}

const UTC: &str = "UTC";
const COUNT: u32 = 5;
const MAX_COUNT: u32 = 10_000;

/// The question; these are also the fields of a line of standard input.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Question {
    schedule: String,
    #[serde(default)]
    time_zone: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    count: Option<u32>,
    #[serde(default)]
    uid: Option<String>,
}

/// The answer to a line.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    #[serde(rename_all = "camelCase")]
    Fires {
        resolved: String,
        next: Vec<String>,
        min_gap_seconds: Option<u64>,
        max_per_hour: u32,
    },
    Refused {
        error: String,
    },
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Schedule(#[from] ParseError),
    #[error(transparent)]
    TimeZone(#[from] UnknownTimeZone),
    #[error("from: {0:?} is not an RFC 3339 time such as 2026-03-29T00:00:00Z")]
    From(String),
    #[error("count: give at most {MAX_COUNT}, not {0}")]
    Count(u32),
    #[error("the line is not a question: {0}")]
    Json(#[from] serde_json::Error),
}

/// When the schedule fires.
struct Fires {
    expression: Expression,
    zone: TimeZone,
    next: Vec<Timestamp>,
    tightest: Option<Tightest>,
}

/// Runs the command.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    let now = Timestamp::now();
    let printed = match args.schedule {
        Some(schedule) => {
            let Args { time_zone, from, count, uid, .. } = args;
            answer_one(&schedule, &time_zone, from.unwrap_or(now), count, uid.as_deref())
        }
        None => answer_lines(io::stdin().lock(), io::stdout().lock(), now),
    };
    printed.unwrap_or_else(|error| {
        eprintln!("postern cron: {error}");
        ExitCode::from(2)
    })
}

fn answer_one(schedule: &str, zone: &str, from: Timestamp, count: u32, uid: Option<&str>) -> io::Result<ExitCode> {
    match fires(schedule, zone, from, count, uid) {
        Ok(fires) => {
            print(&mut io::stdout().lock(), &fires)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("postern cron: {error}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn answer_lines(input: impl BufRead, mut output: impl Write, now: Timestamp) -> io::Result<ExitCode> {
    let mut exit = ExitCode::SUCCESS;
    for line in input.lines() {
        let answer = answer(&line?, now).unwrap_or_else(|error| {
            exit = ExitCode::FAILURE;
            Answer::Refused { error: error.to_string() }
        });
        serde_json::to_writer(&mut output, &answer)?;
        writeln!(output)?;
        output.flush()?;
    }
    Ok(exit)
}

fn answer(line: &str, now: Timestamp) -> Result<Answer, Error> {
    let Question { schedule, time_zone, from, count, uid } = serde_json::from_str(line)?;
    let from = match from {
        Some(text) => text.parse().map_err(|_| Error::From(text))?,
        None => now,
    };
    let count = count.unwrap_or(COUNT);
    let fires = fires(&schedule, time_zone.as_deref().unwrap_or(UTC), from, count, uid.as_deref())?;
    Ok(Answer::Fires {
        resolved: fires.expression.resolved().to_owned(),
        next: fires.next.iter().map(Timestamp::to_string).collect(),
        min_gap_seconds: fires.tightest.map(|tightest| tightest.min_gap_seconds),
        max_per_hour: fires.tightest.map_or(0, |tightest| tightest.max_per_hour),
    })
}

fn fires(schedule: &str, zone: &str, from: Timestamp, count: u32, uid: Option<&str>) -> Result<Fires, Error> {
    if count > MAX_COUNT {
        return Err(Error::Count(count));
    }
    let expression = Expression::parse(schedule, uid)?;
    let zone = time_zone(zone)?;
    let next = expression.upcoming(&zone, from).take(count as usize).collect();
    let tightest = expression.tightest(&zone, from);
    Ok(Fires { expression, zone, next, tightest })
}

fn print(output: &mut impl Write, fires: &Fires) -> io::Result<()> {
    writeln!(output, "schedule          {}", fires.expression.resolved())?;
    match fires.tightest {
        Some(Tightest { min_gap_seconds, max_per_hour }) => {
            writeln!(output, "smallest gap      {min_gap_seconds} s")?;
            writeln!(output, "most in an hour   {max_per_hour}")?;
        }
        None => writeln!(output, "smallest gap      none: it never fires")?,
    }
    for time in &fires.next {
        let local = time.to_zoned_datetime(fires.zone.clone());
        writeln!(output, "{time}   {}", local.strftime("%a %Y-%m-%d %H:%M %:z"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(lines: &str) -> (Vec<serde_json::Value>, ExitCode) {
        let mut output = Vec::new();
        let now = "2026-11-24T00:00:00Z".parse().expect("a timestamp");
        let exit = answer_lines(lines.as_bytes(), &mut output, now).expect("it prints");
        let answers = String::from_utf8(output).expect("UTF-8");
        let answers = answers.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        (answers.collect(), exit)
    }

    #[test]
    fn answers_each_line_in_order() {
        let (answers, exit) = answers(
            r#"{"schedule":"30 1 * * *","timeZone":"America/New_York","from":"2026-10-31T12:00:00Z","count":2}
{"schedule":"61 * * * *"}
nonsense
{"schedule":"0 0 30 2 *"}
{"schedule":"@daily","from":"soon"}
{"schedule":"@daily","timeZone":"Mars/Base"}
{"schedule":"@daily","count":10001}
"#,
        );
        assert_eq!(
            answers[0],
            serde_json::json!({
                "resolved": "30 1 * * *",
                "next": ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"],
                "minGapSeconds": 3600,
                "maxPerHour": 1,
            })
        );
        assert_eq!(
            answers[3],
            serde_json::json!({"resolved": "0 0 30 2 *", "next": [], "minGapSeconds": null, "maxPerHour": 0})
        );
        for (line, word) in [(1, "minute field"), (2, "not a question"), (4, "RFC 3339"), (5, "Mars"), (6, "count")] {
            let error = answers[line]["error"].as_str().expect("an error");
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(exit, ExitCode::FAILURE);
    }

    #[test]
    fn counts_from_now_when_no_time_is_given() {
        let (answers, exit) = answers(r#"{"schedule":"H H * * *","uid":"a","count":1}"#);
        assert!(answers[0]["next"][0].as_str().is_some_and(|time| time.starts_with("2026-11-24T")));
        assert_eq!(exit, ExitCode::SUCCESS);
    }
}
