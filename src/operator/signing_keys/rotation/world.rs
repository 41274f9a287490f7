//! A cluster for the key tests of one schedule. It checks its invariants at every write.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::api::{KeyState, WebhookSchedule};
use crate::operator::test_support::fake_api::Asked;
use crate::operator::test_support::objects::{self, minute};

/// A cluster with one schedule that has managed keys.
pub(super) struct World {
    pub(super) schedule: Value,
    pub(super) cron_job: Option<Value>,
    /// The Secrets of keys, by name.
    pub(super) secrets: BTreeMap<String, Value>,
    pub(super) jobs: Vec<Value>,
    /// The kind whose writes the API server refuses, and the status code.
    pub(super) refuses: Option<(&'static str, u16)>,
    /// A Secret that the API server doesn't delete.
    pub(super) keeps: Option<String>,
    /// Somebody else writes the schedule before so many more writes of its status have come.
    pub(super) conflict_in: Option<usize>,
    /// The names of the Secrets that were to be made.
    pub(super) asked_for: Vec<String>,
    /// Secrets are created, but this is answered; 0 is no answer at all.
    pub(super) loses_answers: Option<u16>,
    /// The reasons of the Events.
    pub(super) events: Vec<String>,
    pub(super) writes: usize,
    /// The operator dies at this write, and whether the write is done.
    pub(super) cut: Option<(usize, bool)>,
    pub(super) is_dead: bool,
    /// A key that a receiver relies on.
    pub(super) relied_on: Option<String>,
    /// A leaked key, from when the status says that it no longer signs.
    pub(super) revoked: Option<String>,
}

impl World {
    pub(super) fn new() -> Self {
        let mut schedule = objects::schedule();
        schedule.metadata.resource_version = Some("1".into());
        schedule.spec.signing = serde_json::from_value(json!({"managed": {"overlap": "1h"}})).unwrap();
        Self {
            schedule: json!(schedule),
            cron_job: None,
            secrets: BTreeMap::new(),
            jobs: Vec::new(),
            refuses: None,
            keeps: None,
            conflict_in: None,
            asked_for: Vec::new(),
            loses_answers: None,
            events: Vec::new(),
            writes: 0,
            cut: None,
            is_dead: false,
            relied_on: None,
            revoked: None,
        }
    }

    pub(super) fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        if asked.method == "POST" && asked.path.ends_with("/secrets") {
            self.asked_for.push(asked.body["metadata"]["name"].as_str().unwrap().into());
        }
        if let Some(code) = self.refusal(asked) {
            return (code, Value::Null);
        }
        let not_counted = ["/events", "/serviceaccounts", "/networkpolicies", "/configmaps"];
        let is_write = asked.method != "GET" && !not_counted.iter().any(|what| asked.path.ends_with(what));
        self.writes += usize::from(is_write && !self.is_dead);
        let cut = self.cut.filter(|(at, _)| is_write && *at == self.writes);
        if self.is_dead || cut.is_some_and(|(_, done)| !done) {
            self.is_dead = true;
            return (500, Value::Null);
        }
        let answer = self.handle(asked);
        self.check();
        self.is_dead = cut.is_some();
        if self.is_dead { (500, Value::Null) } else { answer }
    }

    fn refusal(&self, asked: &Asked) -> Option<u16> {
        let is_of = |kind: &str| asked.method != "GET" && asked.path.split('/').any(|part| part == kind);
        let is_kept = |name: &String| asked.method == "DELETE" && asked.path.ends_with(name);
        let kept = self.keeps.as_ref().filter(|name| is_kept(name)).map(|_| 403);
        self.refuses.filter(|(kind, _)| is_of(kind)).map(|(_, code)| code).or(kept)
    }

