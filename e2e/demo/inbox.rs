//! The receiver's side: it takes a delivery when the official library does, and each id once.

use std::collections::HashSet;

use postern_e2e::receiver::Request;
use postern_e2e::{Receiver, eventually};
use serde_json::Value;
use standardwebhooks::Webhook;

/// What has arrived, and what was judged of it.
pub struct Inbox {
    receiver: Receiver,
    key: String,
    webhook: Webhook,
    seen: HashSet<String>,
}

impl Inbox {
    /// For deliveries that are signed with this key.
    pub fn new(receiver: Receiver, key: String) -> Self {
        let webhook = Webhook::new(&key).unwrap();
        Self { receiver, key, webhook, seen: HashSet::new() }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn ca_pem(&self) -> &str {
        &self.receiver.certificates.ca_pem
    }

    /// How many requests have arrived.
    pub fn arrived(&self) -> usize {
        self.receiver.requests().len()
    }

    /// How many of them were taken.
    pub fn taken(&self) -> usize {
        self.seen.len()
    }

    /// Waits for a schedule's first request.
    pub async fn first_of(&self, schedule: &str) -> Request {
        eventually(&format!("a delivery of {schedule}"), async || {
            let requests = self.receiver.requests();
            let count = requests.len();
            requests.into_iter().find(|request| field(request, "/data/schedule") == schedule).ok_or(count)
        })
        .await
    }

    /// Judges what nobody has judged yet.
    pub fn judge_the_rest(&mut self) -> Result<(), String> {
        for request in self.receiver.requests() {
            if !self.seen.contains(id(&request)) {
                self.judge(&request)?;
            }
        }
        Ok(())
    }

    /// Takes a request, or says why not.
    pub fn judge(&mut self, request: &Request) -> Result<(), String> {
        self.webhook.verify(&request.body, &request.header_map()).map_err(|problem| problem.to_string())?;
        if self.seen.insert(id(request).to_owned()) { Ok(()) } else { Err("this webhook-id was taken already".into()) }
    }

    /// The same delivery, as it would have been signed at another time.
    pub fn signed_at(&self, request: &Request, seconds: i64) -> Request {
        let signature = self.webhook.sign(id(request), seconds, &request.body).unwrap();
        let mut signed = request.clone();
        set(&mut signed, "webhook-timestamp", &seconds.to_string());
        set(&mut signed, "webhook-signature", &signature);
        signed
    }
}

/// The id of a delivery.
pub fn id(request: &Request) -> &str {
    request.header("webhook-id").unwrap_or_default()
}

/// A field of a JSON body, by its pointer.
pub fn field(request: &Request, pointer: &str) -> String {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn set(request: &mut Request, name: &str, value: &str) {
    request.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
    request.headers.push((name.into(), value.into()));
}
