//! Each limit of a tier, at its boundary, with the message that a tenant reads.

use serde_json::json;

use super::*;
use crate::operator::test_support::objects;
use crate::operator::tier::quota::Quotas;

const NOW: i64 = 1_800_000_000;

/// Validates a schedule with this spec in a tier with this spec, with these older schedules in the namespace.
#[expect(clippy::needless_pass_by_value, reason = "tests write the changes where they call it")]
fn judge(spec: serde_json::Value, tier: serde_json::Value, older: &[&str]) -> Result<(), (&'static str, String)> {
    let (mut schedule, mut allowed) = (objects::schedule(), objects::tier());
    let mut asked = serde_json::to_value(&schedule.spec).unwrap();
    asked.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    schedule.spec = serde_json::from_value(asked).unwrap();
    let mut limit = serde_json::to_value(&allowed.spec).unwrap();
    limit.as_object_mut().unwrap().extend(tier.as_object().unwrap().clone());
    allowed.spec = serde_json::from_value(limit).unwrap();
    allowed.metadata.name = Some("free".into());

    let quotas = Quotas::default();
    for (index, expression) in older.iter().enumerate() {
        let mut other = objects::schedule();
        other.metadata.name = Some(format!("other-{index}"));
        // Created in the same second, with a UID that sorts first.
        other.metadata.uid = Some(format!("0-{index}"));
        other.spec.schedule = (*expression).into();
        quotas.note(&other, NOW);
    }
    quotas.note(&schedule, NOW);
    let share = quotas.recomputed(&schedule, (&allowed.spec).into(), NOW).unwrap();
    let zone = crate::cron::time_zone(&schedule.spec.time_zone).unwrap();
    let refuse = |refusal: Refusal| (refusal.reason(), refusal.to_string());
    limits(&schedule.spec, &zone, &allowed, &share, NOW).map_err(refuse)
}

fn refused(reason: &'static str, message: &str) -> Result<(), (&'static str, String)> {
    Err((reason, message.into()))
}

#[test]
fn the_interval_is_that_of_the_tightest_two_deliveries() {
    let quarterly = |spec| judge(spec, json!({"minInterval": "15m"}), &[]);
    assert_eq!(quarterly(json!({"schedule": "*/15 * * * *"})), Ok(()));
    assert_eq!(
        quarterly(json!({"schedule": "* * * * *"})),
        refused(
            "IntervalTooShort",
            "spec.schedule: fires every 60 s at its tightest; tier free allows 900 s; the closest allowed: */15 * * * *"
        )
    );
    let over_midnight = quarterly(json!({"schedule": "0,50 0,23 * * *"}));
    assert!(over_midnight.unwrap_err().1.contains("fires every 600 s at its tightest"), "23:50 and 0:00");
    let in_spring =
        judge(json!({"schedule": "0 3 * * *", "timeZone": "Europe/Berlin"}), json!({"minInterval": "24h"}), &[]);
    assert!(
        in_spring
            .unwrap_err()
            .1
            .ends_with("82800 s at its tightest; tier free allows 86400 s; the closest allowed: 0 0 * * 0")
    );
    let never = judge(json!({"schedule": "@yearly"}), json!({"minInterval": "8784h"}), &[]).unwrap_err().1;
    assert!(never.ends_with("the closest allowed: none that fires every year"), "{never}");
}

#[test]
fn the_interval_is_held_to_the_second() {
    let limit =
        |seconds: u32| judge(json!({"schedule": "*/15 * * * *"}), json!({"minInterval": format!("{seconds}s")}), &[]);
    assert_eq!(limit(899), Ok(()));
    assert_eq!(limit(900), Ok(()));
    let message =
        "spec.schedule: fires every 900 s at its tightest; tier free allows 901 s; the closest allowed: */20 * * * *";
    assert_eq!(limit(901), refused("IntervalTooShort", message));
}

#[test]
fn attempts_timeout_and_body_are_bounded() {
    let delivery = |field: &str, value: u32| {
        judge(json!({"delivery": {field: value}}), json!({"maxAttempts": 5, "maxTimeoutSeconds": 30}), &[])
    };
    assert_eq!(delivery("attempts", 5), Ok(()));
    assert_eq!(
        delivery("attempts", 6),
        refused("TooManyAttempts", "spec.delivery.attempts: 6 is more than tier free allows: at most 5")
    );
    assert_eq!(delivery("timeoutSeconds", 30), Ok(()));
    assert_eq!(
        delivery("timeoutSeconds", 31),
        refused("TimeoutTooLong", "spec.delivery.timeoutSeconds: 31 is more than tier free allows: at most 30")
    );
    let body = |text: &str| judge(json!({"body": {"inline": text}}), json!({"maxBodyBytes": 4}), &[]);
    assert_eq!(body("äö"), Ok(()));
    assert_eq!(
        body("äöx"),
        refused("BodyTooLarge", "spec.body.inline: 5 bytes are more than tier free allows: at most 4")
    );
}

#[test]
fn schedules_are_counted_by_age() {
    let limit = |most: u32| judge(json!({}), json!({"maxSchedules": most}), &["0 1 * * *", "0 2 * * *"]);
    assert_eq!(limit(3), Ok(()));
    assert_eq!(
        limit(2),
        refused(
            "TooManySchedules",
            "tier free allows 2 schedules in a namespace, and the namespace has as many older ones: delete one, or \
             ask your admin"
        )
    );
    assert_eq!(judge(json!({}), json!({"maxSchedules": 0}), &[]).unwrap_err().0, "TooManySchedules");
}

#[test]
fn deliveries_of_an_hour_are_added_up_from_the_oldest() {
    let limit = |most: u32| {
        judge(json!({"schedule": "*/30 * * * *"}), json!({"maxDeliveriesPerHour": most}), &["*/15 * * * *"])
    };
    assert_eq!(limit(6), Ok(()));
    assert_eq!(
        limit(5),
        refused(
            "TooManyDeliveries",
            "spec.schedule: up to 2 deliveries in an hour; tier free allows 5 for all schedules of the namespace \
             together, and older schedules leave fewer: deliver less often here or there, or ask your admin"
        )
    );
}