    fn handle(&mut self, asked: &Asked) -> (u16, Value) {
        let parts: Vec<&str> = asked.path.rsplit('/').take(3).collect();
        let mut body = asked.body.clone();
        match (asked.method.as_str(), parts[0], parts[1]) {
            ("POST", "events", _) => {
                self.events.push(body["reason"].as_str().unwrap().into());
                (201, body)
            }
            ("GET", _, "cronjobs") => self.cron_job.clone().map_or((404, Value::Null), |cron_job| (200, cron_job)),
            ("GET", "jobs", _) => (200, json!({"metadata": {}, "items": self.jobs})),
            ("POST", "secrets", _) => {
                let name = body["metadata"]["name"].as_str().unwrap().to_owned();
                assert!(self.says(&name, "Pending"), "a Secret before its status");
                let was = self.secrets.insert(name, body);
                assert_eq!(was, None, "a name that is used twice");
                (self.loses_answers.unwrap_or(201), json!({"metadata": {}}))
            }
            ("DELETE", name, "secrets") => {
                assert_eq!(asked.body, json!({"propagationPolicy": "Background"}));
                self.secrets.remove(name).map_or((404, Value::Null), |_| (200, json!({})))
            }
            ("PUT", "status", _) => {
                let (replaced, current) =
                    (&body["metadata"]["resourceVersion"], &self.schedule["metadata"]["resourceVersion"]);
                self.conflict_in = self.conflict_in.and_then(|left| left.checked_sub(1));
                if self.conflict_in == Some(0) {
                    self.conflict_in = None;
                    let version: u64 = current.as_str().unwrap().parse().unwrap();
                    self.schedule["metadata"]["resourceVersion"] = json!((version + 1).to_string());
                    return (409, Value::Null);
                }
                // What names no version replaces any.
                if !replaced.is_null() && replaced != current {
                    return (409, Value::Null);
                }
                let version: u64 = current.as_str().unwrap().parse().unwrap();
                self.schedule["metadata"]["resourceVersion"] = json!((version + 1).to_string());
                self.schedule["status"] = body["status"].take();
                (200, self.schedule.clone())
            }
            ("POST", "cronjobs", _) | ("PUT", _, "cronjobs") => {
                body["metadata"]["creationTimestamp"] = json!(minute(0));
                body["metadata"]["uid"] = "the-cron-job".into();
                self.cron_job = Some(body.clone());
                (200, body)
            }
            _ => (200, body),
        }
    }

    /// The invariants that hold at every moment.
    fn check(&self) {
        let mounted = self.mounted();
        let runs = self.runs();
        if runs && self.schedule["spec"]["signing"]["managed"].is_object() {
            assert!(!mounted.is_empty(), "an unsigned delivery");
        }
        for name in mounted.iter().filter(|_| runs) {
            assert!(self.secrets.contains_key(name), "a delivery would lack {name}");
        }
        if let Some(key) = self.revoked.as_ref().filter(|key| runs && !self.says(key, "Active")) {
            assert!(!mounted.contains(key), "{key} was revoked");
        }
        if let Some(key) = self.relied_on.as_ref().filter(|_| runs) {
            assert!(mounted.contains(key), "the receiver knows {key} alone");
        }
    }

    fn says(&self, name: &str, state: &str) -> bool {
        let keys = self.schedule["status"]["signingKeys"].as_array();
        keys.into_iter().flatten().any(|key| key["secretName"] == name && key["state"] == state)
    }

    /// The reason and the message of the condition `Scheduled`.
    pub(super) fn scheduled(&self) -> (String, String) {
        let conditions = self.schedule().status.unwrap_or_default().conditions;
        let scheduled = conditions.into_iter().find(|condition| condition.type_ == "Scheduled").unwrap();
        (scheduled.reason, scheduled.message)
    }

    pub(super) fn runs(&self) -> bool {
        self.cron_job.as_ref().is_some_and(|cron_job| cron_job["spec"]["suspend"] == false)
    }

    pub(super) fn mounted(&self) -> BTreeSet<String> {
        let sources = self.cron_job.iter().filter_map(|cron_job| {
            cron_job.pointer("/spec/jobTemplate/spec/template/spec/volumes/0/projected/sources")?.as_array()
        });
        let names = sources.flatten().filter_map(|source| source.pointer("/secret/name")?.as_str());
        names.filter(|name| name.starts_with("postern-")).map(Into::into).collect()
    }

    pub(super) fn schedule(&self) -> WebhookSchedule {
        serde_json::from_value(self.schedule.clone()).unwrap()
    }

    pub(super) fn keys(&self) -> Vec<(String, KeyState)> {
        let keys = self.schedule().status.unwrap_or_default().signing_keys;
        keys.into_iter().map(|key| (key.secret_name.unwrap(), key.state)).collect()
    }

    /// Whether everything that was begun is done: the status names every Secret, and the CronJob mounts the signing ones.
    pub(super) fn is_whole(&self) -> bool {
        let names: BTreeSet<String> = self.keys().into_iter().map(|(name, _)| name).collect();
        let active = self.keys().iter().filter(|(_, state)| *state == KeyState::Active).count();
        let sign = self.keys().into_iter().filter(|(_, state)| matches!(state, KeyState::Active | KeyState::Retiring));
        names == self.secrets.keys().cloned().collect()
            && active == usize::from(self.schedule["spec"]["signing"]["managed"].is_object())
            && sign.map(|(name, _)| name).collect::<BTreeSet<_>>() == self.mounted()
            && self.runs()
    }
}
