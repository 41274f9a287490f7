//! The time from the minute to the receiver. In even minutes there are deliveries; in odd minutes there are plain CronJobs whose
//! pods open a connection and end, which shows how long Kubernetes itself takes.

use std::io::Write as _;
use std::sync::mpsc::{Receiver as Arrivals, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, PostParams};
use postern::api::WebhookSchedule;
use postern_e2e::{Certificates, DnsAnswer, KEY, OK, OPERATOR, Receiver, Request, Stream};
use serde_json::json;

use crate::contender::Running;
use crate::installed::Installed;
use crate::process;
use crate::report::progress;
use crate::schedules::{make, schedule};

/// How many schedules are due at the same time.
const AT_ONCE: usize = 10;
/// How many arrivals of each kind are measured.
const ENOUGH: usize = 50;
const HOST: &str = "hooks.example.com";
const ADDRESS: &str = "198.51.100.10";
const PLAIN_ADDRESS: &str = "203.0.113.10";

pub(crate) struct Ticks {
    /// The times from the minute to the whole request.
    pub(crate) deliveries: Vec<Duration>,
    /// The times from the minute to the connection.
    pub(crate) connections: Vec<Duration>,
    /// CPU time of the operator for all of them.
    pub(crate) cpu: Duration,
    /// The operator's requests to the API server for all of them.
    pub(crate) requests: Vec<Request>,
}

/// The namespace of the deliveries.
pub(crate) const NAMESPACE: &str = "ticks";
const PLAIN: &str = "plain";

pub(crate) async fn measure(on: &Installed, running: &Running) -> Ticks {
    let before = process::cpu(running.pid());
    let since = on.cluster.audit_log_length();
    let deliveries = start_deliveries(on).await;
    let connections = start_connections(on).await;
    let (mut delivered, mut connected) = (Vec::new(), Vec::new());
    let mut told = 0;
    while delivered.len() < ENOUGH || connected.len() < ENOUGH {
        tokio::time::sleep(Duration::from_secs(1)).await;
        delivered.extend(deliveries.try_iter());
        connected.extend(connections.try_iter());
        if (delivered.len() + connected.len()) / AT_ONCE > told {
            told = (delivered.len() + connected.len()) / AT_ONCE;
            progress(&format!("{} deliveries, {} plain connections", delivered.len(), connected.len()));
        }
    }
    // The outcomes of the last deliveries are written when their pods have ended, a second or two later.
    process::rest(running.pid()).await;
    let requests = on.cluster.requests_of(OPERATOR, since);
    let (delete, all) = (DeleteParams::default(), ListParams::default());
    on.api::<WebhookSchedule>(NAMESPACE).delete_collection(&delete, &all).await.unwrap();
    on.api::<CronJob>(PLAIN).delete_collection(&delete, &all).await.unwrap();
    Ticks {
        deliveries: delivered,
        connections: connected,
        cpu: process::cpu(running.pid()).saturating_sub(before),
        requests,
    }
}

/// Schedules that are due in every even minute, and when their requests arrive.
async fn start_deliveries(on: &Installed) -> Arrivals<Duration> {
    let (arrived, arrivals) = channel();
    let answer = move |stream: &mut Stream| {
        let _ = arrived.send(since_the_minute());
        stream.write_all(OK.as_bytes())?;
        stream.conn.send_close_notify();
        stream.flush()
    };
    let cluster = &on.cluster;
    let listener = cluster.listen_on_the_internet(ADDRESS, 443);
    let receiver = Receiver::on(listener, Certificates::good(HOST), false, answer);
    cluster.set_dns(HOST, &[DnsAnswer::addresses([ADDRESS])]);

    cluster.make_namespace(NAMESPACE, json!({})).await;
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": "hook"},
        "stringData": {"url": format!("https://{HOST}/hook"), "key": KEY, "ca": receiver.certificates.ca_pem},
    }))
    .unwrap();
    on.api(NAMESPACE).create(&PostParams::default(), &secret).await.unwrap();
    let schedules = (0..AT_ONCE).map(|index| schedule(&format!("tick-{index}"), "*/2 * * * *"));
    make(&on.api(NAMESPACE), schedules).await;
    arrivals
}

/// CronJobs that are due in every odd minute, and when their pods connect.
async fn start_connections(on: &Installed) -> Arrivals<Duration> {
    let listener = on.cluster.listen_on_the_internet(PLAIN_ADDRESS, 0);
    let address = listener.local_addr().unwrap();
    let (arrived, arrivals): (Sender<Duration>, _) = channel();
    thread::spawn(move || while listener.accept().is_ok() && arrived.send(since_the_minute()).is_ok() {});
    on.cluster.make_namespace(PLAIN, json!({})).await;
    let cron_job = |index| -> CronJob {
        serde_json::from_value(json!({
            "metadata": {"name": format!("plain-{index}")},
            "spec": {"schedule": "1-59/2 * * * *", "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "toolbox",
                    "image": "postern.dev/e2e/toolbox:latest",
                    "imagePullPolicy": "Never",
                    "args": ["connect", address.to_string()],
                }],
            }}}}},
        }))
        .unwrap()
    };
    make(&on.api(PLAIN), (0..AT_ONCE).map(cron_job)).await;
    arrivals
}

/// Nothing here takes as long as a minute.
fn since_the_minute() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Duration::from_secs(now.as_secs() % 60) + Duration::from_nanos(now.subsec_nanos().into())
}
