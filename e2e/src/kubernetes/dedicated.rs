//! Clusters for a single test that affects the whole cluster or breaks it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use super::Cluster;
use super::cluster::run_on;
use crate::handle::{dir_of, pid_of};
use crate::{program, repository};

/// Only one cluster starts at a time: two at once take longer than one after the other, and slow down the running clusters.
static START: Mutex<()> = Mutex::new(());

/// A cluster for a single test. It is ended when this is dropped.
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

    /// Runs a test on it, in its network and in a new namespace, and ends the cluster. The test gets the namespace's name.
    ///
    /// # Panics
    /// When the test panics.
    pub fn run<F: Future<Output = ()>>(self, test: impl FnOnce(Cluster, String) -> F + Send + 'static) {
        run_on(&self.name, test);
    }

    /// A cluster that isn't started, for a test of the command `cluster` itself. Its name is unique to this process.
    pub fn not_started(name: &str) -> Self {
        Self { name: format!("{name}-{}", std::process::id()) }
    }

    /// Starts etcd, API server and controller manager, and returns what the command printed.
    pub fn start_control_plane(&self) -> String {
        self.start(&["up", "--control-plane"])
    }

    fn start(&self, args: &[&str]) -> String {
        // After a failed start, the lock guards nothing that is half done.
        let _turn = START.lock().unwrap_or_else(PoisonError::into_inner);
        succeed(&self.command(args).output().unwrap())
    }

    /// Ends it, and returns what the command printed.
    pub fn down(&self) -> String {
        succeed(&self.command(&["down"]).output().unwrap())
    }

    /// The command `cluster` with these arguments and this cluster's name, run in the repository's folder.
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

    /// Its first process, as the machine numbers processes. The cluster must have been started.
    pub fn pid(&self) -> i32 {
        pid_of(&self.name)
    }
}

impl Drop for DedicatedCluster {
    fn drop(&mut self) {
        // A failure can't be reported here, and `make cluster-down` ends what is left.
        let _ = self.command(&["down"]).output();
    }
}

/// What a command printed. The command must have succeeded.
fn succeed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}
