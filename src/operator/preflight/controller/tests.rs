//! What a check that can't be made, or isn't wanted any more, does to the rest of a reconcile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use super::*;
use crate::api::CHECK_ANNOTATION;
use crate::operator::schedule::observe::Stores;
use crate::operator::schedule::reconcile::reconcile_at;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{context, minute, schedule, settings, store, stores};

/// Requests, with their bodies.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// An operator whose API server answers a POST of a Job with this code; and the requests that it gets.
fn operator(jobs: u16, stores: Stores) -> (Context, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let client = fake_api::client(move |request| {
        let mut parts: Vec<&str> = request.path.rsplit('/').take(2).collect();
        parts.reverse();
        let what = format!("{} {}", request.method, parts.join("/"));
        let code = if what == "POST team-a/jobs" { jobs } else { 200 };
        seen.lock().unwrap().push((what, request.body.clone()));
        (code, request.body)
    });
    (context(client, stores), asked)
}

fn another() -> ObjectRef<WebhookSchedule> {
    ObjectRef::new("another").within("team-b")
}

/// A check of the schedule that is under way.
fn under_way() -> Job {
    serde_json::from_value(json!({
        "metadata": {
            "name": "postern-nightly-report-c1", "namespace": "team-a", "creationTimestamp": minute(0),
            "labels": {"postern.dev/schedule": "nightly-report"},
            "annotations": {CHECK_ANNOTATION: ""},
            "ownerReferences": [{
                "apiVersion": "postern.dev/v1alpha1", "kind": "WebhookSchedule", "name": "nightly-report",
                "uid": schedule().metadata.uid, "controller": true,
            }],
        },
        "status": {"active": 1, "ready": 1},
    }))
    .unwrap()
}

#[tokio::test]
async fn a_job_that_cannot_be_made_is_told_and_tried_again_and_keeps_no_delivery_and_no_other_check_waiting() {
    for code in [403, 422, 500] {
        let (context, asked) = operator(code, stores(&schedule(), minute(0)));
        let action = Box::pin(reconcile_at(&schedule(), &context, minute(0))).await.unwrap();
        assert_eq!(action, Action::requeue(Duration::from_secs(5)), "{code}");
        let counted = r#"postern_checks_total{result="Unknown",reason="JobNotCreated"} 1"#;
        assert_eq!(context.metrics.series("postern_checks_total"), [counted]);
        let asked = asked.lock().unwrap();
        let status = asked.iter().find(|(what, _)| what == "PUT nightly-report/status").unwrap();
        let conditions = status.1["status"]["conditions"].as_array().unwrap();
        let allowed = conditions.iter().find(|condition| condition["type"] == "TargetAllowed").unwrap();
        assert_eq!((&allowed["status"], &allowed["reason"]), (&json!("Unknown"), &json!("JobNotCreated")));
        assert!(context.slots.take(&another()));
    }
}

#[tokio::test]
async fn one_that_was_made_has_its_turn_until_it_is_over() {
    let (context, asked) = operator(201, stores(&schedule(), minute(0)));
    Box::pin(reconcile_at(&schedule(), &context, minute(0))).await.unwrap();
    assert!(asked.lock().unwrap().iter().any(|(what, _)| what == "POST team-a/jobs"));
    assert!(!context.slots.take(&another()));
}

#[tokio::test]
async fn a_namespace_that_could_not_be_listed_keeps_no_turn() {
    let (context, asked) = operator(201, stores(&schedule(), minute(0)));
    context.slots.hold(&ObjectRef::from_obj(&schedule()));
    assert!(!context.slots.take(&another()));
    context.stores.unlisted.add("team-a", "Job");
    Box::pin(reconcile_at(&schedule(), &context, minute(0))).await.unwrap();
    assert!(context.slots.take(&another()));
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_under_way_when_checks_are_switched_off_is_ended() {
    let found = Stores { jobs: store(vec![under_way()]), ..stores(&schedule(), minute(0)) };
    let (context, asked) = operator(201, found);
    let mut off = settings();
    off.preflight.enabled = false;
    let context = Context { settings: off, ..context };
    context.slots.hold(&ObjectRef::from_obj(&schedule()));
    Box::pin(reconcile_at(&schedule(), &context, minute(0))).await.unwrap();
    let asked = asked.lock().unwrap();
    assert!(asked.iter().any(|(what, _)| what == "DELETE jobs/postern-nightly-report-c1"), "{asked:?}");
    assert!(context.slots.take(&another()));
}

/// The schedule in a tier of four deliveries an hour, and what was asked of the API server.
fn under_a_small_tier() -> (Context, Asked) {
    let mut tier = crate::operator::test_support::objects::tier();
    (tier.spec.default, tier.spec.max_deliveries_per_hour) = (true, 4);
    let mut found = stores(&schedule(), minute(0));
    found.membership.tiers = store(vec![tier]);
    operator(201, found)
}

/// How many checks were made.
fn made(asked: &Asked) -> usize {
    asked.lock().unwrap().iter().filter(|(what, _)| what == "POST team-a/jobs").count()
}

#[tokio::test(start_paused = true)]
async fn however_often_a_check_is_asked_for_or_a_schedule_made_again_a_namespace_makes_as_many_as_its_tier_allows() {
    let (context, asked) = under_a_small_tier();
    for number in 0..50 {
        let mut schedule = schedule();
        // As if it had been deleted and made again, with the last check forgotten.
        schedule.metadata.uid = Some(format!("uid-{number}"));
        schedule.metadata.resource_version = Some(number.to_string());
        let at = minute(0) + k8s_openapi::jiff::SignedDuration::from_secs(number);
        context.stores.quotas.note(&schedule, at.as_second());
        let known = ObjectRef::from_obj(&schedule);
        Box::pin(reconcile_at(&schedule, &context, at)).await.unwrap();
        // Its Job was over at once.
        context.slots.free(&known);
        // What a namespace uses is recorded once a second.
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    assert_eq!(made(&asked), 4);
    let told = asked.lock().unwrap().iter().rev().find(|(what, _)| what.starts_with("PUT")).unwrap().1.clone();
    let conditions = told["status"]["conditions"].as_array().unwrap();
    let allowed = conditions.iter().find(|condition| condition["type"] == "TargetAllowed").unwrap();
    assert_eq!((&allowed["status"], &allowed["reason"]), (&json!("Unknown"), &json!("CheckWaits")), "{allowed}");
    // The next may be made a quarter of an hour after the first.
    assert!(allowed["message"].as_str().unwrap().contains("2027-01-15T08:15:00Z"), "{allowed}");
    let mut last = schedule();
    last.metadata.uid = Some("uid-49".into());
    Box::pin(reconcile_at(&last, &context, minute(15))).await.unwrap();
    assert_eq!(made(&asked), 5);
}
