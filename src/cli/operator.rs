//! `postern operator`: the process that runs in the cluster.

use std::path::PathBuf;
use std::process::ExitCode;

use kube::Client;
use tokio::signal::unix::{SignalKind, signal};

use crate::operator::settings::Settings;
use crate::{operator, sender};

/// Turn the cluster's `WebhookSchedules` into deliveries, until told to end
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration, as YAML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs until SIGTERM or SIGINT: 0 then, 1 when it could not start.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    sender::log_to_stderr();
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("postern operator: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> Result<(), String> {
    let path = args.config.display();
    let text = std::fs::read_to_string(&args.config).map_err(|e| format!("{path} can't be read: {e}"))?;
    // A container without one has no name server to tell.
    let resolv_conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let settings = Settings::read(&text, &resolv_conf).map_err(|e| format!("{path}: {e}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
        let client = Client::try_default().await.map_err(|e| format!("no way to the API server: {e}"))?;
        operator::run(client, settings, async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
        Ok(())
    })
}
