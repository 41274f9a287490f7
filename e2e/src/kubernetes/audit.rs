//! What the API server's audit log says of one user's requests.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use serde_json::Value;

use super::Cluster;

/// A request as the API server answered it, or began to when it is a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// As RBAC names it.
    pub verb: String,
    /// With its subresource, as RBAC names it: `webhookschedules/status`.
    pub resource: String,
    /// Empty when it is about no namespace.
    pub namespace: String,
    /// Empty when it is about no single object.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u64,
    /// When the answer was given, as RFC 3339.
    pub answered: String,
}

impl Cluster {
    /// How long the audit log is now, in bytes: from where on to read what comes next.
    pub fn audit_log_length(&self) -> u64 {
        fs::metadata(self.audit_path()).unwrap().len()
    }

    /// A user's requests since then, each once.
    ///
    /// The API server writes the line of a request after the change, and before the answer ends. So whoever got the answer
    /// finds the line; whoever sees the change in another way may have to wait for it.
    pub fn requests_of(&self, user: &str, since: u64) -> Vec<Request> {
        // Most lines of a long log are about other users, and it takes seconds to parse them.
        let named = format!("\"username\":\"{user}\"");
        let events = self.audit_events(since, |line| line.contains(&named)).into_iter();
        events.filter(|event| event["user"]["username"] == user).filter_map(|event| Request::of(&event)).collect()
    }

    /// The lines of the API server's audit log so far.
    pub fn audit_log(&self) -> Vec<Value> {
        self.audit_log_since(0)
    }

    /// The lines that were written since then.
    pub fn audit_log_since(&self, since: u64) -> Vec<Value> {
        self.audit_events(since, |_| true)
    }

    /// The lines that are wanted, without one that isn't written to its end.
    fn audit_events(&self, since: u64, is_wanted: impl Fn(&str) -> bool) -> Vec<Value> {
        let mut file = File::open(self.audit_path()).unwrap();
        file.seek(SeekFrom::Start(since)).unwrap();
        let mut new = Vec::new();
        file.read_to_end(&mut new).unwrap();
        let wanted = String::from_utf8_lossy(&new);
        wanted.lines().filter(|line| is_wanted(line)).filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn audit_path(&self) -> PathBuf {
        self.dir.join("log/audit.log")
    }
}

impl Request {
    /// A watch is noted when it begins and when it ends; the end isn't counted.
    fn of(event: &Value) -> Option<Self> {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let verb = text("/verb");
        let counted = if verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
        let resource = text("/objectRef/resource");
        let subresource = text("/objectRef/subresource");
        (event["stage"] == counted).then(|| Self {
            verb,
            resource: if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") },
            namespace: text("/objectRef/namespace"),
            name: text("/objectRef/name"),
            code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
            answered: text("/stageTimestamp"),
        })
    }

    /// Whether it changes anything that the API server stores.
    pub fn writes(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
            && !matches!(self.resource.as_str(), "tokenreviews" | "subjectaccessreviews")
    }

    /// Whether it is about a Lease, which the leader renews all the time.
    pub fn is_lease(&self) -> bool {
        self.resource == "leases"
    }
}

/// How often each request was made.
pub fn count(requests: &[Request]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for Request { verb, resource, code, .. } in requests {
        *counts.entry(format!("{verb} {resource} {code}")).or_default() += 1;
    }
    counts
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}/{}: {}", self.verb, self.resource, self.namespace, self.name, self.code)
    }
}
