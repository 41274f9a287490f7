//! `postern uninstall`: what must be done before the operator is deleted.

use std::path::PathBuf;
use std::process::ExitCode;

use super::operator::{connect, settings};
use crate::operator::uninstall::uninstall;

/// End the operators and suspend every `CronJob`, so that nothing fires unwatched; the chart's pre-delete hook
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The operator's configuration, as YAML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The operators' Deployment
    #[arg(long, value_name = "NAME", env = "POSTERN_DEPLOYMENT", default_value = "postern-operator")]
    deployment: String,
}

/// Runs until it is done. Returns 0 then, and 1 when something could not be done.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("postern uninstall: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> Result<(), String> {
    let settings = settings(&args.config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let client = connect().await?;
        Box::pin(uninstall(client, &settings, &args.deployment)).await.map_err(|e| e.to_string())
    })
}
