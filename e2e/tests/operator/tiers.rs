//! What a tier allows, at its limits, and the ways round them that a tenant may try.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use postern_e2e::{OK, Receiver, Tenant, eventually, on_cluster};
use serde_json::json;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// An hourly schedule, at this minute of Unix time.
fn hourly_at(minute: u64) -> String {
    format!("{} * * * *", minute % 60)
}

/// The time until which a schedule is held, in Unix seconds.
async fn held_until(tenant: &Tenant, schedule: &str) -> u64 {
    tenant.condition(schedule, "Ready", "True", "Ready").await;
    let until = eventually("it to be held", async || {
        let status = tenant.status(schedule).await;
        let scheduled = status.conditions.iter().find(|condition| condition.type_ == "Scheduled");
        let (Some(scheduled), Some(until)) = (scheduled, &status.held_until) else { return Err(status.conditions) };
        assert_eq!((scheduled.status.as_str(), scheduled.reason.as_str()), ("False", "Held"));
        let message = &scheduled.message;
        assert!(
            message.contains(&format!(
                " allows the next delivery at {} (minInterval, maxDeliveriesPerHour), and nothing is sent before;",
                until.0
            )),
            "{message}"
        );
        assert_eq!(status.next_delivery_time.as_ref(), Some(until));
        Ok(until.0.as_second())
    })
    .await;
    tenant.cron_job(schedule, "a pause", |cron_job| cron_job.spec.suspend == Some(true)).await;
    u64::try_from(until).unwrap()
}

#[test]
fn the_smallest_gap_is_held_to_the_second_and_a_schedule_follows_its_tier() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace.clone()).await;
        tenant.make_schedule_with("report", json!({"schedule": "*/15 * * * *"})).await;
        for allowed in [899, 900] {
            // The port shows that the operator has seen this version of the tier.
            tenant.change_tier(json!({"minInterval": format!("{allowed}s"), "allowedPorts": [allowed]})).await;
            tenant.may_use_port("report", allowed).await;
            tenant.condition("report", "Accepted", "True", "Accepted").await;
        }
        let message = format!(
            "spec.schedule: fires every 900 s at its tightest; tier {namespace} allows 901 s; the closest allowed: \
             */20 * * * *"
        );
        tenant.change_tier(json!({"minInterval": "901s"})).await;
        assert_eq!(tenant.condition("report", "Accepted", "False", "IntervalTooShort").await, message);
        assert_eq!(tenant.condition("report", "Ready", "False", "IntervalTooShort").await, message);
        let before = tenant.cron_job("report", "a pause", |cron_job| cron_job.spec.suspend == Some(true)).await;
        let told = eventually("the Event", async || tenant.events("IntervalTooShort").await.pop().ok_or("none")).await;
        assert_eq!(told, (message, 1));

        tenant.change_tier(json!({"minInterval": "15m"})).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        let after = tenant.cron_job("report", "no pause", |cron_job| cron_job.spec.suspend == Some(false)).await;
        assert_eq!(after.uid(), before.uid(), "it was paused, not deleted");
    });
}

#[test]
fn each_number_of_a_delivery_is_bounded() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace.clone()).await;
        tenant.change_tier(json!({"maxAttempts": 4, "maxTimeoutSeconds": 20, "maxBodyBytes": 100})).await;
        let at_the_edge =
            json!({"delivery": {"attempts": 4, "timeoutSeconds": 20}, "body": {"inline": "x".repeat(100)}});
        tenant.make_schedule_with("report", at_the_edge).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        for (change, back, reason, message) in [
            (
                json!({"delivery": {"attempts": 5}}),
                json!({"delivery": {"attempts": 4}}),
                "TooManyAttempts",
                format!("spec.delivery.attempts: 5 is more than tier {namespace} allows: at most 4"),
            ),
            (
                json!({"delivery": {"timeoutSeconds": 21}}),
                json!({"delivery": {"timeoutSeconds": 20}}),
                "TimeoutTooLong",
                format!("spec.delivery.timeoutSeconds: 21 is more than tier {namespace} allows: at most 20"),
            ),
            (
                json!({"body": {"inline": "x".repeat(101)}}),
                json!({"body": {"inline": "x"}}),
                "BodyTooLarge",
                format!("spec.body.inline: 101 bytes are more than tier {namespace} allows: at most 100"),
            ),
        ] {
            tenant.change("report", json!({"spec": change})).await;
            assert_eq!(tenant.condition("report", "Accepted", "False", reason).await, message);
            tenant.change("report", json!({"spec": back})).await;
            tenant.condition("report", "Ready", "True", "Ready").await;
        }
    });
}

