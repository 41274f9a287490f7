//! A delivery's folder, as a pod has it, and the sender that runs on it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use postern::delivery::{Outcome, OutcomeClass};
use postern_e2e_receiver::Receiver;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A file that is mounted from the Secret `report-hook`.
pub(crate) fn secret(path: &str, key: &str) -> Value {
    json!({"path": path, "from": {"secret": {"name": "report-hook", "key": key}}})
}

/// A delivery's folder as a pod has it.
pub(crate) struct Folder {
    dir: TempDir,
    /// What `delivery.json` will be.
    pub(crate) delivery: Value,
}

/// What a run of the sender left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) output: String,
}

impl Folder {
    /// An unsigned delivery to the receiver. It trusts the receiver's authority and doesn't wait between attempts.
    pub(crate) fn to(receiver: &Receiver) -> Folder {
        let folder = Folder {
            dir: TempDir::new().unwrap(),
            delivery: json!({
                "version": 1,
                "schedule": {"name": "nightly", "namespace": "team-a", "uid": "6d3f2b54-9a0e-4c55-8c62-0e7b0f5f5a11"},
                "run": {"scheduled": {"startingDeadlineSeconds": 300}},
                "url": secret("url", "url"),
                "method": "POST",
                "tls": {"caBundle": {"path": "tls/ca.crt", "from": {"configMap": {"name": "our-ca", "key": "ca.crt"}}}},
                "retries": {
                    "attempts": 3,
                    "timeoutSeconds": 20,
                    "backoff": {"minSeconds": 0, "maxSeconds": 0},
                    "totalDeadlineSeconds": 60,
                },
                "egress": {"allowedCIDRs": ["127.0.0.0/8"], "allowedPorts": [receiver.port]},
                "maxBodyBytes": 1024,
            }),
        };
        folder.write("url", format!("https://127.0.0.1:{}/hook?token=t\n", receiver.port));
        folder.write("job-name", format!("postern-nightly-{}", now() / 60));
        folder.write("tls/ca.crt", &receiver.certificates.ca_pem);
        folder
    }

    /// The same delivery to another port, where something else listens.
    pub(crate) fn to_port(receiver: &Receiver, port: u16) -> Folder {
        let mut folder = Folder::to(receiver);
        folder.delivery["egress"]["allowedPorts"] = json!([port]);
        folder.write("url", format!("https://127.0.0.1:{port}/hook"));
        folder
    }

    /// Makes the delivery due on the full second that comes in `seconds` at the latest, with the longest lead. Returns that second.
    pub(crate) fn due_in(&mut self, seconds: u64) -> u64 {
        let due = now() + seconds;
        self.write("job-name", format!("postern-nightly-{}", due / 60));
        self.delivery["run"]["scheduled"]["offsetSeconds"] = json!(due % 60);
        self.delivery["run"]["scheduled"]["leadSeconds"] = json!(30);
        due
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub(crate) fn set_inline_body(&mut self, content_type: &str, text: &str) {
        self.delivery["body"] = json!({"contentType": content_type, "source": {"inline": text}});
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn spawn(&self) -> Child {
        self.spawn_with(&[])
    }

    fn spawn_with(&self, arguments: &[&str]) -> Child {
        self.write("delivery.json", self.delivery.to_string());
        Command::new(env!("CARGO_BIN_EXE_postern-sender"))
            .env_clear()
            // Everything that could make another client log more, or connect elsewhere.
            .envs([("POSTERN_LOG", "trace"), ("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")])
            .envs(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "http_proxy"].map(|name| (name, "http://127.0.0.1:1")))
            .arg("--root")
            .arg(self.dir.path())
            .arg("--termination-log")
            .arg(self.path("termination-log"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs the sender and checks its output against the sender's own rules.
    pub(crate) fn run(&self) -> Ran {
        self.ran(self.spawn())
    }

    /// The same with `--check`.
    pub(crate) fn check(&self) -> Ran {
        self.ran(self.spawn_with(&["--check"]))
    }

    pub(crate) fn ran(&self, child: Child) -> Ran {
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        let termination_log = fs::read_to_string(self.path("termination-log")).unwrap();
        assert_eq!(stdout.lines().last().unwrap(), termination_log, "{stderr}");
        for line in stderr.lines() {
            assert!(serde_json::from_str::<Value>(line).unwrap().is_object(), "{line}");
        }
        let outcome = Outcome::parse(termination_log.as_bytes()).unwrap();
        assert_eq!(status.code(), Some(outcome.outcome.exit_code().into()), "{outcome:?}");
        Ran { outcome, output: format!("{stdout}{stderr}{termination_log}") }
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn assert(&self, class: OutcomeClass, reason: &str) {
        assert_eq!((self.outcome.outcome, self.outcome.reason.as_str()), (class, reason), "{:?}", self.outcome);
    }
}
