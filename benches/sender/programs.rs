//! The two programs, and the same request for both.

use std::fs;
use std::path::{Path, PathBuf};

use postern::delivery::Timestamp;
use postern::signing::{DeliveryId, Signer, SigningKey};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const NAMES: [&str; 2] = ["postern-sender", "curl"];
pub(crate) const BODY: &str = r#"{"type":"report.due","timestamp":"2026-01-01T02:00:00Z","data":{}}"#;

const ID: &str = "msg_bench1";
const SCHEDULED_TIME: &str = "2026-01-01T02:00:00Z";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATH: &str = "/hook?token=t";

pub(crate) struct Programs {
    sender: PathBuf,
    url: String,
    folder: TempDir,
}

impl Programs {
    pub(crate) fn new(sender: &Path, host: &str, ca_pem: &str) -> Programs {
        let programs = Programs {
            sender: sender.to_owned(),
            url: format!("https://{host}{PATH}"),
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, content) in [
            ("delivery.json", delivery().to_string().as_str()),
            ("url", &programs.url),
            ("key", KEY),
            ("ca.crt", ca_pem),
            ("body", BODY),
        ] {
            fs::write(programs.folder.path().join(name), content).unwrap();
        }
        programs
    }

    /// The commands in the order of [`NAMES`]. The sender reads its folder and signs; curl is told what to send.
    pub(crate) fn commands(&self) -> [Vec<String>; 2] {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let sender = [
            self.sender.display().to_string(),
            "--root".to_owned(),
            self.folder.path().display().to_string(),
            "--termination-log".to_owned(),
            file("termination-log"),
        ];
        // Without -q and --noproxy, curl would look for a configuration and for proxies; the sender does neither.
        let curl = ["curl", "-q", "--noproxy", "*", "--silent", "--fail"].map(str::to_owned);
        let what = [
            "--request".to_owned(),
            "POST".to_owned(),
            "--cacert".to_owned(),
            file("ca.crt"),
            "--data-binary".to_owned(),
            format!("@{}", file("body")),
        ];
        let headers = headers().into_iter().flat_map(|line| ["--header".to_owned(), line]);
        let curl = curl.into_iter().chain(what).chain(headers).chain([self.url.clone()]);
        [sender.to_vec(), curl.collect()]
    }
}

/// The headers that the sender sends in addition to those that curl sends by itself.
fn headers() -> Vec<String> {
    let key = SigningKey::parse(KEY.as_bytes()).unwrap();
    let signer = Signer::standard_webhooks(vec![key]).unwrap();
    let id: DeliveryId = ID.to_owned().try_into().unwrap();
    let scheduled_time: Timestamp = SCHEDULED_TIME.parse().unwrap();
    // The receiver doesn't check the signature's age.
    let signature = signer.sign(&id, scheduled_time.unix(), BODY.as_bytes());
    let mut lines = vec![
        "Content-Type: application/json".to_owned(),
        "Connection: close".to_owned(),
        format!("Idempotency-Key: {id}"),
        format!("Postern-Scheduled-Time: {scheduled_time}"),
    ];
    lines.extend(signature.iter().map(|header| format!("{}: {}", header.name, header.value)));
    lines
}

fn delivery() -> Value {
    let secret = |key: &str| json!({"path": key, "from": {"secret": {"name": "bench", "key": key}}});
    json!({
        "version": 1,
        "schedule": {"name": "bench", "namespace": "bench", "uid": "bench"},
        "run": {"triggered": {"id": ID, "scheduledTime": SCHEDULED_TIME}},
        "url": secret("url"),
        "method": "POST",
        "body": {"contentType": "application/json", "source": {"file": secret("body")}},
        "signing": {"scheme": "StandardWebhooks", "keys": [secret("key")]},
        "tls": {"caBundle": secret("ca.crt")},
        "retries": {
            "attempts": 1,
            "timeoutSeconds": 10,
            "backoff": {"minSeconds": 0, "maxSeconds": 0},
            "totalDeadlineSeconds": 10,
        },
        "egress": {"allowedCIDRs": ["127.0.0.0/8"]},
        "maxBodyBytes": 1024,
    })
}
