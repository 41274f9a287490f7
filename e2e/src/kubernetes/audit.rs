//! What the API server's audit log says of one user's requests.

use std::fmt;

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
    /// How long the audit log is: where what comes next begins.
    pub fn audited(&self) -> usize {
        self.audit_log().len()
    }

    /// A user's requests since then, each once.
    pub fn requests_of(&self, user: &str, since: usize) -> Vec<Request> {
        let log = self.audit_log();
        let new = log.get(since..).unwrap_or_default();
        new.iter().filter(|event| event["user"]["username"] == user).filter_map(Request::of).collect()
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

    /// Whether it asks for something to be different from now on.
    pub fn writes(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
            && !matches!(self.resource.as_str(), "tokenreviews" | "subjectaccessreviews")
    }

    /// The renewal of a lease, which goes on as long as somebody leads.
    pub fn is_lease(&self) -> bool {
        self.resource == "leases"
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}/{}: {}", self.verb, self.resource, self.namespace, self.name, self.code)
    }
}
