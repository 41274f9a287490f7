//! Where files are in the repository.

use std::path::{Path, PathBuf};

/// The repository's folder.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A program that `make` has built: `cluster` and the programs that it needs, such as `kubectl`, and `postern` and
/// `postern-sender` as they are shipped.
pub fn program(name: &str) -> PathBuf {
    repository().join("e2e/.work/bin").join(name)
}
