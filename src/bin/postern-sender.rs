//! The program that the `CronJob`s run, for one delivery or the check of one, and that canaries run.

use std::process::ExitCode;

use postern::sender::{self, Command, Task};

/// The command line can't be understood; no outcome is written.
const USAGE: u8 = 2;
/// The system couldn't start it, a canary couldn't read its instructions, or the outcome could not be written where Kubernetes
/// looks for it.
const BROKEN: u8 = 1;

fn main() -> ExitCode {
    match Command::parse(std::env::args_os().skip(1)) {
        Ok(Command::Run(args)) => run(&args).unwrap_or_else(|error| {
            eprintln!("postern-sender: {}", error.kind());
            ExitCode::from(BROKEN)
        }),
        Ok(Command::Version) => {
            println!("postern-sender {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Command::Help) => {
            println!("{}", Command::HELP);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("postern-sender: {error}");
            ExitCode::from(USAGE)
        }
    }
}

fn run(args: &sender::Args) -> std::io::Result<ExitCode> {
    sender::log_to_stderr();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (json, exit_code) = match args.task {
        Task::Delivery(purpose) => {
            let outcome = runtime.block_on(sender::run(&args.root, purpose))?;
            (outcome.to_json(), outcome.outcome.exit_code())
        }
        Task::Canary => (serde_json::to_string(&runtime.block_on(sender::explore(&args.root))?)?, 0),
    };
    sender::report(&json, args.termination_log.as_deref())?;
    Ok(ExitCode::from(exit_code))
}
