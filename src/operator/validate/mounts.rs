//! The sender's files: which key of which object is mounted where.

use crate::api::{ConfigMapOrSecretKey, KeyRef};
use crate::delivery::{self, FileRef, Origin};

/// Collects mounts while the parts of a delivery are built.
#[derive(Default)]
pub(super) struct Mounts(pub(super) Vec<FileRef>);

impl Mounts {
    /// Mounts a key of a Secret.
    pub(super) fn secret(&mut self, path: String, key: &KeyRef) -> FileRef {
        self.mount(path, Origin::Secret(key_ref(key)))
    }

    /// Mounts a key of a ConfigMap.
    pub(super) fn config_map(&mut self, path: String, key: &KeyRef) -> FileRef {
        self.mount(path, Origin::ConfigMap(key_ref(key)))
    }

    /// Mounts whichever of the two is given; `None` when neither is given.
    pub(super) fn either(&mut self, path: String, from: &ConfigMapOrSecretKey) -> Option<FileRef> {
        match (&from.secret_key_ref, &from.config_map_key_ref) {
            (Some(key), None) => Some(self.secret(path, key)),
            (None, Some(key)) => Some(self.config_map(path, key)),
            _ => None,
        }
    }

    fn mount(&mut self, path: String, from: Origin) -> FileRef {
        let file = FileRef { path, from };
        self.0.push(file.clone());
        file
    }
}

fn key_ref(key: &KeyRef) -> delivery::KeyRef {
    delivery::KeyRef { name: key.name.clone(), key: key.key.clone() }
}
