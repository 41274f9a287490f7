//! What a check says about a spec before its first delivery is due.

mod limits;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{ListParams, PostParams};
use postern::api::{CHECK_ANNOTATION, CheckResult, CheckStatus, DeliveryOutcome, WebhookScheduleStatus};
use postern_e2e::{Cluster, KEY, OK, Receiver, Tenant, eventually, on_cluster};
use serde_json::{Value, json};

async fn checking(cluster: Cluster, namespace: String, concurrency: u16) -> Tenant {
    let settings = json!({"preflight": {"enabled": true, "concurrency": concurrency}});
    Tenant::with_settings(cluster, namespace, settings).await
}

/// The Jobs of a schedule's checks that still exist.
async fn checks_of(tenant: &Tenant, schedule: &str) -> Vec<Job> {
    let theirs = ListParams::default().labels(&format!("postern.dev/schedule={schedule}"));
    let mut jobs = tenant.jobs().list(&theirs).await.unwrap().items;
    jobs.retain(|job| job.annotations().contains_key(CHECK_ANNOTATION));
    jobs
}

/// Waits until the result of a schedule's check is as `what` says.
async fn checked(tenant: &Tenant, schedule: &str, what: &str, met: impl Fn(&CheckStatus) -> bool) -> CheckStatus {
    eventually(what, async || {
        let status = tenant.status(schedule).await;
        status.checked.filter(&met).ok_or(status.conditions)
    })
    .await
}

/// Makes a Secret with a URL that leads to the API server.
async fn make_inward_secret(tenant: &Tenant) {
    let data = json!({"url": "https://10.96.0.1/a-canary", "key": KEY});
    let secret: Secret = serde_json::from_value(json!({"metadata": {"name": "inward"}, "stringData": data})).unwrap();
    tenant.secrets().create(&PostParams::default(), &secret).await.unwrap();
}

fn inward() -> Value {
    json!({"urlFrom": {"secretKeyRef": {"name": "inward", "key": "url"}}})
}

#[test]
fn what_a_delivery_would_be_refused_for_is_told_before_the_first() {
    on_cluster(|cluster, namespace| async move {
        let tenant = checking(cluster, namespace, 10).await;
        tenant.make_schedule_with("never", json!({"schedule": "0 0 31 2 *"})).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        make_inward_secret(&tenant).await;
        tenant.make_schedule_with("inward", json!({"target": inward(), "suspend": true})).await;
        let absent = json!([{"secretKeyRef": {"name": "hook", "key": "absent"}}]);
        tenant.make_schedule_with("keyless", json!({"signing": {"keysFrom": absent}})).await;
        tenant.make_schedule("good", "{}").await;

        let message = tenant.condition("inward", "TargetAllowed", "False", "AddressInternal").await;
        assert!(message.contains("10.96.0.1"), "{message}");
        assert_eq!(tenant.condition("inward", "Ready", "False", "AddressInternal").await, message);
        let told = eventually("the Event", async || tenant.events("AddressInternal").await.pop().ok_or("none")).await;
        assert_eq!(told, (format!("a delivery would not be sent: {message}"), 1));

        let message = tenant.condition("keyless", "TargetAllowed", "False", "ReferenceMissing").await;
        assert!(message.starts_with("Secret hook doesn't exist, or has no key absent"), "{message}");

        tenant.condition("good", "TargetAllowed", "True", "Allowed").await;
        let status = tenant.status("good").await;
        let found = status.checked.unwrap();
        assert_eq!((found.generation, found.result, found.value), (1, CheckResult::Allowed, None));
        assert!(found.target.unwrap().starts_with(&format!("https://hooks.{}.example:", tenant.namespace)));
        assert_eq!(found.key_fingerprints.len(), 1);

        assert!(receiver.requests().is_empty());
        for schedule in ["inward", "keyless", "good"] {
            let status = tenant.status(schedule).await;
            assert!(status.recent_deliveries.is_empty() && status.last_trigger.is_none(), "{status:?}");
            let cron_job = tenant.cron_job(schedule, "the CronJob", |_| true).await;
            assert_eq!(cron_job.status.and_then(|status| status.active), None, "it isn't the CronJob's");
        }
        tenant.condition("never", "Accepted", "False", "ScheduleInvalid").await;
        assert!(checks_of(&tenant, "never").await.is_empty());
    });
}

#[test]
fn a_check_costs_a_job_and_a_status() {
    on_cluster(|cluster, namespace| async move {
        let tenant = checking(cluster, namespace, 10).await;
        make_inward_secret(&tenant).await;
        let since = tenant.cluster.audit_log_length();
        tenant.make_schedule_with("report", json!({"target": inward()})).await;
        tenant.condition("report", "TargetAllowed", "False", "AddressInternal").await;
        let status = "update webhookschedules/status";
        eventually("the log to tell of a Job and a status, and of no other writes", async || {
            // Here the operator acts as the admin.
            let requests = tenant.cluster.requests_of("kubernetes-admin", since);
            let of_it = requests.iter().filter(|request| request.namespace == tenant.namespace && request.writes());
            let of_it = of_it.filter(|request| !matches!(&*request.resource, "webhookschedules" | "events"));
            let of_it = of_it.filter(|request| request.name.contains("report"));
            let mut writes: Vec<_> = of_it.map(|request| format!("{} {}", request.verb, request.resource)).collect();
            writes.sort();
            if writes == ["create cronjobs", "create jobs", status, status] { Ok(()) } else { Err(writes) }
        })
        .await;
    });
}