#[test]
fn over_a_quota_the_oldest_keep_working_and_the_next_follows_when_one_goes() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace.clone()).await;
        tenant.change_tier(json!({"maxSchedules": 2, "maxDeliveriesPerHour": 3})).await;
        // Among schedules of the same second, the UID decides; so each waits for the next second.
        for (name, schedule) in [("first", "0 * * * *"), ("second", "*/30 * * * *"), ("third", "0 * * * *")] {
            let second = now();
            eventually("the next second", async || if now() > second { Ok(()) } else { Err(()) }).await;
            tenant.make_schedule_with(name, json!({"schedule": schedule})).await;
        }
        tenant.condition("first", "Ready", "True", "Ready").await;
        tenant.condition("second", "Ready", "True", "Ready").await;
        let message = format!(
            "tier {namespace} allows 2 schedules in a namespace, and the namespace has as many older ones: delete \
             one, or ask your admin"
        );
        assert_eq!(tenant.condition("third", "Ready", "False", "TooManySchedules").await, message);

        tenant.change_tier(json!({"maxSchedules": 3})).await;
        let message = format!(
            "spec.schedule: up to 1 deliveries in an hour; tier {namespace} allows 3 for all schedules of the \
             namespace together, and older schedules leave fewer: deliver less often here or there, or ask your admin"
        );
        assert_eq!(tenant.condition("third", "Ready", "False", "TooManyDeliveries").await, message);
        tenant.schedules.delete("first", &DeleteParams::default()).await.unwrap();
        tenant.condition("third", "Ready", "True", "Ready").await;
        tenant.condition("second", "Ready", "True", "Ready").await;
    });
}

#[test]
fn a_flood_of_triggers_comes_to_one_delivery_in_each_interval() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.make_schedule("report", "{}").await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        tenant.trigger("report", "first").await;
        let first = tenant.deliveries("report", 1).await.remove(0);
        for value in 1..=50 {
            tenant.trigger("report", &value.to_string()).await;
        }
        let at = first.scheduled_time.unwrap().0 + k8s_openapi::jiff::SignedDuration::from_secs(60);
        eventually("the wait of the last", async || {
            let message = tenant.condition("report", "Scheduled", "True", "Scheduled").await;
            let waits = format!("; the triggered delivery is made at {at}, the earliest time that the tier allows");
            if message.ends_with(&waits) { Ok(()) } else { Err(message) }
        })
        .await;
        let both = tenant.deliveries("report", 2).await;
        assert!(both[0].scheduled_time.as_ref().unwrap().0 >= at, "{both:?}");
        assert_eq!(tenant.status("report").await.last_trigger.unwrap().value, "50");
        assert_eq!(tenant.jobs().list(&ListParams::default()).await.unwrap().items.len(), 2);
    });
}

