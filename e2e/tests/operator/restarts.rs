//! An operator that didn't run for a while, one that was killed, and Jobs that were killed.

use std::io::Read as _;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use postern::api::DeliveryOutcome;
use postern_e2e::{OK, Receiver, Tenant, eventually, on_cluster};
use serde_json::json;

async fn all_jobs_are_over(tenant: &Tenant, count: usize) {
    let jobs: Api<Job> = tenant.jobs();
    eventually("the Jobs to be over", async || {
        let all = jobs.list(&ListParams::default()).await.unwrap().items;
        let over = all.iter().filter(|job| job.status.as_ref().is_some_and(|status| status.completion_time.is_some()));
        let over = over.count();
        if over == count { Ok(()) } else { Err(over) }
    })
    .await;
}

#[test]
fn deliveries_that_ended_meanwhile_are_caught_up_with_and_none_is_recorded_twice() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.make_schedule("report", "{}").await;
        tenant.tick_of("report", 3).await;
        tenant.deliveries("report", 1).await;
        tenant.kill_operator();
        tenant.tick_of("report", 2).await;
        tenant.tick_of("report", 1).await;
        all_jobs_are_over(&tenant, 3).await;
        tenant.start_operator();
        let deliveries = tenant.deliveries("report", 3).await;
        assert!(deliveries.iter().all(|delivery| delivery.outcome == DeliveryOutcome::Delivered), "{deliveries:?}");
        let times: Vec<_> = deliveries.iter().map(|delivery| delivery.scheduled_time.clone().unwrap()).collect();
        assert!(times.is_sorted_by(|a, b| a > b), "{times:?}");
    });
}

#[test]
fn a_killed_operator_leaves_nothing_that_the_next_one_does_not_finish() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = Tenant::new(cluster, namespace).await;
        for round in 0..8 {
            let name = format!("report-{round}");
            tenant.make_schedule(&name, "{}").await;
            // At whatever step the operator is by now.
            tenant.kill_operator();
            tenant.start_operator();
        }
        for round in 0..8 {
            let name = format!("report-{round}");
            tenant.condition(&name, "Ready", "True", "Ready").await;
            tenant.cron_job(&name, "the CronJob", |cron_job| cron_job.spec.suspend == Some(false)).await;
        }
        let cron_jobs = tenant.cron_jobs.list(&ListParams::default()).await.unwrap().items;
        let names: Vec<_> = cron_jobs.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names.len(), 8, "{names:?}");
    });
}

#[test]
fn a_job_that_is_deleted_while_it_runs_is_told_as_interrupted() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        // The receiver answers nothing as long as the sender runs.
        let receiver = tenant.receiver(|stream| stream.read(&mut [0]).map(drop)).await;
        tenant.make_schedule("report", "{}").await;
        tenant.tick("report").await;
        receiver.await_request();
        let job = tenant.jobs().list(&ListParams::default()).await.unwrap().items.remove(0).name_any();
        tenant.jobs().delete(&job, &DeleteParams::background()).await.unwrap();
        let delivery = tenant.deliveries("report", 1).await.remove(0);
        assert_eq!(delivery.outcome, DeliveryOutcome::Interrupted, "{delivery:?}");
    });
}

/// Deletes the schedule, and waits until its Jobs are deleted too.
async fn delete_report(tenant: &Tenant) {
    tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    eventually("the schedule and its Jobs to be gone", async || {
        let schedule = tenant.schedules.get_opt("report").await.unwrap();
        let jobs = tenant.jobs().list(&ListParams::default()).await.unwrap().items.len();
        if schedule.is_none() && jobs == 0 { Ok(()) } else { Err((schedule.is_some(), jobs)) }
    })
    .await;
}

/// Makes the schedule again, asks for a delivery, and waits until the schedule says that the delivery comes later. The schedule
/// is new to the operator, which holds nothing that is new unless its records say that the namespace has delivered.
async fn made_anew_it_waits(tenant: &Tenant) {
    tenant.operator_has_filled_its_caches().await;
    tenant.make_schedule("report", "{}").await;
    tenant.trigger("report", "again").await;
    eventually("the delivery to wait", async || {
        let message = tenant.condition("report", "Scheduled", "True", "Scheduled").await;
        if message.contains("; the triggered delivery is made at ") { Ok(()) } else { Err(message) }
    })
    .await;
    assert!(tenant.jobs().list(&ListParams::default()).await.unwrap().items.is_empty());
}

#[test]
fn what_a_namespace_used_outlives_the_operator_the_last_schedule_and_the_namespace() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = Tenant::new(cluster, namespace).await;
        tenant.change_tier(json!({"minInterval": "15m"})).await;
        tenant.make_schedule("report", "{}").await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        tenant.trigger("report", "first").await;
        tenant.deliveries("report", 1).await;

        // The schedule is deleted while an operator runs, and made again with the next one.
        delete_report(&tenant).await;
        tenant.kill_operator();
        tenant.start_operator();
        made_anew_it_waits(&tenant).await;

        // The schedule is deleted and made again while no operator runs.
        tenant.kill_operator();
        delete_report(&tenant).await;
        tenant.start_operator();
        made_anew_it_waits(&tenant).await;

        // The namespace is deleted, and made again.
        tenant.kill_operator();
        let namespaces: Api<Namespace> = Api::all(tenant.cluster.client.clone());
        namespaces.delete(&tenant.namespace, &DeleteParams::default()).await.unwrap();
        eventually("the namespace to be gone", async || match namespaces.get_opt(&tenant.namespace).await.unwrap() {
            None => Ok(()),
            Some(there) => Err(there.status),
        })
        .await;
        let anew: Namespace = serde_json::from_value(json!({"metadata": {"name": tenant.namespace}})).unwrap();
        namespaces.create(&PostParams::default(), &anew).await.unwrap();
        tenant.set_tier(&tenant.namespace).await;
        tenant.start_operator();
        made_anew_it_waits(&tenant).await;
    });
}
