//! One user's requests, read from the API server's audit log.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use serde_json::Value;

use super::Cluster;

/// A request with the API server's answer, or, for a watch, with the beginning of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The verb, as RBAC names it.
    pub verb: String,
    /// The resource with its subresource, as RBAC names it: `webhookschedules/status`.
    pub resource: String,
    /// Empty when the request is about no namespace.
    pub namespace: String,
    /// Empty when the request is about no single object.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u64,
    /// The time of the answer, as RFC 3339.
    pub answered: String,
}

impl Cluster {
    /// The audit log's length now, in bytes: the place from which to read what comes next.
    pub fn audit_log_length(&self) -> u64 {
        fs::metadata(self.audit_path()).unwrap().len()
    }

    /// A user's requests after this place in the log, each once.
    ///
    /// The API server writes a request's line after the change and before the answer ends. So a client that has the answer finds
    /// the line; one that sees the change in another way may have to wait for it.
    pub fn requests_of(&self, user: &str, since: u64) -> Vec<Request> {
        // Most lines of a long log are about other users, and parsing them takes seconds.
        let named = format!("\"username\":\"{user}\"");
        let events = self.audit_events(since, |line| line.contains(&named)).into_iter();
        events.filter(|event| event["user"]["username"] == user).filter_map(|event| Request::of(&event)).collect()
    }

    /// The lines of the API server's audit log so far.
    pub fn audit_log(&self) -> Vec<Value> {
        self.audit_log_since(0)
    }

    /// The lines that were written after this place in the log.
    pub fn audit_log_since(&self, since: u64) -> Vec<Value> {
        self.audit_events(since, |_| true)
    }

    /// The wanted lines, without a last line that isn't complete yet.
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
    /// The log has the beginning and the end of a watch; the end isn't counted.
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

    /// Whether the request changes anything that the API server stores.
    pub fn writes(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
            && !matches!(self.resource.as_str(), "tokenreviews" | "subjectaccessreviews")
    }

    /// Whether the request is about a Lease, which the leader renews all the time.
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
