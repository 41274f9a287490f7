//! Clusters of a test's own.

use std::path::Path;
use std::process::{Command, Output};

/// A cluster of the test's own. It ends with the test.
pub struct Own {
    pub name: String,
}

impl Own {
    pub fn new(name: &str) -> Self {
        Self { name: format!("{name}-{}", std::process::id()) }
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/.work/bin/cluster"));
        command.args(args).arg(&self.name);
        command
    }

    /// Starts all of it, and loads Postern's images.
    pub fn up_with_images(&self) {
        self.up_with_node();
        for image in ["e2e/images/postern", "e2e/images/postern-sender"] {
            succeed(&self.command(&["image", image]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap());
        }
    }

    /// Starts all of it.
    pub fn up_with_node(&self) {
        succeed(&self.command(&["up"]).output().unwrap());
    }

    /// Starts a control plane, without a node, and returns what was printed.
    pub fn up(&self) -> String {
        succeed(&self.command(&["up", "--control-plane"]).output().unwrap())
    }

    pub fn down(&self) -> String {
        succeed(&self.command(&["down"]).output().unwrap())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.command(&["down"]).output();
    }
}

/// What a command that succeeded printed.
fn succeed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}
