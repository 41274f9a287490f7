//! Commands on a cluster, as people give them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::Cluster;

impl Cluster {
    /// Runs `kubectl` or `helm`, as admin unless the arguments name another kubeconfig: what it prints when it succeeds, else
    /// what it complains of.
    pub fn run(&self, command: &[&str], input: &str) -> Result<String, String> {
        let mut process = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/.work/bin/cluster"))
            .arg("exec")
            .arg(self.dir.file_name().unwrap())
            .args(command)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let Output { status, stdout, stderr } = process.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        if status.success() { Ok(text(stdout)) } else { Err(text(stderr)) }
    }
}
