//! Jobs that are made before their minute: the real CronJob controller adopts them, on real minutes.

mod adopted;
mod left;
mod withdrawn;

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::ListParams;
use postern::api::DeliveryStatus;
use postern::operator::names::{self, EARLY_ANNOTATION};
use postern_e2e::{OK, Receiver, Tenant, eventually};
use serde_json::json;

/// Early enough for a look at what waits.
const LEAD: i64 = 30;

/// When each request arrived, in Unix milliseconds.
type Arrivals = Arc<Mutex<Vec<i64>>>;

/// A tenant whose tier has a lead, with a schedule that is due every minute.
async fn led(tenant: &Tenant) -> (Receiver, Arrivals) {
    let arrivals = Arrivals::default();
    let noted = Arc::clone(&arrivals);
    let receiver = tenant
        .receiver(move |stream| {
            noted.lock().unwrap().push(Timestamp::now().as_millisecond());
            stream.write_all(OK.as_bytes())?;
            stream.conn.send_close_notify();
            stream.flush()
        })
        .await;
    tenant.change_tier(json!({"lead": format!("{LEAD}s")})).await;
    tenant.make_schedule_with("report", json!({"schedule": "* * * * *"})).await;
    tenant.cron_job("report", "the lead in the delivery", |cron_job| lead_of(cron_job) == Some(LEAD)).await;
    (receiver, arrivals)
}

/// The lead that the senders of a CronJob are told, in seconds.
fn lead_of(cron_job: &CronJob) -> Option<i64> {
    let template = cron_job.spec.job_template.spec.as_ref()?;
    let told = template.template.metadata.as_ref()?.annotations.as_ref()?.get(names::DELIVERY_ANNOTATION)?;
    let told: serde_json::Value = serde_json::from_str(told).unwrap();
    told["run"]["scheduled"]["leadSeconds"].as_i64()
}

/// The due time of a Job, in Unix seconds.
fn due(job: &Job) -> i64 {
    job.name_any().rsplit_once('-').unwrap().1.parse::<i64>().unwrap() * 60
}

fn now() -> i64 {
    Timestamp::now().as_second()
}

async fn sleep_until(time: i64) {
    let wait = u64::try_from(time - now()).unwrap_or_default();
    tokio::time::sleep(Duration::from_secs(wait)).await;
}

async fn jobs(tenant: &Tenant) -> Vec<Job> {
    tenant.jobs().list(&ListParams::default()).await.unwrap().items
}

/// Waits for a Job that waits for its minute, and is at least this many seconds before it.
async fn early_job(tenant: &Tenant, seconds: i64) -> Job {
    eventually("a Job that waits for its minute", async || {
        let jobs = jobs(tenant).await;
        let waits = |job: &&Job| job.annotations().contains_key(EARLY_ANNOTATION) && due(job) - seconds >= now();
        jobs.iter().find(waits).cloned().ok_or_else(|| jobs.iter().map(ResourceExt::name_any).collect::<Vec<_>>())
    })
    .await
}

/// Waits for a sender that waits for its minute, and is at least this many seconds before it. Returns its Job and its pod.
async fn waiting_sender(tenant: &Tenant, seconds: i64) -> (Job, Pod) {
    eventually("a sender that waits for its minute", async || {
        let job = early_job(tenant, seconds).await;
        let pods = tenant.pods().list(&ListParams::default()).await.unwrap().items;
        let runs = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
        let pod = pods.into_iter().find(|pod| pod.labels().get("job-name") == Some(&job.name_any()) && runs(pod));
        pod.filter(|_| due(&job) - seconds >= now()).map(|pod| (job, pod)).ok_or("none")
    })
    .await
}

/// Waits until the only Job of this name is another one than this, and returns it.
async fn successor(tenant: &Tenant, of: &Job) -> Job {
    eventually("another Job of that minute", async || match tenant.jobs().get_opt(&of.name_any()).await.unwrap() {
        Some(job) if job.uid() != of.uid() => Ok(job),
        other => Err(other.map(|job| job.metadata)),
    })
    .await
}

/// Waits until the delivery of this time is recorded.
async fn recorded(tenant: &Tenant, time: i64) -> DeliveryStatus {
    eventually("the delivery in the status", async || {
        let recent = tenant.status("report").await.recent_deliveries;
        let is_it = |delivery: &&DeliveryStatus| delivery.scheduled_time.as_ref().unwrap().0.as_second() == time;
        recent.iter().find(is_it).cloned().ok_or(recent)
    })
    .await
}

/// Waits until the CronJob controller has begun the run of this time, or a later one.
async fn begun(tenant: &Tenant, time: i64) -> CronJob {
    begun_of(tenant, "report", time).await
}

async fn begun_of(tenant: &Tenant, schedule: &str, time: i64) -> CronJob {
    let is_begun = |cron_job: &CronJob| {
        let last = cron_job.status.as_ref().and_then(|status| status.last_schedule_time.as_ref());
        last.is_some_and(|last| last.0.as_second() >= time)
    };
    tenant.cron_job(schedule, "the run of that minute", is_begun).await
}
