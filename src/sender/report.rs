//! Reports the result: to where Kubernetes looks for it, and to standard output.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

const KUBERNETES_TERMINATION_LOG: &str = "/dev/termination-log";

/// Writes one line of JSON to the termination log and to standard output.
///
/// Without a path, it writes to where Kubernetes mounts the termination log. Where that is missing (a run by hand), no file is
/// made.
///
/// # Errors
/// When either can't be written. Standard output is tried even if the termination log fails.
pub fn report(json: &str, termination_log: Option<&Path>) -> io::Result<()> {
    let written = match termination_log {
        Some(path) => std::fs::write(path, json),
        None => write_existing(Path::new(KUBERNETES_TERMINATION_LOG), json),
    };
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{json}").and_then(|()| stdout.flush()).and(written)
}

fn write_existing(path: &Path, text: &str) -> io::Result<()> {
    match File::options().write(true).truncate(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
