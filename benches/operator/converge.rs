//! The time from the first POST of a schedule until the last one is as it should be.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use postern::api::WebhookSchedule;
use postern_e2e::{OPERATOR, Request};

use crate::contender::{Contender, Running};
use crate::installed::Installed;
use crate::process;
use crate::scale::Template;
use crate::schedules::{CONCURRENCY, Layout, schedule};

/// How many schedules the client without watches works on at the same time.
const AT_ONCE: usize = 16;

/// What it took.
pub(crate) struct Converged {
    /// From the first POST until the last schedule was made.
    pub(crate) made: Duration,
    /// From the first POST until the last status was written, after which all schedules were ready.
    pub(crate) ready: Duration,
    /// The CPU time of the contender's process, and the most KiB that it had. The client without watches has no process of its own.
    pub(crate) process: Option<(Duration, u64)>,
    /// The contender's requests to the API server.
    pub(crate) requests: Vec<Request>,
}

/// Makes schedules that aren't due, and waits until all are ready.
pub(crate) async fn converge(
    on: &Installed,
    layout: Layout,
    contender: Contender,
    template: Option<&Template>,
) -> (Converged, Option<Running>) {
    layout.make_namespaces(&on.cluster).await;
    let running = match (contender, template) {
        (Contender::Postern, _) => Some(Running::postern(on).await),
        (Contender::Peer { workers }, Some(template)) => Some(Running::peer(on, workers, template).await),
        (Contender::BareClient | Contender::Peer { .. }, _) => None,
    };
    let before = running.as_ref().map(|running| process::cpu(running.pid())).unwrap_or_default();
    let since = on.cluster.audit_log_length();
    let mut statuses = Statuses::from_now_on(on);

    let began = Timestamp::now();
    let made = stream::iter(layout.names()).map(|(namespace, name)| async move {
        on.api(&namespace).create(&PostParams::default(), &schedule(&name, "@yearly")).await.unwrap()
    });
    let made = made.buffer_unordered(CONCURRENCY);
    let bare = template.filter(|_| contender == Contender::BareClient);
    match bare {
        None => made.for_each(|_| std::future::ready(())).await,
        Some(template) => {
            let operator = &on.operator().await;
            let done = made.map(|made: WebhookSchedule| bare_writes(operator, template, made));
            done.buffer_unordered(AT_ONCE).for_each(|()| std::future::ready(())).await;
        }
    }
    let ended = Timestamp::now();
    let last = loop {
        let (written, last) = statuses.written();
        if written >= layout.count() && are_ready(on, layout).await {
            break last;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let used = running
        .as_ref()
        .map(|running| (process::cpu(running.pid()).saturating_sub(before), process::memory(running.pid()).peak));
    let requests = on.cluster.requests_of(OPERATOR, since);
    (Converged { made: between(began, ended), ready: between(began, last), process: used, requests }, running)
}

/// Makes the CronJob of a schedule, and writes its status.
async fn bare_writes(operator: &Client, template: &Template, mut made: WebhookSchedule) {
    let (namespace, name) = (made.namespace().unwrap(), made.name_any());
    let [cron_job, status] = template.for_schedule(&name);
    let mut cron_job: CronJob = serde_json::from_value(cron_job).unwrap();
    cron_job.metadata.owner_references = Some(vec![made.controller_owner_ref(&()).unwrap()]);
    let cron_jobs: Api<CronJob> = Api::namespaced(operator.clone(), &namespace);
    cron_jobs.create(&PostParams::default(), &cron_job).await.unwrap();
    made.status = serde_json::from_value(status).unwrap();
    let schedules: Api<WebhookSchedule> = Api::namespaced(operator.clone(), &namespace);
    schedules.replace_status(&name, &PostParams::default(), &made).await.unwrap();
}

/// The statuses that were written, read from the API server's audit log: reading it costs only this client.
struct Statuses {
    log: BufReader<File>,
    written: usize,
    last: Timestamp,
}

impl Statuses {
    fn from_now_on(on: &Installed) -> Self {
        let mut log = BufReader::new(File::open(on.cluster.dir.join("log/audit.log")).unwrap());
        std::io::copy(&mut log, &mut std::io::sink()).unwrap();
        Self { log, written: 0, last: Timestamp::now() }
    }

    /// How many there are by now, and when the last one was written.
    fn written(&mut self) -> (usize, Timestamp) {
        let mut line = String::new();
        while self.log.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
            let is_status = [r#""resource":"webhookschedules""#, r#""subresource":"status""#, r#""code":200"#];
            if is_status.iter().all(|part| line.contains(part)) {
                let event: serde_json::Value = serde_json::from_str(&line).unwrap();
                self.last = event["stageTimestamp"].as_str().unwrap().parse().unwrap();
                self.written += 1;
            }
            line.clear();
        }
        (self.written, self.last)
    }
}

async fn are_ready(on: &Installed, layout: Layout) -> bool {
    let all: Api<WebhookSchedule> = Api::all(on.cluster.client.clone());
    let (mut ready, mut page) = (0, ListParams::default().limit(500));
    loop {
        let listed = all.list(&page).await.unwrap();
        ready += listed.items.iter().filter(|schedule| is_ready(schedule)).count();
        match listed.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return ready == layout.count(),
        }
    }
}

fn is_ready(schedule: &WebhookSchedule) -> bool {
    let mut conditions = schedule.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The time between two moments; nothing if the second is before the first.
pub(crate) fn between(began: Timestamp, ended: Timestamp) -> Duration {
    Duration::try_from(ended.duration_since(began)).unwrap_or_default()
}
