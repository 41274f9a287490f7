//! A running cluster as the machine that runs it sees it: a folder, a process, and commands.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{program, repository};

/// A running cluster of this checkout.
#[derive(Clone, Debug)]
pub struct ClusterHandle {
    /// The folder with its logs, keys and kubeconfigs.
    pub dir: PathBuf,
    /// Its first process, by the machine's numbering.
    pub pid: i32,
}

/// The folder of a cluster of this checkout.
pub(crate) fn dir_of(name: &str) -> PathBuf {
    repository().join("e2e/.work/clusters").join(name)
}

/// The first process of a cluster, as its record names it.
pub(crate) fn pid_of(name: &str) -> i32 {
    let path = dir_of(name).join("record.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| {
        panic!("{}: {e}; `make test-e2e` starts the cluster that these tests run on", path.display())
    });
    let record: Value = serde_json::from_str(&text).unwrap();
    i32::try_from(record["pid"].as_i64().unwrap()).unwrap()
}

impl ClusterHandle {
    /// The running cluster of that name.
    pub fn open(name: &str) -> Self {
        Self { dir: dir_of(name), pid: pid_of(name) }
    }

    /// Runs `kubectl` or `helm`, as admin unless the arguments name another kubeconfig.
    ///
    /// # Errors
    /// What the command complains about, when it fails. When it succeeds, its output is returned.
    pub fn run(&self, command: &[&str], input: &str) -> Result<String, String> {
        let Output { status, stdout, stderr } = self.output(command, input);
        if status.success() { Ok(text(stdout)) } else { Err(text(stderr)) }
    }

    /// Runs a command whose words have no blanks in them, as [`run`](Self::run) does.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_line(&self, command: &str) -> Result<String, String> {
        self.run(&command.split_whitespace().collect::<Vec<_>>(), "")
    }

    /// Runs such a command, which must succeed, and returns what it prints.
    pub fn must_run(&self, command: &str) -> String {
        self.run_line(command).unwrap_or_else(|complaint| panic!("{command}: {complaint}"))
    }

    /// Runs a command that lists objects and then looks at each. Objects that have been deleted meanwhile are left out of the
    /// result.
    ///
    /// # Errors
    /// What the command complains about, unless it is about a deleted object.
    pub fn run_without_what_is_gone(&self, command: &[&str]) -> Result<String, String> {
        let Output { status, stdout, stderr } = self.output(command, "");
        let (said, complaints) = (text(stdout), text(stderr));
        let is_gone = |line: &str| line.starts_with("Error from server (NotFound): ");
        let only_gone = !complaints.is_empty() && complaints.lines().all(is_gone);
        if status.success() || (only_gone && !said.is_empty()) { Ok(said) } else { Err(complaints) }
    }

    fn output(&self, command: &[&str], input: &str) -> Output {
        let mut process = Command::new(program("cluster"))
            .arg("exec")
            .arg(self.dir.file_name().unwrap())
            .args(command)
            .current_dir(repository())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that ends before it has read its input says what is wrong.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
        process.wait_with_output().unwrap()
    }

    /// Writes `NAME.kubeconfig` for a user with these credentials (a kubeconfig's `user`), and with this namespace as the
    /// default.
    pub fn write_kubeconfig(&self, name: &str, credentials: Value, namespace: &str) -> PathBuf {
        // The kubeconfig is JSON, which is YAML too.
        let admins = fs::read_to_string(self.dir.join("admin.kubeconfig")).unwrap();
        let mut config: Value = serde_json::from_str(&admins).unwrap();
        config["users"][0]["user"] = credentials;
        config["contexts"][0]["context"]["namespace"] = namespace.into();
        let path = self.dir.join(format!("{name}.kubeconfig"));
        fs::write(&path, config.to_string()).unwrap();
        path
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}
