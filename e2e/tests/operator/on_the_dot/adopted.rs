//! How many Jobs are made early, and what becomes of them at their minute.

use kube::ResourceExt as _;
use kube::api::DeleteParams;
use postern::api::{DeliveryOutcome, WebhookTier};
use postern_e2e::{Tenant, eventually, on_cluster};
use serde_json::json;

use super::{LEAD, begun, begun_of, due, early_job, jobs, lead_of, led, recorded, sleep_until};

#[test]
fn a_delivery_is_sent_at_its_minute_by_a_pod_that_waited_and_the_controller_adopts_its_job() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let (_receiver, arrivals) = led(&tenant).await;
        let first = begun(&tenant, 0).await;
        let job = early_job(&tenant, 0).await;
        let dot = due(&job);
        assert!(first.status.unwrap().last_schedule_time.unwrap().0.as_second() < dot, "the first is the controller's");
        let made = job.creation_timestamp().unwrap().0.as_second();
        assert!((dot - LEAD..dot).contains(&made), "{made} {dot}");

        // It is adopted as it is.
        begun(&tenant, dot).await;
        let delivery = recorded(&tenant, dot).await;
        assert_eq!((delivery.outcome, delivery.attempts), (DeliveryOutcome::Delivered, 1), "{delivery:?}");
        assert_eq!(tenant.jobs().get(&job.name_any()).await.unwrap().uid(), job.uid());
        let of_the_minute = || {
            let arrivals = arrivals.lock().unwrap();
            arrivals
                .iter()
                .map(|at| at - dot * 1_000)
                .filter(|after| (-30_000..30_000).contains(after))
                .collect::<Vec<_>>()
        };
        let [after] = of_the_minute()[..] else { panic!("{:?}", of_the_minute()) };
        assert!(after >= 0, "sent {after} ms after its time");
        tenant.condition("report", "Ready", "True", "Ready").await;
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}

#[test]
fn no_more_jobs_wait_than_the_admin_allows_and_without_any_the_tier_says_so() {
    on_cluster(|cluster, namespace| async move {
        let one = json!({"delivery": {"maxEarly": 1}});
        let mut tenant = Tenant::with_settings(cluster.clone(), namespace.clone(), one).await;
        let _receiver = led(&tenant).await;
        tenant.make_schedule_with("other", json!({"schedule": "* * * * *"})).await;
        for schedule in ["report", "other"] {
            begun_of(&tenant, schedule, 0).await;
        }
        let job = early_job(&tenant, 5).await;
        // Both would have been made by now.
        sleep_until(due(&job) - 5).await;
        let waiting = jobs(&tenant).await.iter().filter(|other| due(other) == due(&job)).count();
        assert_eq!(waiting, 1);
        tenant.stop_operator();

        let mut tenant =
            Tenant::with_settings(cluster.clone(), namespace.clone(), json!({"delivery": {"maxEarly": 0}})).await;
        tenant.change_tier(json!({"lead": "30s"})).await;
        tenant.cron_job("report", "no lead in the delivery", |cron_job| lead_of(cron_job).is_none()).await;
        let tiers: kube::Api<WebhookTier> = kube::Api::all(cluster.client.clone());
        eventually("the tier to say that its lead has no effect", async || {
            let conditions = tiers.get(&namespace).await.unwrap().status.unwrap_or_default().conditions;
            let told = conditions.iter().any(|condition| condition.message.contains("spec.lead has no effect"));
            if told { Ok(()) } else { Err(conditions) }
        })
        .await;
        for schedule in ["report", "other"] {
            tenant.schedules.delete(schedule, &DeleteParams::default()).await.unwrap();
        }
        tenant.stop_operator();
    });
}
