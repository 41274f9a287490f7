//! A thousand deliveries that are due in the same minute, on one node: how soon their outcomes are recorded, and who asks the API
//! server for how much.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::jiff::{Timestamp, tz::TimeZone};
use kube::api::ListParams;
use postern::api::WebhookSchedule;
use postern_e2e::OPERATOR;
use serde_json::Value;

use crate::converge::between;
use crate::installed::Installed;
use crate::report::progress;
use crate::schedules::{make, schedule};

/// How many deliveries are due.
const COUNT: usize = 1_000;
/// How long their making takes at most, in minutes.
const AHEAD: u64 = 2;
const NODES: &str = "system:node:";

pub(crate) struct Burst {
    /// From the due minute until the last outcome was recorded.
    pub(crate) all_recorded: Duration,
    /// From the end of each pod, as its kubelet reported it, until its outcome was recorded.
    pub(crate) recorded: Vec<Duration>,
    /// The most that any schedule's status was written.
    pub(crate) most_writes: usize,
    /// The requests of each user to the API server, from the due minute on.
    pub(crate) requests: BTreeMap<String, usize>,
}

/// Makes the schedules in a namespace that has all that their deliveries need, and waits until all are recorded.
pub(crate) async fn measure(on: &Installed, namespace: &str) -> Burst {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let due = Timestamp::from_second(i64::try_from((now / 60 + AHEAD + 1) * 60).unwrap()).unwrap();
    let at = due.to_zoned(TimeZone::UTC);
    let cron = format!("{} {} * * *", at.minute(), at.hour());
    let schedules = on.api::<WebhookSchedule>(namespace);
    make(&schedules, (0..COUNT).map(|index| schedule(&name(index), &cron))).await;
    progress(&format!("{COUNT} deliveries are due at {due}"));
    let since = on.cluster.audit_log_length();
    loop {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let all = schedules.list(&ListParams::default()).await.unwrap().items;
        let recorded = all.iter().filter(|schedule| is_recorded(schedule)).count();
        if recorded >= COUNT {
            break;
        }
        progress(&format!("{recorded} outcomes are recorded"));
    }
    Burst::of(&on.cluster.audit_log_since(since), due)
}

fn name(index: usize) -> String {
    format!("burst-{index:04}")
}

fn is_recorded(schedule: &WebhookSchedule) -> bool {
    schedule.metadata.name.as_ref().is_some_and(|name| name.starts_with("burst-"))
        && schedule.status.as_ref().is_some_and(|status| status.last_delivery.is_some())
}

impl Burst {
    /// What the audit log says.
    fn of(log: &[Value], due: Timestamp) -> Self {
        let (mut ended, mut recorded) = (HashMap::new(), HashMap::new());
        let (mut writes, mut requests) = (HashMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
        for event in log.iter().filter(|event| event["stage"] == "ResponseComplete") {
            let at: Timestamp = event["stageTimestamp"].as_str().unwrap().parse().unwrap();
            if at < due {
                continue;
            }
            let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let user = text("/user/username");
            *requests.entry(user.to_owned()).or_default() += 1;
            let (name, is_status) = (text("/objectRef/name"), text("/objectRef/subresource") == "status");
            let Some(schedule) = name.find("burst-").and_then(|at| name.get(at..at + "burst-0000".len())) else {
                continue;
            };
            match (text("/objectRef/resource"), text("/verb")) {
                ("webhookschedules", "update") if is_status && user == OPERATOR => {
                    *writes.entry(schedule.to_owned()).or_default() += 1;
                    recorded.insert(schedule.to_owned(), at);
                }
                ("pods", "patch") if is_status && user.starts_with(NODES) => {
                    ended.insert(schedule.to_owned(), at);
                }
                _ => {}
            }
        }
        let last = recorded.values().max().copied().unwrap_or(due);
        let waits = recorded.iter().filter_map(|(name, at)| Some(between(*ended.get(name)?, *at)));
        Self {
            all_recorded: between(due, last),
            recorded: waits.collect(),
            most_writes: writes.values().max().copied().unwrap_or_default(),
            requests,
        }
    }
}
