//! Deliveries, from the schedule to the request that arrives, and back to the status.

use std::io::Read as _;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, EvictParams, ListParams, ObjectMeta, PostParams};
use postern::api::DeliveryOutcome;
use postern_e2e::{Certificates, KEY, OK, Receiver, Tenant, on_cluster};
use serde_json::json;
use standardwebhooks::Webhook;

const GONE: &str = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
const REJECTED: &str = "HTTP/1.1 422 Unprocessable Content\r\ncontent-length: 0\r\n\r\n";

#[test]
fn a_schedule_becomes_a_delivery_that_the_official_library_verifies_and_its_status_says_so() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        tenant.cluster.restrict(&tenant.namespace).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.make_schedule("report", r#"{"type":"report.due","data":{}}"#).await;

        tenant.condition("report", "Ready", "True", "Ready").await;
        tenant.tick("report").await;

        tenant.deliveries("report", 1).await;
        let status = tenant.status("report").await;
        let last = status.last_delivery.clone().unwrap();
        assert_eq!(
            (last.outcome, last.http_status, last.attempts),
            (DeliveryOutcome::Delivered, Some(200), 1),
            "{last:?}"
        );
        let target = format!("https://hooks.{}.example:{}/...", tenant.namespace, receiver.port);
        assert_eq!(last.target.as_deref(), Some(&*target));
        assert!(!serde_json::to_string(&status).unwrap().contains("a-canary"));
        tenant.condition("report", "Healthy", "True", "Delivering").await;
        tenant.condition("report", "TargetAllowed", "True", "Allowed").await;

        let request = receiver.only_request();
        Webhook::new(KEY).unwrap().verify(&request.body, &request.header_map()).unwrap();
        assert_eq!(request.header("webhook-id"), last.id.as_deref());
    });
}

#[test]
fn a_url_that_leads_inward_and_a_missing_key_are_named_in_the_conditions() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let certificates = Certificates::good("unused.example");
        tenant.make_secret(json!({"url": "https://10.96.0.1/"}), &certificates).await;
        tenant.make_schedule("inward", "{}").await;
        tenant.tick("inward").await;
        let message = tenant.condition("inward", "TargetAllowed", "False", "AddressInternal").await;
        assert!(message.contains("10.96.0.1 is in 10.96.0.1/32, one of the cluster's own ranges"), "{message}");

        tenant.change_secret(json!({"url": "https://hooks.example/"})).await;
        tenant.make_schedule("keyless", "{}").await;
        tenant.tick("keyless").await;
        let message = tenant.condition("keyless", "Ready", "False", "ReferenceMissing").await;
        assert!(message.contains("Secret hook doesn't exist, or has no key key"), "{message}");
    });
}

#[test]
fn a_secret_that_appears_or_changes_is_used_by_the_next_delivery() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        let secret = tenant.secrets().get("hook").await.unwrap();
        tenant.secrets().delete("hook", &DeleteParams::default()).await.unwrap();
        tenant.make_schedule("report", "{}").await;
        tenant.tick_of("report", 2).await;
        let message = tenant.condition("report", "Ready", "False", "ReferenceMissing").await;
        assert!(message.contains("Secret hook"), "{message}");

        let data = Secret { metadata: ObjectMeta { name: secret.metadata.name, ..ObjectMeta::default() }, ..secret };
        tenant.secrets().create(&PostParams::default(), &data).await.unwrap();
        tenant.tick_of("report", 1).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        receiver.await_request();
        let other_key = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        tenant.change_secret(json!({"key": other_key})).await;
        tenant.tick("report").await;
        tenant.deliveries("report", 3).await;
        let requests = receiver.requests();
        for (request, key) in requests.iter().zip([KEY, other_key]) {
            Webhook::new(key).unwrap().verify(&request.body, &request.header_map()).unwrap();
        }
        assert_eq!(requests.len(), 2);
    });
}

#[test]
fn each_failure_and_the_recovery_is_told_by_an_event_and_failures_of_one_reason_are_counted() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([REJECTED, REJECTED, OK])).await;
        tenant.make_schedule("report", "{}").await;
        for minutes_ago in [3, 2] {
            tenant.tick_of("report", minutes_ago).await;
            tenant.deliveries("report", 4 - usize::try_from(minutes_ago).unwrap()).await;
        }
        tenant.tick_of("report", 1).await;
        tenant.deliveries("report", 3).await;
        let failures = tenant.events_reach("RequestRejected", 2).await;
        assert!(matches!(&failures[..], [(note, 2)] if note.contains("ended as FailedPermanently")), "{failures:?}");
        let recovery = tenant.events_reach("Recovered", 1).await;
        assert!(matches!(&recovery[..], [(note, 1)] if note.ends_with("arrived")), "{recovery:?}");
    });
}