#[test]
fn a_changed_spec_is_checked_again_and_an_unchanged_one_is_not_even_by_the_next_operator() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = checking(cluster, namespace, 10).await;
        make_inward_secret(&tenant).await;
        tenant.make_schedule_with("report", json!({"target": inward()})).await;
        let first = checked(&tenant, "report", "the first check", |_| true).await;

        tenant.kill_operator();
        tenant.change("report", json!({"metadata": {"annotations": {"other": "x"}}})).await;
        tenant.start_operator();
        // Once the next operator has checked another schedule, it has looked at this one.
        tenant.make_schedule_with("later", json!({"target": inward()})).await;
        checked(&tenant, "later", "the other's check", |_| true).await;
        assert_eq!(tenant.status("report").await.checked.as_ref(), Some(&first));
        assert!(checks_of(&tenant, "report").await.len() <= 1);

        tenant.change("report", json!({"spec": {"body": {"inline": "[]"}}})).await;
        let second = checked(&tenant, "report", "the second check", |checked| checked.generation == 2).await;
        assert!(second.time > first.time, "{second:?}");
    });
}

#[test]
fn each_new_value_asks_for_a_check_and_a_later_delivery_counts_for_more() {
    on_cluster(|cluster, namespace| async move {
        let tenant = checking(cluster, namespace, 10).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        // A check is not a delivery, so it needs no gap to other deliveries.
        tenant.change_tier(json!({"minInterval": "1h"})).await;
        let other = json!([{"secretKeyRef": {"name": "hook", "key": "other"}}]);
        tenant.make_schedule_with("report", json!({"signing": {"keysFrom": other}})).await;
        tenant.condition("report", "TargetAllowed", "False", "ReferenceMissing").await;

        tenant.change_secret(json!({"other": KEY})).await;
        tenant.ask_for_check("report", "one").await;
        // A repeated check may have run by itself meanwhile.
        checked(&tenant, "report", "the first value's check", |checked| checked.value.as_deref() == Some("one")).await;
        tenant.condition("report", "TargetAllowed", "True", "Allowed").await;
        assert!(receiver.requests().is_empty());

        let url =
            String::from_utf8(tenant.secrets().get("hook").await.unwrap().data.unwrap()["url"].0.clone()).unwrap();
        tenant.change_secret(json!({"url": "https://10.96.0.1/"})).await;
        tenant.ask_for_check("report", "two").await;
        tenant.condition("report", "TargetAllowed", "False", "AddressInternal").await;
        assert_eq!(tenant.status("report").await.checked.unwrap().generation, 1);

        tenant.change_secret(json!({"url": url})).await;
        tenant.trigger("report", "now").await;
        let delivery = tenant.deliveries("report", 1).await.remove(0);
        assert_eq!(delivery.outcome, DeliveryOutcome::Delivered);
        let message = tenant.condition("report", "TargetAllowed", "True", "Allowed").await;
        assert_eq!(message, "the last delivery was not refused");
        receiver.only_request();
    });
}

#[test]
fn switched_off_nothing_is_checked() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.make_schedule("report", "{}").await;
        tenant.condition("report", "TargetAllowed", "Unknown", "NotTried").await;
        tenant.ask_for_check("report", "now").await;
        tenant.trigger("report", "now").await;
        tenant.deliveries("report", 1).await;
        assert!(checks_of(&tenant, "report").await.is_empty());
        assert_eq!(tenant.status("report").await.checked, None);
    });
}

#[test]
fn a_schedule_made_before_its_secret_is_ready_by_itself_soon_after_the_secret_is_there_and_not_before() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = checking(cluster, namespace, 10).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        let late = |key: &str| json!({"secretKeyRef": {"name": "late", "key": key}});
        tenant.make_schedule_with("report", json!({"signing": {"keysFrom": [late("key")]}})).await;
        let ready = |status: &WebhookScheduleStatus| {
            let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready");
            ready.map_or_else(String::new, |ready| format!("{} {}", ready.status, ready.reason))
        };
        eventually("a check that was repeated, and never Ready", async || {
            let status = tenant.status("report").await;
            assert!(["", "Unknown Checking", "False ReferenceMissing"].contains(&&*ready(&status)), "{status:?}");
            status.checked.filter(|checked| checked.repeats > 0).map(drop).ok_or(status.conditions)
        })
        .await;
        // The next operator continues the check.
        tenant.kill_operator();
        tenant.start_operator();
        let secret = json!({"metadata": {"name": "late"}, "stringData": {"key": KEY}});
        tenant.secrets().create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();

        let status = eventually("Ready", async || {
            let status = tenant.status("report").await;
            if ready(&status) == "True Ready" { Ok(status) } else { Err(status.conditions) }
        })
        .await;
        let found = status.checked.unwrap();
        assert_eq!((found.result, found.repeat_at, found.value), (CheckResult::Allowed, None, None));
        assert!(status.recent_deliveries.is_empty() && receiver.requests().is_empty());
        assert_eq!(tenant.events("ReferenceMissing").await.len(), 1);
        assert_eq!(tenant.events("ReferenceMissing").await[0].1, 1, "it is told once");
        let left = checks_of(&tenant, "report").await;
        assert!(left.len() <= 2, "{left:?}");
    });
}
