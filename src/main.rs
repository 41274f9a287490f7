//! The `postern` command.

use clap::Parser;

/// Scheduled webhooks for Kubernetes.
#[derive(Parser)]
#[command(version)]
struct Postern {}

fn main() {
    let Postern {} = Postern::parse();
}
