//! The `postern` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use postern::cli;

/// Scheduled webhooks for Kubernetes.
#[derive(Parser)]
#[command(version)]
struct Postern {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Cron(cli::cron::Args),
}

fn main() -> ExitCode {
    match Postern::parse().command {
        Command::Cron(args) => cli::cron::run(args),
    }
}
