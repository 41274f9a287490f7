//! However much tenants, receivers and admins write, no status and no Event is refused for its length.

use std::sync::Arc;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, JSONSchemaPropsOrArray};
use serde::Serialize;
use serde_json::{Value, json};

use super::*;
use crate::api::{CHECK_ANNOTATION, Crd, TRIGGER_ANNOTATION, WebhookTier};
use crate::delivery::{Outcome, OutcomeClass, Reason};
use crate::operator::admission::status::AdmissionStatus;
use crate::operator::build::namespace_children;
use crate::operator::cache::api_server::ApiServer;
use crate::operator::cache::caches::NamespaceMetadata;
use crate::operator::cache::indexed::Indexed;
use crate::operator::isolation::verdict::{ProofInput, canary_state};
use crate::operator::kubernetes::apply::ApplyError;
use crate::operator::schedule::assess::assess;
use crate::operator::schedule::events::events;
use crate::operator::settings::Isolation;
use crate::operator::signing_keys::backoff::KeyNotMade;
use crate::operator::signing_keys::events::key_not_made;
use crate::operator::test_support::objects::{
    found, minute, over, run, schedule, settings, terminated, tier, valid_with,
};
use crate::operator::tier::membership::Membership;
use crate::operator::tier::membership::TierError;
use crate::operator::tier::quota::ledger::RecordError;

