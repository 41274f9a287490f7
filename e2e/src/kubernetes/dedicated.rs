//! Clusters for a single test, which concerns all of a cluster or breaks it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use super::Cluster;
use super::cluster::run_on;
use crate::handle::{dir_of, pid_of};
use crate::{program, repository};

/// Only one cluster starts at a time: two starts at once take longer than one after the other, and slow down the clusters that
/// run.
static START: Mutex<()> = Mutex::new(());

/// A cluster for a single test. It ends when this is dropped.
pub struct DedicatedCluster {
    name: String,
}

impl DedicatedCluster {
    /// Starts etcd, API server and controller manager, for a test that needs no node.
    pub fn control_plane(name: &str) -> Self {
        let cluster = Self::not_started(name);
        cluster.start_control_plane();
        cluster
    }

    /// Starts a whole cluster.
    pub fn with_node(name: &str) -> Self {
        let cluster = Self::not_started(name);
        cluster.start(&["up"]);
        cluster
    }

    /// Starts a whole cluster, and loads the images of the operator and the sender.
    pub fn with_images(name: &str) -> Self {
        let cluster = Self::with_node(name);
        for image in ["e2e/images/postern", "e2e/images/postern-sender"] {
            succeed(&cluster.command(&["image", image]).output().unwrap());
        }
        cluster
    }

    /// Runs a test on it, in its network and in a namespace whose name the test is given, and ends it.
    ///
    /// # Panics
    /// When the test does.
    pub fn run<F: Future<Output = ()>>(self, test: impl FnOnce(Cluster, String) -> F + Send + 'static) {
        run_on(&self.name, test);
    }

    /// A cluster that isn't started, for a test of the command `cluster` itself. Its name is unique to this process.
    pub fn not_started(name: &str) -> Self {
        Self { name: format!("{name}-{}", std::process::id()) }
    }

    /// Starts etcd, API server and controller manager, and returns what was printed.
    pub fn start_control_plane(&self) -> String {
        self.start(&["up", "--control-plane"])
    }

    fn start(&self, args: &[&str]) -> String {
        // A start that failed leaves nothing half done that the lock would guard.
        let _turn = START.lock().unwrap_or_else(PoisonError::into_inner);
        succeed(&self.command(args).output().unwrap())
    }

    /// Ends it, and returns what was printed.
    pub fn down(&self) -> String {
        succeed(&self.command(&["down"]).output().unwrap())
    }

    /// The command `cluster` with these arguments and this cluster's name, in the repository's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program("cluster"));
        command.args(args).arg(&self.name).current_dir(repository());
        command
    }

    /// Its name for the command `cluster`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder with its logs, keys and kubeconfigs.
    pub fn dir(&self) -> PathBuf {
        dir_of(&self.name)
    }

    /// Its first process, by the machine's numbering. It must have been started.
    pub fn pid(&self) -> i32 {
        pid_of(&self.name)
    }
}

impl Drop for DedicatedCluster {
    fn drop(&mut self) {
        // Nobody is left to tell of a failure, and `make cluster-down` ends what is left.
        let _ = self.command(&["down"]).output();
    }
}

/// What a command printed, which must have succeeded.
fn succeed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}
