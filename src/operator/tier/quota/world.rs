//! A cluster for the tests of records: one namespace with at most one schedule, and the operator's own namespace.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::usage::{Part, ScheduleId, Usage};
use crate::operator::test_support::fake_api::Asked;

/// The cluster. It checks the invariants of records at every write.
#[derive(Default)]
pub(super) struct World {
    pub(super) now: i64,
    pub(super) schedule: Option<Value>,
    pub(super) cron_job: Option<Value>,
    pub(super) jobs: Vec<Value>,
    /// The records in the operator's namespace, by name.
    pub(super) records: BTreeMap<String, Value>,
    /// When deliveries were made.
    pub(super) delivered: Vec<i64>,
    /// The writes, as `verb resource`.
    pub(super) writes: Vec<String>,
    /// The operator dies at this write, and whether the write is done.
    pub(super) cut: Option<(usize, bool)>,
    pub(super) is_dead: bool,
    /// The kind or the name whose writes the API server refuses, and the status code.
    pub(super) refuses: Option<(&'static str, u16)>,
    /// How many writes were refused so.
    pub(super) refused: usize,
    pub(super) version: u64,
}

impl World {
    pub(super) fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let not_counted = ["/events", "/serviceaccounts", "/networkpolicies"];
        let is_write = asked.method != "GET" && !not_counted.iter().any(|what| asked.path.ends_with(what));
        if is_write && !self.is_dead {
            let kind = asked.path.split('/').rev().find(|part| KINDS.contains(part)).unwrap();
            let is_refused = |(refused, _): &(&str, u16)| asked.path.split('/').any(|part| part == *refused);
            if let Some((_, code)) = self.refuses.filter(is_refused) {
                self.refused += 1;
                return (code, Value::Null);
            }
            self.writes.push(format!("{} {kind}", asked.method));
        }
        let cut = self.cut.filter(|(at, _)| is_write && *at == self.writes.len());
        if self.is_dead || cut.is_some_and(|(_, done)| !done) {
            self.is_dead = true;
            return (500, Value::Null);
        }
        let answer = self.handle(asked);
        self.is_dead = cut.is_some();
        if self.is_dead { (500, Value::Null) } else { answer }
    }

    fn handle(&mut self, asked: &Asked) -> (u16, Value) {
        let parts: Vec<&str> = asked.path.rsplit('/').take(3).collect();
        let mut body = asked.body.clone();
        match (asked.method.as_str(), parts[0], parts[1]) {
            ("GET", "configmaps", _) => {
                (200, json!({"metadata": {}, "items": self.records.values().collect::<Vec<_>>()}))
            }
            ("GET", name, "configmaps") => self.records.get(name).cloned().map_or((404, Value::Null), |it| (200, it)),
            ("POST", "configmaps", _) => {
                let name = body["metadata"]["name"].as_str().unwrap().to_owned();
                if self.records.contains_key(&name) {
                    return (409, Value::Null);
                }
                (201, self.keep(name, body))
            }
            ("PUT", name, "configmaps") => match self.records.get(name) {
                Some(there) if is_version(there, &body["metadata"]) => (200, self.keep(name.into(), body)),
                Some(_) => (409, Value::Null),
                None => (404, Value::Null),
            },
            ("DELETE", name, "configmaps") => match self.records.get(name) {
                Some(there) if is_version(there, &asked.body["preconditions"]) => {
                    self.records.remove(name);
                    (200, json!({}))
                }
                other => (if other.is_some() { 409 } else { 404 }, Value::Null),
            },
            ("GET", _, "cronjobs") => self.cron_job.clone().map_or((404, Value::Null), |it| (200, it)),
            ("GET", "jobs", _) => (200, json!({"metadata": {}, "items": self.jobs})),
            ("POST", "cronjobs", _) | ("PUT", _, "cronjobs") => {
                let runs = body["spec"]["suspend"] == false;
                assert!(!runs || self.recorded().unwrap().takes > 0, "a CronJob before its record");
                body["metadata"]["creationTimestamp"] = json!(Timestamp::from_second(self.now).unwrap());
                body["metadata"]["uid"] = format!("cron-job-of-{}", self.uid()).into();
                self.cron_job = Some(body.clone());
                (200, body)
            }
            ("POST", "jobs", _) => {
                let name = &body["metadata"]["name"];
                if self.jobs.iter().any(|job| job["metadata"]["name"] == *name) {
                    return (409, Value::Null);
                }
                assert_eq!(self.recorded().unwrap().last, Some(self.now), "a Job before its record");
                self.delivered.push(self.now);
                body["metadata"]["creationTimestamp"] = json!(Timestamp::from_second(self.now).unwrap());
                self.jobs.push(body.clone());
                (201, body)
            }
            ("PUT", "status", _) => {
                let schedule = self.schedule.as_mut().unwrap();
                self.version += 1;
                schedule["status"] = body["status"].take();
                schedule["metadata"]["resourceVersion"] = json!(self.version.to_string());
                (200, schedule.clone())
            }
            _ => (200, body),
        }
    }

    fn keep(&mut self, name: String, mut record: Value) -> Value {
        self.version += 1;
        record["metadata"]["resourceVersion"] = json!(self.version.to_string());
        record["metadata"]["uid"] = json!("its-uid");
        self.records.insert(name, record.clone());
        record
    }

    fn uid(&self) -> String {
        self.schedule.as_ref().unwrap()["metadata"]["uid"].as_str().unwrap().into()
    }

    /// The schedule's record.
    pub(super) fn recorded(&self) -> Option<Part> {
        let record = self.records.get("postern-usage-team-a")?;
        let usage = Usage::read(&serde_json::from_value(record.clone()).unwrap(), self.now).unwrap();
        usage.schedules.get(&ScheduleId::of(&self.uid())).copied()
    }
}

const KINDS: [&str; 4] = ["configmaps", "cronjobs", "jobs", "webhookschedules"];

fn is_version(there: &Value, named: &Value) -> bool {
    let there = &there["metadata"];
    there["resourceVersion"] == named["resourceVersion"] && there["uid"] == named["uid"]
}