/// The API server's objections to a value, by the lengths and formats in the schema.
fn refusals(path: &str, schema: &JSONSchemaProps, value: &Value, found: &mut Vec<String>) {
    let mut hold = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{path}: {what}: {:.80}", value.to_string()));
        }
    };
    let limit = |most: Option<i64>| usize::try_from(most.unwrap_or(i64::MAX)).unwrap();
    match value {
        Value::String(text) => {
            hold(text.chars().count() <= limit(schema.max_length), "too long");
            hold(text.chars().count() >= limit(schema.min_length.or(Some(0))), "too short");
            let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
            hold(schema.pattern.is_none() || plain(text), "another form");
        }
        Value::Array(items) => {
            hold(items.len() <= limit(schema.max_items), "too many");
            if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &schema.items {
                for item in items {
                    refusals(&format!("{path}[]"), schema, item, found);
                }
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            hold(schema.maximum.is_none_or(|most| number <= most), "too large");
            hold(schema.format.as_deref() != Some("int32") || number <= f64::from(i32::MAX), "no int32");
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                match schema.properties.iter().flatten().find(|(known, _)| *known == name) {
                    Some((_, schema)) => refusals(&format!("{path}.{name}"), schema, value, found),
                    None => found.push(format!("{path}.{name}: not in the schema")),
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn assert_admitted(crd: Crd, status: &impl Serialize) {
    let definition = crd.definition();
    let schema = definition.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let schema = schema.properties.as_ref().unwrap().iter().find(|(name, _)| *name == "status").unwrap().1.clone();
    let mut found = Vec::new();
    refusals("status", &schema, &serde_json::to_value(status).unwrap(), &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

/// A name as long as Kubernetes allows.
fn name(number: usize) -> String {
    format!("{number:x>253}")
}

fn long() -> String {
    "ö\"".repeat(40_000)
}

/// A schedule with the longest annotations that its tenant can write.
fn annotated() -> WebhookSchedule {
    let mut schedule = schedule();
    let annotations = [TRIGGER_ANNOTATION, CHECK_ANNOTATION].map(|name| (name.to_owned(), long()));
    schedule.metadata.annotations = Some(annotations.into());
    schedule
}

/// Asserts that the API server accepts the status and the Events that follow from it.
fn assert_told(progress: &Progress<'_>, mut assessment: Assessment, protection: AdmissionStatus) {
    let schedule = annotated();
    assessment.protection = protection;
    let new = status(&schedule, progress, &assessment, minute(1));
    assert_admitted(Crd::WebhookSchedules, &new);
    for event in events(&schedule, &assessment.history, &new) {
        assert!(event.note.as_ref().unwrap().len() <= 1_024 && event.reason.len() <= 128, "{:?}", event.note);
    }
}

#[test]
fn whatever_a_schedule_is_refused_for() {
    let defaults = (0..140).map(|number| WebhookTier {
        metadata: serde_json::from_value(json!({"name": name(number)})).unwrap(),
        ..WebhookTier { spec: crate::api::WebhookTierSpec { default: true, ..tier().spec }, ..tier() }
    });
    let membership =
        Membership { tiers: Indexed::of(defaults.collect()), namespaces: Indexed::of(Vec::<NamespaceMetadata>::new()) };
    let several = membership.tier("team-a").unwrap_err();
    assert!(several.to_string().len() < 1_000, "{several}");
    let all = [
        several.into(),
        Refusal::ScheduleInvalid(long()),
        Refusal::TimeZoneUnknown(long()),
        TierError::NotFound(long()).into(),
        TierError::NoDefault.into(),
        TierError::Invalid { tier: long(), problem: long() }.into(),
        Refusal::IntervalTooShort(long()),
        Refusal::TooManyAttempts(long()),
        Refusal::TimeoutTooLong(long()),
        Refusal::BodyTooLarge(long()),
        Refusal::TooManySchedules(long()),
        Refusal::TooManyDeliveries(long()),
        Refusal::SpecInvalid(long()),
    ];
    for refusal in &all {
        let assessment = assess(&annotated(), &found(Vec::new()), None, minute(1));
        assert_told(&Progress::Refused(refusal), assessment, AdmissionStatus::of(&[], &[]));
    }
}

#[test]
fn whatever_is_in_the_way_of_a_child() {
    let valid = valid_with(json!({})).unwrap();
    let api = || kube::Error::Api(Box::new(serde_json::from_value(json!({"code": 403, "message": long()})).unwrap()));
    let (kind, name) = ("CronJob".to_owned(), name(0));
    let all = [
        ReconcileError::from(ApplyError::NameTaken { kind: kind.clone(), name: name.clone() }),
        ApplyError::Ending { kind: kind.clone(), name: name.clone() }.into(),
        ApplyError::Outdated { kind: kind.clone(), name: name.clone() }.into(),
        RecordError(api()).into(),
        ApplyError::Api { kind, name, source: api() }.into(),
    ];
    let key_error = KeyNotMade { why: long() };
    assert!(key_not_made(&key_error).note.unwrap().len() <= 1_024);
    let mut assessment = assess(&annotated(), &found(Vec::new()), Some(&valid), minute(1));
    assessment.key_error = Some(key_error);
    assert_told(&Progress::WaitsForKey(&valid), assessment, AdmissionStatus::of(&[], &[]));
    for error in &all {
        let assessment = assess(&annotated(), &found(Vec::new()), Some(&valid), minute(1));
        assert_told(&Progress::Blocked(&valid, error), assessment, AdmissionStatus::of(&[], &[]));
    }
}

#[test]
fn however_many_policies_open_the_inside_and_however_long_their_names() {
    let valid = valid_with(json!({})).unwrap();
    let foreign = |number| -> Arc<NetworkPolicy> {
        let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]});
        Arc::new(serde_json::from_value(json!({"metadata": {"name": name(number)}, "spec": spec})).unwrap())
    };
    let own = namespace_children("team-a", &valid.delivery.egress, &settings()).network_policy.spec.unwrap();
    let others: Vec<_> = (0..140).map(foreign).collect();
    let subject = ProofInput::of(&own, &others, &ApiServer::default(), &settings());
    let verdict = canary_state("team-a", "uid", &subject, Vec::new(), Isolation::Unchecked, 0).verdict;
    // An Event has room for the whole message: what to do comes last.
    assert!(verdict.message.len() <= 1_000, "{} bytes: {}", verdict.message.len(), verdict.message);
    assert!(verdict.message.contains(" and 137 more lets senders"), "{}", verdict.message);
    let mut assessment = assess(&annotated(), &found(Vec::new()), Some(&valid), minute(1));
    assessment.isolation = verdict;
    assert_told(&Progress::Applied(&valid), assessment, AdmissionStatus::Unreadable);
}

#[test]
fn whatever_senders_and_checks_say() {
    let valid = valid_with(json!({"history": {"successful": 20, "failed": 20}})).unwrap();
    let mut schedule = annotated();
    schedule.spec.history = serde_json::from_value(json!({"successful": 20, "failed": 20})).unwrap();
    let said = |class: OutcomeClass, reason: Reason| {
        let mut outcome = Outcome::begun(crate::delivery::Timestamp::from_unix(1_800_000_001).unwrap());
        outcome.conclude(class, reason, "ö".repeat(1_000));
        outcome.target = Some(format!("https://{}/...", "a".repeat(253)));
        outcome.attempt_count = 10;
        let mut message: Value = serde_json::from_str(&outcome.to_json()).unwrap();
        message["attempts"] = json!([{"durationMs": u32::MAX, "httpStatus": 999, "reason": "ReceiverError"}]);
        assert!(Outcome::parse(message.to_string().as_bytes()).is_ok(), "{message}");
        terminated(json!({"exitCode": 1, "message": message.to_string()}))
    };
    let classes =
        [(OutcomeClass::Delivered, Reason::Delivered), (OutcomeClass::Refused, Reason::StartingDeadlineExceeded)];
    let runs = (0..60).map(|number| {
        let (class, reason) = classes[usize::try_from(number % 2).unwrap()];
        run(number - 60, over(), vec![said(class, reason)])
    });
    let assessment = assess(&schedule, &found(runs.collect()), Some(&valid), minute(1));
    assert!(assessment.history.recent.len() >= 20, "{}", assessment.history.recent.len());
    assert_told(&Progress::Applied(&valid), assessment, AdmissionStatus::of(&[], &[]));
}
