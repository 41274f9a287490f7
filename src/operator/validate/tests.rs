//! What is refused, with the message that a tenant reads; and what the rest becomes.

use serde_json::json;

use super::*;
use crate::delivery::{Run, ValueSource};
use crate::operator::test_support::objects::{schedule, settings, share_of, tier, valid_with};

fn refusal(change: serde_json::Value) -> (&'static str, String) {
    let refusal = valid_with(change).unwrap_err();
    (refusal.reason(), refusal.to_string())
}

#[test]
fn refuses_a_schedule_that_cannot_be_read() {
    let (reason, message) = refusal(json!({"schedule": "61 * * * *"}));
    assert_eq!(reason, "ScheduleInvalid");
    assert!(message.starts_with("spec.schedule: "), "{message}");
    assert!(message.contains("minute"), "{message}");
}

#[test]
fn refuses_a_schedule_that_never_comes() {
    let (reason, message) = refusal(json!({"schedule": "0 0 31 2 *"}));
    assert_eq!(reason, "ScheduleInvalid");
    assert!(message.starts_with("spec.schedule: there is no such date, so nothing would ever be sent: "), "{message}");
    for meant in ["spec.suspend", crate::api::TRIGGER_ANNOTATION] {
        assert!(message.contains(meant), "{message}");
    }
    let message =
        "spec.schedule: the minute field has commas and no number, so nothing would ever be sent: write numbers or *";
    assert_eq!(refusal(json!({"schedule": ", * * * *"})), ("ScheduleInvalid", message.into()));
    let message = message.replace("minute", "day-of-month");
    assert_eq!(refusal(json!({"schedule": "0 0 ,, * *"})), ("ScheduleInvalid", message));
}

#[test]
fn refuses_a_zone_that_does_not_exist() {
    let (reason, message) = refusal(json!({"timeZone": "Europe/Atlantis"}));
    assert_eq!(reason, "TimeZoneUnknown");
    assert!(message.starts_with("spec.timeZone: ") && message.contains("Europe/Atlantis"), "{message}");
}

#[test]
fn refuses_what_the_contract_does_not_allow_with_the_field_that_is_wrong() {
    let (reason, message) = refusal(json!({"target": {"headers": [{"name": "Host", "value": "x"}]}}));
    assert_eq!(reason, "SpecInvalid");
    assert!(message.starts_with("the sender would refuse this: headers[0].name: "), "{message}");
}

#[test]
fn refuses_two_sources_and_none() {
    let two = json!({"body": {"secretKeyRef": {"name": "a", "key": "b"}}});
    assert_eq!(refusal(two), ("SpecInvalid", "spec.body: give exactly one source".into()));
    let none = json!({"target": {"headers": [{"name": "X-Team"}]}});
    assert_eq!(refusal(none), ("SpecInvalid", "spec.target.headers[0]: give exactly one source".into()));
}

#[test]
fn refuses_a_body_that_is_too_large_once_it_is_escaped() {
    let (reason, message) = refusal(json!({"body": {"inline": "\u{1}".repeat(60_000)}}));
    assert_eq!(reason, "SpecInvalid");
    assert!(message.starts_with("spec.body.inline: ") && message.ends_with("use configMapKeyRef or secretKeyRef"));
}

#[test]
fn refuses_to_send_by_a_tier_with_a_mistake_in_it() {
    for (field, change) in [
        ("spec.allowedHosts[0]", json!({"allowedHosts": ["https://example.com"]})),
        ("spec.deniedHosts[1]", json!({"deniedHosts": ["a.example", "a*.example"]})),
        ("spec.allowedCIDRs[0]", json!({"allowedCIDRs": ["10.0.0.0/33"]})),
    ] {
        let mut spec = serde_json::to_value(tier().spec).unwrap();
        spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let tier = WebhookTier { spec: serde_json::from_value(spec).unwrap(), ..tier() };
        let refusal = egress_rules::rules(&tier, &OwnAddresses::default(), &settings()).unwrap_err();
        assert_eq!(refusal.reason(), "TierInvalid");
        let message = refusal.to_string();
        let start = format!("the WebhookTier premium has a mistake, so nothing is sent: {field}: ");
        assert!(message.starts_with(&start), "{message}");
    }
}

#[test]
fn picks_h_and_the_second_from_the_uid_and_nothing_else() {
    let (one, again) = (valid_with(json!({})).unwrap(), valid_with(json!({"suspend": true})).unwrap());
    assert_eq!(one.expression, again.expression);
    assert_eq!(one.delivery.run, again.delivery.run);
    let Run::Scheduled(timing) = one.delivery.run else { panic!("it is scheduled") };
    assert!(timing.offset_seconds <= 30);
}

