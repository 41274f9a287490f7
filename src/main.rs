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
    Check(cli::check::Args),
    Crds(cli::crds::Args),
    Operator(cli::operator::Args),
    Uninstall(cli::uninstall::Args),
    Keygen(cli::keygen::Args),
    Verify(cli::verify::Args),
    Cron(cli::cron::Args),
}

fn main() -> ExitCode {
    match Postern::parse().command {
        Command::Check(args) => cli::check::run(&args),
        Command::Crds(args) => cli::crds::run(&args),
        Command::Operator(args) => cli::operator::run(&args),
        Command::Uninstall(args) => cli::uninstall::run(&args),
        Command::Keygen(args) => cli::keygen::run(&args),
        Command::Verify(args) => cli::verify::run(&args),
        Command::Cron(args) => cli::cron::run(args),
    }
}
