//! `postern operator`: the process that runs in the cluster.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kube::{Client, Config};
use tokio::signal::unix::{SignalKind, signal};

use crate::operator::manager;
use crate::operator::server::watchdog;
use crate::operator::settings::{OperatorAddresses, Settings};
use crate::sender;

/// Turn the cluster's `WebhookSchedules` into deliveries, until told to end
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration, as YAML
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The addresses of the pod that this runs in: canaries try to reach it
    #[arg(long, env = "POD_IPS", value_name = "IPS", value_delimiter = ',', hide_env_values = true)]
    pod_ips: Vec<IpAddr>,
    /// The addresses of its node: canaries try to reach the kubelet
    #[arg(long, env = "NODE_IPS", value_name = "IPS", value_delimiter = ',', hide_env_values = true)]
    node_ips: Vec<IpAddr>,
}

/// Runs until SIGTERM or SIGINT. Returns 0 then, and 1 when it could not start or go on. The watchdog ends the process with 70.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    sender::log_to_stderr();
    match start(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tracing::error!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &Args) -> Result<(), String> {
    let here = OperatorAddresses { pod_ips: args.pod_ips.clone(), node_ips: args.node_ips.clone() };
    let settings = Settings { here, ..settings(&args.config)? };
    let process = async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
        let config = Config::infer().await.map_err(no_way)?;
        let connect = move || client(config.clone());
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("received the signal to stop");
        };
        manager::run(connect, settings, stop).await.map_err(|e| e.to_string())
    };
    watchdog::block_on(process).map_err(|e| format!("the process's threads can't be started: {e}"))?
}

/// Reads the configuration.
pub(super) fn settings(config: &Path) -> Result<Settings, String> {
    let path = config.display();
    let text = std::fs::read_to_string(config).map_err(|e| format!("{path} can't be read: {e}"))?;
    // In a container without this file, there is no name server to report.
    let resolv_conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    Settings::read(&text, &resolv_conf).map_err(|e| format!("{path}: {e}"))
}

/// A client for a command that ends by itself, for the cluster that this process runs in or that its kubeconfig names.
pub(super) async fn connect() -> Result<Client, String> {
    Client::try_default().await.map_err(no_way)
}

/// A client that sends nothing twice. By default, kube repeats a request that was answered with 429, 503 or 504, for minutes; if
/// a Secret was created despite such an answer, the repeated request's 409 would look as if the Secret were somebody else's. The
/// caller tries again whatever fails.
fn client(mut config: Config) -> Result<Client, kube::Error> {
    config.default_retry = false;
    Client::try_from(config)
}

fn no_way(error: impl std::fmt::Display) -> String {
    format!("no connection to the API server: {error}")
}

#[cfg(test)]
mod tests;