#[test]
fn an_offset_spreads_over_all_the_seconds_that_it_may_and_no_spread_is_none() {
    let offsets: std::collections::BTreeSet<u32> = (0..2_000).map(|uid| offset(&uid.to_string(), 30)).collect();
    assert!(offsets.into_iter().eq(0..=30));
    assert_eq!(offset("any", 0), 0);
}

#[test]
fn refuses_a_rotation_that_an_older_crd_let_in() {
    let managed = |managed: serde_json::Value| refusal(json!({"signing": {"keysFrom": null, "managed": managed}})).1;
    assert_eq!(managed(json!({"rotateEvery": "59m"})), "spec.signing.managed.rotateEvery: must be from 1h to 8760h");
    assert_eq!(
        managed(json!({"rotateEvery": "1h", "overlap": "1h"})),
        "spec.signing.managed.overlap: must be shorter than rotateEvery, so that at most two keys sign"
    );
}

#[test]
fn leaves_the_delivery_without_what_was_left_out() {
    let change = json!({"target": {"headers": null, "tls": null}, "body": null, "signing": {"scheme": "None", "keysFrom": null}});
    let valid = valid_with(change).unwrap();
    assert!(valid.delivery.headers.is_empty() && valid.delivery.body.is_none() && valid.delivery.signing.is_none());
    let paths: Vec<_> = valid.mounts.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["url"]);
}

#[test]
fn keeps_literal_values_out_of_the_mounts_and_references_out_of_the_delivery() {
    let valid = valid_with(json!({})).unwrap();
    let values: Vec<_> = valid.delivery.headers.iter().map(|header| &header.value).collect();
    assert!(matches!(values[..], [ValueSource::Inline(_), ValueSource::File(_)]));
    let paths: Vec<_> = valid.mounts.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        ["url", "headers/1", "keys/0", "keys/1", "tls/ca.crt", "tls/client/tls.crt", "tls/client/tls.key"]
    );
}

#[test]
fn the_api_servers_addresses_are_closed_though_they_are_public_and_waited_for_where_a_proof_is_required() {
    let schedule = schedule();
    let share = share_of(&schedule);
    let load_balancers = vec!["203.0.112.99".parse().unwrap()];
    let api_server = crate::operator::cache::api_server::ApiServer {
        service: vec!["10.96.0.1:443".parse().unwrap()],
        endpoints: vec!["203.0.112.7:6443".parse().unwrap()],
    };
    let own = OwnAddresses { api_server, load_balancers };
    let valid = |allowed: &[&str], isolation| {
        let mut tier = tier();
        tier.spec.allowed_cidrs = allowed.iter().map(ToString::to_string).collect();
        let settings = Settings { isolation, ..settings() };
        validate(&schedule, &tier, &share, &own, &settings, 1_800_000_000).unwrap()
    };
    let usual = valid(&[], Isolation::Warn);
    let denied: Vec<_> = usual.delivery.egress.denied_cidrs.iter().map(ToString::to_string).collect();
    assert_eq!(denied[denied.len() - 2..], ["10.96.0.1/32", "203.0.112.7/32"]);
    assert_eq!(usual.delivery.egress.load_balancers, own.load_balancers);
    assert!(!usual.isolation_required && usual.delivery.known_closed.is_empty());

    let required = valid(&["10.0.0.0/8"], Isolation::Require);
    assert!(required.isolation_required);
    assert_eq!(required.delivery.known_closed, own.api_server.service);
    // An admin who allows it on purpose.
    assert!(valid(&["10.96.0.1/32"], Isolation::Require).delivery.known_closed.is_empty());
}

#[test]
fn the_lead_of_the_tier_reaches_the_sender_where_jobs_are_made_early_and_is_bounded() {
    let with = |lead: &str, makes_early_jobs: bool| {
        let (mut tier, mut settings, schedule) = (tier(), settings(), schedule());
        tier.spec.lead = lead.parse().unwrap();
        settings.makes_early_jobs = makes_early_jobs;
        let own = OwnAddresses::default();
        let valid = validate(&schedule, &tier, &share_of(&schedule), &own, &settings, 1_800_000_000);
        valid.map(|valid| serde_json::json!(valid.delivery.run)["scheduled"]["leadSeconds"].clone())
    };
    assert_eq!(with("20s", true), Ok(json!(20)));
    assert_eq!(with("0s", true), Ok(json!(null)), "no template changes");
    assert_eq!(with("20s", false), Ok(json!(null)));
    // An older CRD allows more.
    let message = "the sender would refuse this: run.scheduled.leadSeconds: must be between 0 and 30";
    assert_eq!(with("31s", true), Err(Refusal::SpecInvalid(message.into())));
}