#[test]
fn moving_the_minute_and_making_anew_deliver_no_sooner() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.change_tier(json!({"minInterval": "10m"})).await;

        // It delivers now, and is then moved to the next minutes.
        tenant.make_schedule("moved", "{}").await;
        tenant.trigger("moved", "now").await;
        let last = tenant.deliveries("moved", 1).await.remove(0).scheduled_time.unwrap().0.as_second();
        let last = u64::try_from(last).unwrap();
        for minutes in [3, 5, 9] {
            let minute = last / 60 + minutes;
            tenant.change("moved", json!({"spec": {"schedule": hourly_at(minute)}})).await;
            let until = eventually("the new minute", async || {
                let until = held_until(&tenant, "moved").await;
                if until / 60 % 60 == minute % 60 { Ok(until) } else { Err(until) }
            })
            .await;
            assert_eq!(until, minute * 60 + 3_600, "ten minutes after {last}, and not sooner");
        }
        tenant.change("moved", json!({"spec": {"schedule": hourly_at(last / 60 + 12)}})).await;
        tenant.cron_job("moved", "no pause", |cron_job| cron_job.spec.suspend == Some(false)).await;

        // The schedule is deleted, and another is made under another name.
        tenant.schedules.delete("moved", &DeleteParams::default()).await.unwrap();
        eventually("its end", async || match tenant.schedules.get_opt("moved").await {
            Ok(None) => Ok(()),
            other => Err(other),
        })
        .await;
        tenant.make_schedule_with("anew", json!({"schedule": hourly_at(last / 60 + 5)})).await;
        assert_eq!(held_until(&tenant, "anew").await, (last / 60 + 5) * 60 + 3_600);
    });
}

#[test]
fn a_resumed_schedule_makes_up_for_nothing_that_is_close_to_its_next_delivery() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.make_schedule_with("report", json!({"suspend": true})).await;
        tenant.condition("report", "Scheduled", "False", "Suspended").await;
        // The CronJob exists, and would catch up on what is due from now on.
        let due = now() / 60 + 1;
        tenant.change("report", json!({"spec": {"schedule": hourly_at(due)}})).await;
        tenant.cron_job("report", "the minute", |cron_job| cron_job.spec.schedule == hourly_at(due)).await;
        // More than the ten seconds that count as on time.
        let missed = due * 60 + 15;
        while now() < missed {
            tokio::time::sleep(Duration::from_secs(missed - now())).await;
        }
        tenant.change("report", json!({"spec": {"suspend": false}})).await;
        assert_eq!(held_until(&tenant, "report").await, due * 60 + 3_600);
        assert!(tenant.jobs().list(&ListParams::default()).await.unwrap().items.is_empty());
    });
}

#[test]
fn a_namespace_follows_its_label_at_once() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace.clone()).await;
        tenant.make_schedule_with("report", json!({"schedule": "*/15 * * * *"})).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        let strict = format!("{namespace}-strict");
        tenant.cluster.make_tier(&strict, json!({"minInterval": "1h"})).await;
        tenant.set_tier(&strict).await;
        let message = tenant.condition("report", "Accepted", "False", "IntervalTooShort").await;
        assert!(message.contains(&format!("tier {strict} allows 3600 s; the closest allowed: 0 * * * *")), "{message}");
        tenant.cron_job("report", "a pause", |cron_job| cron_job.spec.suspend == Some(true)).await;
        tenant.set_tier("no-such-tier").await;
        tenant.condition("report", "Accepted", "False", "TierNotFound").await;
        tenant.set_tier(&namespace).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
    });
}

#[test]
fn a_trigger_between_two_minutes_takes_the_place_of_the_next_and_the_gaps_are_kept() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.make_schedule_with("report", json!({"schedule": "* * * * *"})).await;
        tenant.deliveries("report", 1).await;
        tenant.trigger("report", "now").await;
        held_until(&tenant, "report").await;
        tenant.deliveries("report", 2).await;
        // The CronJob starts this delivery by itself again.
        let three = tenant.deliveries("report", 3).await;
        assert_eq!(tenant.status("report").await.last_trigger.map(|trigger| trigger.id), three[1].id, "{three:?}");
        let times: Vec<_> =
            three.iter().map(|delivery| delivery.scheduled_time.as_ref().unwrap().0.as_second()).collect();
        assert!(times.windows(2).all(|pair| pair[0] - pair[1] >= 60), "{times:?}");
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}
