//! The command line of `postern-sender`.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where the pod has the delivery's files.
const DEFAULT_ROOT: &str = "/postern";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Do what a pod is for.
    Run(Args),
    /// `--version`.
    Version,
    /// `--help`.
    Help,
}

/// What the pod is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// One delivery.
    Delivery(Purpose),
    /// Find out whether a pod like a delivery's can reach what must be out of reach.
    Canary,
}

/// What to do with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Send it.
    Deliver,
    /// Apply every check that could keep it from being sent, and open no connection.
    Check,
}

/// What to do, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Args {
    /// What the pod is for.
    pub task: Task,
    /// The folder with `delivery.json` and the mounted files, or with `probes.json`.
    pub root: PathBuf,
    /// Where to write the result, besides standard output; `None` means where Kubernetes looks for it.
    pub termination_log: Option<PathBuf>,
}

/// The command line can't be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// An option without its value.
    #[error("{0} needs a value")]
    ValueMissing(&'static str),
    /// Anything else. The message doesn't quote the argument: somebody may have pasted a URL.
    #[error("argument {0} is unknown; see --help")]
    Unknown(usize),
}

impl Command {
    /// What `--help` prints.
    pub const HELP: &str = "\
Makes one delivery and says what happened, as one line of JSON.

Usage: postern-sender [--check | --canary] [--root DIR] [--termination-log FILE]

  --check                  judge all that would keep the delivery from being sent, and send nothing
  --canary                 make no delivery, but see whether what probes.json names is out of reach
  --root DIR               the folder with delivery.json and the mounted files [default: /postern]
  --termination-log FILE   where to write the outcome too [default: /dev/termination-log, if it exists]
  --version                print the version
  --help                   print this

Environment: POSTERN_LOG=off|error|warn|info|debug|trace (default info), on standard error.
Exit codes: 0 delivered (or, with --check, nothing in the way; or, with --canary, it was seen), 1 broken, 2 usage, 10 refused, 11 failed permanently, 12 failed, 13 interrupted.";

    /// Reads the arguments, without the program's name.
    ///
    /// # Errors
    /// When an argument is unknown or lacks its value.
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
        let mut args =
            Args { task: Task::Delivery(Purpose::Deliver), root: DEFAULT_ROOT.into(), termination_log: None };
        let mut arguments = arguments.into_iter().enumerate();
        while let Some((at, argument)) = arguments.next() {
            let mut value =
                |name| arguments.next().map(|(_, value)| value.into()).ok_or(UsageError::ValueMissing(name));
            match argument.to_str() {
                Some("--check") => args.task = Task::Delivery(Purpose::Check),
                Some("--canary") => args.task = Task::Canary,
                Some("--root") => args.root = value("--root")?,
                Some("--termination-log") => {
                    args.termination_log = Some(value("--termination-log")?);
                }
                Some("--version") => return Ok(Command::Version),
                Some("--help") => return Ok(Command::Help),
                _ => return Err(UsageError::Unknown(at + 1)),
            }
        }
        Ok(Command::Run(args))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, UsageError> {
        Command::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn defaults_to_the_pods_folder() {
        let args = |task| Args { task, root: "/postern".into(), termination_log: None };
        assert_eq!(parse(&[]), Ok(Command::Run(args(Task::Delivery(Purpose::Deliver)))));
        assert_eq!(parse(&["--check"]), Ok(Command::Run(args(Task::Delivery(Purpose::Check)))));
        assert_eq!(parse(&["--canary"]), Ok(Command::Run(args(Task::Canary))));
    }

    #[test]
    fn takes_a_folder_and_a_file() {
        let task = Task::Delivery(Purpose::Deliver);
        let args = Args { task, root: "here".into(), termination_log: Some("log".into()) };
        assert_eq!(parse(&["--root", "here", "--termination-log", "log"]), Ok(Command::Run(args)));
        assert_eq!(parse(&["--version"]), Ok(Command::Version));
        assert_eq!(parse(&["--help"]), Ok(Command::Help));
    }

    #[test]
    fn names_what_it_does_not_understand_by_its_place() {
        assert_eq!(parse(&["--root"]), Err(UsageError::ValueMissing("--root")));
        assert_eq!(parse(&["--root", "here", "https://secret.example"]), Err(UsageError::Unknown(3)));
    }
}
