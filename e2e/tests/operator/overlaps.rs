//! Deliveries that are due while the one before is still being tried. The real CronJob controller decides, on real minutes.

use std::io::Read as _;

use kube::api::{DeleteParams, ListParams};
use postern::api::{DeliveryOutcome, DeliveryStatus};
use postern_e2e::{Tenant, eventually, on_cluster};
use serde_json::json;

/// The first delivery to be told of a schedule of every minute whose receiver never answers.
async fn first_told(tenant: &Tenant, policy: &str) -> DeliveryStatus {
    // For as long as the sender is there.
    let _receiver = tenant.receiver(|stream| stream.read(&mut [0]).map(drop)).await;
    let patient = json!({"timeoutSeconds": 60, "attempts": 20, "totalDeadlineSeconds": 600});
    let every_minute = json!({
        "schedule": "* * * * *", "startingDeadlineSeconds": 10, "concurrencyPolicy": policy, "delivery": patient,
    });
    tenant.make_schedule_with("report", every_minute).await;
    eventually("the first Job", async || {
        let jobs = tenant.jobs().list(&ListParams::default()).await.unwrap().items;
        if jobs.is_empty() { Err("none") } else { Ok(()) }
    })
    .await;
    tenant.deliveries("report", 1).await.remove(0)
}

#[test]
fn with_forbid_the_one_that_is_left_out_is_told_with_why() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let told = first_told(&tenant, "Forbid").await;
        assert_eq!((told.outcome, told.reason.as_str()), (DeliveryOutcome::NotRun, "PreviousStillRunning"), "{told:?}");
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}

#[test]
fn with_replace_the_one_that_is_stopped_is_told_as_interrupted() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let told = first_told(&tenant, "Replace").await;
        assert_eq!(told.outcome, DeliveryOutcome::Interrupted, "{told:?}");
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}
