//! Git repositories that Argo CD syncs from.

use std::fs;
use std::process::Command;

use postern_e2e::repository;
use tempfile::TempDir;

/// A Git repository in a temporary folder.
pub struct Repository {
    folder: TempDir,
}

impl Repository {
    /// A repository without a commit.
    pub fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// A copy of what an installation takes of this repository, with the images of the test cluster set in it, as an admin does
    /// with their own. Its tier `premium` allows deliveries to the cluster's internet.
    pub fn of_postern() -> Self {
        let own = Self::new();
        let copy = Command::new("cp")
            .args(["-r", "config", "charts"])
            .arg(own.folder.path())
            .current_dir(repository())
            .status();
        assert!(copy.unwrap().success());
        for (image, files) in [
            ("postern-operator:0.1.0", ["config/manager/deployment.yaml", "config/uninstall/job.yaml"]),
            ("postern-sender:0.1.0", ["config/manager/configmap.yaml", "config/admission/confine-senders.yaml"]),
        ] {
            let built = image.replace("postern-operator", "postern").replace("0.1.0", "latest");
            for file in files {
                own.replace(file, image, &format!("postern.dev/e2e/{built}"));
            }
        }
        own.replace("config/tiers/premium.yaml", "spec:\n", "spec:\n  allowedCIDRs: [203.0.113.0/24]\n");
        own
    }

    /// Where Argo CD finds it.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }

    /// What a file says.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    /// Writes a file.
    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.path().join(file), text).unwrap();
    }

    /// Replaces a text that a file has.
    #[track_caller]
    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let before = self.read(file);
        assert!(before.contains(from), "{file} has no {from:?}");
        self.write(file, &before.replace(from, to));
    }

    /// Removes a file.
    pub fn remove(&self, file: &str) {
        fs::remove_file(self.folder.path().join(file)).unwrap();
    }

    /// Commits all changes.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["-c", "user.name=admin", "-c", "user.email=admin@example.com", "commit", "--quiet", "-m", message]);
    }

    /// Commits all changes, and gives the commit a tag.
    pub fn release(&self, tag: &str) {
        self.commit(tag);
        self.git(&["tag", tag]);
    }

    fn git(&self, args: &[&str]) {
        let output = Command::new("git").args(args).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
