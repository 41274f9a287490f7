//! Jobs that are gone before their minute, so that the CronJob controller makes them.

use kube::ResourceExt as _;
use kube::api::{DeleteParams, EvictParams};
use postern::api::{DeliveryOutcome, DeliveryStatus};
use postern::operator::names::{self, EARLY_ANNOTATION, GENERATION_ANNOTATION};
use postern_e2e::{Tenant, eventually, on_cluster};
use serde_json::json;

use super::{begun, due, early_job, led, now, recorded, sleep_until, successor, waiting_sender};

#[test]
fn a_change_withdraws_the_job_that_waits_and_the_controller_makes_the_changed_one() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = Tenant::new(cluster, namespace).await;
        let (receiver, _) = led(&tenant).await;
        let job = early_job(&tenant, 20).await;
        // The next operator knows by the caches alone what this one made.
        tenant.kill_operator();
        tenant.start_operator();
        tenant.operator_has_filled_its_caches().await;
        tenant.change("report", json!({"spec": {"body": {"inline": "changed"}}})).await;

        let made_anew = successor(&tenant, &job).await;
        assert_eq!(made_anew.annotations().get(GENERATION_ANNOTATION).map(String::as_str), Some("2"));
        begun(&tenant, due(&job)).await;
        let delivery = recorded(&tenant, due(&job)).await;
        assert_eq!((delivery.outcome, delivery.generation), (DeliveryOutcome::Delivered, Some(2)), "{delivery:?}");
        let recent = tenant.status("report").await.recent_deliveries;
        assert!(recent.iter().all(|delivery| delivery.outcome == DeliveryOutcome::Delivered), "{recent:?}");
        assert!(tenant.events("Interrupted").await.is_empty());
        let id = delivery.id.as_deref();
        let requests = receiver.requests();
        let bodies: Vec<_> = requests.iter().filter(|request| request.header("webhook-id") == id).collect();
        assert_eq!(bodies.len(), 1);
        assert_eq!(bodies[0].body, b"changed");
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}

#[test]
fn a_suspension_withdraws_the_job_that_waits_and_nothing_of_it_is_recorded() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let (receiver, _) = led(&tenant).await;
        let job = early_job(&tenant, 15).await;
        tenant.change("report", json!({"spec": {"suspend": true}})).await;
        eventually("the Job to be gone", async || match tenant.jobs().get_opt(&job.name_any()).await.unwrap() {
            None => Ok(()),
            Some(job) => Err(job.metadata),
        })
        .await;
        assert!(now() < due(&job), "in time");
        let before = receiver.requests().len();
        sleep_until(due(&job) + 2).await;
        tenant.condition("report", "Scheduled", "False", "Suspended").await;
        assert_eq!((tenant.jobs().get_opt(&job.name_any()).await.unwrap(), receiver.requests().len()), (None, before));
        let recent = tenant.status("report").await.recent_deliveries;
        let is_it = |delivery: &DeliveryStatus| delivery.scheduled_time.as_ref().unwrap().0.as_second() == due(&job);
        assert!(!recent.iter().any(is_it), "{recent:?}");
    });
}

#[test]
fn a_pod_that_is_lost_while_it_waits_leaves_its_delivery_to_the_controller() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = led(&tenant).await;
        let (job, pod) = waiting_sender(&tenant, 15).await;
        tenant.pods().evict(&pod.name_any(), &EvictParams::default()).await.unwrap();
        let made_anew = successor(&tenant, &job).await;
        assert!(!made_anew.annotations().contains_key(EARLY_ANNOTATION), "{:?}", made_anew.metadata);
        let delivery = recorded(&tenant, due(&job)).await;
        assert_eq!((delivery.outcome, delivery.attempts), (DeliveryOutcome::Delivered, 1), "{delivery:?}");
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}

#[test]
fn a_job_that_is_deleted_by_hand_while_it_waits_is_made_by_the_controller() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = led(&tenant).await;
        let job = early_job(&tenant, 6).await;
        tenant.jobs().delete(&job.name_any(), &DeleteParams::background()).await.unwrap();
        let made_anew = successor(&tenant, &job).await;
        assert!(!made_anew.annotations().contains_key(EARLY_ANNOTATION), "{:?}", made_anew.metadata);
        assert_eq!(recorded(&tenant, due(&job)).await.outcome, DeliveryOutcome::Delivered);
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}

#[test]
fn a_cron_job_that_is_made_anew_does_not_meet_the_job_that_the_former_one_made_early() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = led(&tenant).await;
        let job = early_job(&tenant, 15).await;
        tenant.cron_jobs.delete(&names::cron_job("report"), &DeleteParams::background()).await.unwrap();
        let made_anew = successor(&tenant, &job).await;
        let cron_job = begun(&tenant, due(&job)).await;
        assert_eq!(made_anew.owner_references()[0].uid, cron_job.uid().unwrap());
        assert_eq!(recorded(&tenant, due(&job)).await.outcome, DeliveryOutcome::Delivered);
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}
