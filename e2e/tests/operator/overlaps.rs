//! Deliveries that are due while the previous one is still being tried. The real CronJob controller decides, on a real minute.

use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Resource as _, ResourceExt};
use postern::api::DeliveryOutcome;
use postern::operator::names;
use postern_e2e::{Tenant, eventually, on_cluster};
use serde_json::json;

/// Makes a schedule that is due every minute and whose receiver never answers, and starts a delivery.
///
/// The test makes the delivery's Job and reports it in the CronJob, as the controller does, in the minute in which the CronJob is
/// made. So the next minute is the controller's first.
async fn begin(tenant: &Tenant, policy: &str) {
    // The receiver reads as long as the sender runs.
    let receiver = tenant.receiver(|stream| stream.read(&mut [0]).map(drop)).await;
    eventually("a minute with time left", async || {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 60;
        if second < 45 { Ok(()) } else { Err(second) }
    })
    .await;
    let patient = json!({"timeoutSeconds": 60, "attempts": 20, "totalDeadlineSeconds": 600});
    let every_minute = json!({"schedule": "* * * * *", "concurrencyPolicy": policy, "delivery": patient});
    tenant.make_schedule_with("report", every_minute).await;
    let job = tenant.tick("report").await;
    let minute: i64 = job.name_any().rsplit_once('-').unwrap().1.parse().unwrap();
    let begun = Timestamp::from_second(minute * 60).unwrap().to_string();
    let status = Patch::Merge(json!({"status": {"active": [job.object_ref(&())], "lastScheduleTime": begun}}));
    let cron_job = names::cron_job("report");
    tenant.cron_jobs.patch_status(&cron_job, &PatchParams::default(), &status).await.unwrap();

    receiver.await_request();
    let pods = tenant.pods();
    let running = ListParams::default().fields("status.phase=Running");
    eventually("the sender to be known to run", async || {
        let running = pods.list(&running).await.unwrap().items.len();
        if running == 1 { Ok(()) } else { Err(running) }
    })
    .await;
}

#[test]
fn with_forbid_the_one_that_is_left_out_is_told_with_why() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        begin(&tenant, "Forbid").await;
        // A skipped delivery is reported once it is too late for it.
        tenant.change("report", json!({"spec": {"startingDeadlineSeconds": 10}})).await;
        let told = tenant.deliveries("report", 1).await.remove(0);
        assert_eq!((told.outcome, told.reason.as_str()), (DeliveryOutcome::NotRun, "PreviousStillRunning"), "{told:?}");
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}

#[test]
fn with_replace_the_one_that_is_stopped_is_told_as_interrupted() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        begin(&tenant, "Replace").await;
        let told = tenant.deliveries("report", 1).await.remove(0);
        assert_eq!(told.outcome, DeliveryOutcome::Interrupted, "{told:?}");
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}
