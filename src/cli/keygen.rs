//! `postern keygen`: a new signing key.

use std::process::ExitCode;

use crate::signing::SigningKey;

/// Makes a signing key.
///
/// The key alone goes to standard output, so that it can be piped into a Secret; the fingerprint, and the public key
/// that the receiver needs for v1a, go to standard error.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What it signs: v1 (HMAC-SHA256; sender and receiver share the key) or v1a (ed25519)
    #[arg(long, value_enum, default_value = "v1")]
    scheme: Scheme,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Scheme {
    V1,
    V1a,
}

/// Prints a new key. The exit code is 0, or 1 when the system's random source fails.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let text = match args.scheme {
        Scheme::V1 => SigningKey::generate_hmac(),
        Scheme::V1a => SigningKey::generate_ed25519(),
    };
    let Ok(text) = text else {
        eprintln!("postern: the system's random source gives nothing");
        return ExitCode::FAILURE;
    };
    match SigningKey::parse(text.as_bytes()) {
        Ok(key) => {
            println!("{}", *text);
            if let SigningKey::Ed25519(key) = &key {
                eprintln!("public key:  {}", key.public());
            }
            eprintln!("fingerprint: {}", key.fingerprint());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("postern: the new key can't be used: {error}");
            ExitCode::FAILURE
        }
    }
}