#[test]
fn a_receiver_that_is_gone_pauses_the_cron_job_and_not_the_spec_until_the_spec_changes() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([GONE, OK])).await;
        tenant.make_schedule("report", "{}").await;
        tenant.tick("report").await;
        let message = tenant.condition("report", "Ready", "False", "ReceiverGone").await;
        assert!(message.contains("postern.dev/trigger"), "{message}");
        tenant.cron_job("report", "a pause", |cron_job| cron_job.spec.suspend == Some(true)).await;
        assert!(!tenant.schedules.get("report").await.unwrap().spec.suspend);
        tenant.change("report", json!({"spec": {"body": {"inline": "{\"new\":true}"}}})).await;
        tenant.cron_job("report", "the end of the pause", |cron_job| cron_job.spec.suspend == Some(false)).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
    });
}

#[test]
fn suspending_resuming_and_making_anew_under_the_same_name() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let certificates = Certificates::good("unused.example");
        tenant.make_secret(json!({"url": "https://10.96.0.1/"}), &certificates).await;
        tenant.make_schedule_with("report", json!({"schedule": "H 3 * * *", "timeZone": "America/New_York"})).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        let before = tenant.status("report").await;
        assert!(before.next_delivery_time.is_some());
        tenant.change("report", json!({"spec": {"suspend": true}})).await;
        tenant.condition("report", "Scheduled", "False", "Suspended").await;
        tenant.cron_job("report", "a pause", |cron_job| cron_job.spec.suspend == Some(true)).await;
        assert_eq!(tenant.status("report").await.next_delivery_time, None);
        tenant.change("report", json!({"spec": {"suspend": null}})).await;
        tenant.cron_job("report", "the end of the pause", |cron_job| cron_job.spec.suspend == Some(false)).await;
        tenant.condition("report", "Scheduled", "True", "Scheduled").await;
        assert_eq!(tenant.status("report").await.resolved_schedule, before.resolved_schedule);
        for (value, suspended, status, reason) in
            [(json!("true"), true, "False", "Suspended"), (json!(null), false, "True", "Scheduled")]
        {
            tenant.change("report", json!({"metadata": {"annotations": {"postern.dev/suspend": value}}})).await;
            tenant.cron_job("report", "the annotation", |cron_job| cron_job.spec.suspend == Some(suspended)).await;
            tenant.condition("report", "Scheduled", status, reason).await;
        }

        tenant.tick("report").await;
        tenant.deliveries("report", 1).await;
        tenant.schedules.delete("report", &DeleteParams::background()).await.unwrap();
        tenant.make_schedule("report", "{}").await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        let again = tenant.status("report").await;
        assert_eq!((again.recent_deliveries.len(), again.resolved_schedule.as_deref()), (0, Some("@yearly")));
    });
}

#[test]
fn a_delivery_whose_pod_is_evicted_is_made_by_another_pod_under_the_same_id_and_recorded_once() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let (mut answer, mut is_first) = (Receiver::by_turns([OK]), true);
        let receiver = tenant
            .receiver(move |stream| {
                if std::mem::take(&mut is_first) {
                    // A sender that waits for an answer sends nothing, so this returns when the sender is gone.
                    return stream.read(&mut [0]).map(drop);
                }
                answer(stream)
            })
            .await;
        tenant.make_schedule("report", "{}").await;
        tenant.tick("report").await;
        receiver.await_request();
        let pods = tenant.pods();
        let pod = pods.list(&ListParams::default()).await.unwrap().items.remove(0).metadata.name.unwrap();
        pods.evict(&pod, &EvictParams::default()).await.unwrap();
        let delivery = tenant.deliveries("report", 1).await.remove(0);
        assert_eq!(delivery.outcome, DeliveryOutcome::Delivered);
        let ids: Vec<_> =
            receiver.requests().iter().map(|request| request.header("webhook-id").map(str::to_owned)).collect();
        assert_eq!(ids, [delivery.id.clone(), delivery.id]);
    });
}
