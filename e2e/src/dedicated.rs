//! Clusters of a test's own.

use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use super::{program, repository};

/// Only one cluster starts at a time: two take longer than one after the other, and starve those that run.
static START: Mutex<()> = Mutex::new(());

/// A cluster of the test's own. It ends when this is dropped.
pub struct DedicatedCluster {
    /// By which `cluster` knows it.
    pub name: String,
}

impl DedicatedCluster {
    /// One that isn't started yet, for the test of this name in this process.
    pub fn new(name: &str) -> Self {
        Self { name: format!("{name}-{}", std::process::id()) }
    }

    /// The command `cluster` about it, in the repository's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program("cluster"));
        command.args(args).arg(&self.name).current_dir(repository());
        command
    }

    /// Starts all of it, and loads Postern's images.
    pub fn up_with_images(&self) {
        self.up_with_node();
        for image in ["e2e/images/postern", "e2e/images/postern-sender"] {
            succeed(&self.command(&["image", image]).output().unwrap());
        }
    }

    /// Starts all of it.
    pub fn up_with_node(&self) {
        self.start(&["up"]);
    }

    /// Starts a control plane, without a node, and returns what was printed.
    pub fn up(&self) -> String {
        self.start(&["up", "--control-plane"])
    }

    fn start(&self, args: &[&str]) -> String {
        // It guards nothing that a failed start could have left half done.
        let _turn = START.lock().unwrap_or_else(PoisonError::into_inner);
        succeed(&self.command(args).output().unwrap())
    }

    /// Ends it, and returns what was printed.
    pub fn down(&self) -> String {
        succeed(&self.command(&["down"]).output().unwrap())
    }
}

impl Drop for DedicatedCluster {
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
