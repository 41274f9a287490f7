//! `postern crds`: the CRDs, for `kubectl apply --server-side --force-conflicts -f -`.

use std::process::ExitCode;

use crate::api::Crd;

/// Prints the CRDs as YAML.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print this one only
    #[arg(value_enum)]
    name: Option<Name>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Name {
    #[value(name = "webhookschedules")]
    WebhookSchedules,
    #[value(name = "webhooktiers")]
    WebhookTiers,
}

/// Prints the CRDs. The exit code is 0, or 1 when a CRD can't be written.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let crds = match args.name {
        None => Crd::ALL.to_vec(),
        Some(Name::WebhookSchedules) => vec![Crd::WebhookSchedules],
        Some(Name::WebhookTiers) => vec![Crd::WebhookTiers],
    };
    let documents: Result<Vec<String>, _> = crds.into_iter().map(Crd::yaml).collect();
    match documents {
        Ok(documents) => {
            print!("{}", documents.join("---\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("postern: {error}");
            ExitCode::FAILURE
        }
    }
}
