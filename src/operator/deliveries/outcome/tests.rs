//! What a run comes to, given the state of its Job and pods.

use serde_json::{Value, json};

use super::*;
use crate::delivery::OutcomeClass::{Delivered, Interrupted, Refused};
use crate::delivery::Reason;
use crate::operator::deliveries::reasons::{DEADLINE_MISSED, PREVIOUS_STILL_RUNNING};
use crate::operator::test_support::objects::{ended, minute, over, run, said, schedule, terminated};

const UID: &str = "6d3f2b54-9a0e-4c55-8c62-0e7b0f5f5a11";
/// Senders have until the end of the fifth minute.
const DEADLINE: i64 = 300 - MARGIN;

fn standing_at(run: &Run, now: i64) -> DeliveryState {
    delivery_state(run, &scheduled_run(&run.job, &schedule()).unwrap(), DEADLINE, minute(now).as_second())
}

fn ended_as(run: &Run) -> (DeliveryOutcome, String) {
    match standing_at(run, 1) {
        DeliveryState::Finished(delivery) => (delivery.outcome, delivery.reason),
        other => panic!("{other:?}"),
    }
}

fn is_underway(run: &Run, now: i64) -> bool {
    matches!(standing_at(run, now), DeliveryState::Running(_))
}

fn never_began(run: &Run) -> String {
    assert!(is_underway(run, 5), "it may still begin");
    match standing_at(run, 6) {
        DeliveryState::Abandoned(delivery) => {
            assert_eq!(delivery.outcome, DeliveryOutcome::NotRun);
            delivery.reason
        }
        other => panic!("{other:?}"),
    }
}

fn waiting(reason: &str) -> Value {
    json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}], "containerStatuses": [{
        "name": "sender", "image": "", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": reason}},
    }]})
}

#[test]
fn takes_the_senders_word_and_the_jobs_time_and_id() {
    let DeliveryState::Finished(delivery) = standing_at(&ended(3, Delivered, Reason::Delivered), 4) else { panic!() };
    assert_eq!((delivery.outcome, &*delivery.reason), (DeliveryOutcome::Delivered, "Delivered"));
    assert_eq!(delivery.scheduled_time, Some(Time(minute(3))));
    let id = DeliveryId::of_schedule(UID, 1_800_000_180);
    assert_eq!(delivery.id.as_deref(), Some(id.as_str()));
}

#[test]
fn what_a_sender_says_of_its_start_is_held_against_its_job() {
    let started = |run: &Run| match standing_at(run, 9) {
        DeliveryState::Finished(delivery) => delivery.started_at.map(|time| time.0.as_second()),
        other => panic!("{other:?}"),
    };
    assert_eq!(started(&ended(0, Delivered, Reason::Delivered)), Some(1_800_000_001));
    assert_eq!(started(&ended(5, Delivered, Reason::Delivered)), None, "minutes before its Job was made");
}

fn annotated(due: i64, annotations: &[(&str, &str)]) -> Run {
    let mut run = ended(due, Delivered, Reason::Delivered);
    let pairs = annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    std::sync::Arc::make_mut(&mut run.job).metadata.annotations = Some(pairs.collect());
    run
}

#[test]
fn a_triggered_delivery_has_the_id_and_the_time_that_stand_on_its_job() {
    let at = minute(2).to_string();
    let annotations =
        [(TRIGGER_ANNOTATION, "now"), (TRIGGERED_AT_ANNOTATION, at.as_str()), (DELIVERY_ID_ANNOTATION, "msg_1")];
    let due = scheduled_run(&annotated(3, &annotations).job, &schedule()).unwrap();
    assert_eq!((due.id.as_str(), due.time), ("msg_1", minute(2).as_second()));
}

#[test]
fn a_job_that_claims_an_impossible_time_or_another_name_is_no_delivery() {
    for at in ["9999-12-30T21:59:59Z", "-009999-01-02T01:59:59Z", "2027-01-15T08:05:00Z", "soon"] {
        let claims = [(TRIGGER_ANNOTATION, "now"), (TRIGGERED_AT_ANNOTATION, at), (DELIVERY_ID_ANNOTATION, "msg_1")];
        assert!(scheduled_run(&annotated(0, &claims).job, &schedule()).is_none(), "{at}");
    }
    for name in ["postern-nightly-report-1", "postern-nightly-report-30000002", "postern-other-30000000", "manual"] {
        let mut run = ended(0, Delivered, Reason::Delivered);
        std::sync::Arc::make_mut(&mut run.job).metadata.name = Some(name.into());
        assert!(scheduled_run(&run.job, &schedule()).is_none(), "{name}");
    }
}

#[test]
fn a_pod_without_a_word_tells_by_how_it_ended() {
    let by_pod = |reason: &str| {
        let mut pod = terminated(json!({"exitCode": 137}));
        pod["reason"] = reason.into();
        ended_as(&run(0, over(), vec![pod])).1
    };
    let by_container =
        |reason: &str| ended_as(&run(0, over(), vec![terminated(json!({"exitCode": 1, "reason": reason}))])).1;
    assert_eq!(by_pod("DeadlineExceeded"), "PodDeadlineExceeded");
    assert_eq!(by_pod("Evicted"), "Evicted");
    assert_eq!(by_container("OOMKilled"), "OOMKilled");
    assert_eq!(by_container("Error"), "SenderEndedSilently");
    let mut unpulled = waiting("ImagePullBackOff");
    unpulled["phase"] = "Failed".into();
    let no_image = ended_as(&run(0, over(), vec![unpulled]));
    assert_eq!(no_image, (DeliveryOutcome::NotRun, "ImagePullBackOff".into()));
    let unstartable = terminated(json!({"exitCode": 128, "reason": "StartError", "startedAt": "1970-01-01T00:00:00Z"}));
    let DeliveryState::Finished(delivery) = standing_at(&run(0, over(), vec![unstartable]), 1) else { panic!() };
    let told = (delivery.outcome, &*delivery.reason, delivery.started_at);
    assert_eq!(told, (DeliveryOutcome::NotRun, "PodNotStarted", None));
    assert_eq!(ended_as(&run(0, over(), Vec::new())).1, "PodLost");
}

#[test]
fn what_is_no_outcome_is_not_believed() {
    let forged = terminated(json!({"exitCode": 0, "message": "{\"version\":1,\"outcome\":\"Delivered\"}"}));
    assert_eq!(ended_as(&run(0, over(), vec![forged])), (DeliveryOutcome::Failed, "SenderEndedSilently".into()));
}

#[test]
fn a_drained_pod_is_not_the_end_while_another_takes_its_place() {
    let mut drained = said(Interrupted, Reason::Interrupted);
    drained["conditions"] = json!([{"type": "DisruptionTarget", "status": "True"}]);
    assert!(is_underway(&run(0, json!({}), vec![drained.clone()]), 1));
    assert_eq!(ended_as(&run(0, over(), vec![drained.clone()])).0, DeliveryOutcome::Interrupted);
    let followed = run(0, json!({}), vec![drained, said(Delivered, Reason::Delivered)]);
    assert_eq!(ended_as(&followed).0, DeliveryOutcome::Delivered);
    let gone_silently = run(0, json!({}), vec![terminated(json!({"exitCode": 137}))]);
    assert!(is_underway(&gone_silently, 1), "the Job makes another pod");
}

#[test]
fn what_has_not_begun_in_time_never_will_and_says_why() {
    assert_eq!(never_began(&run(0, json!({}), Vec::new())), "PodNotCreated");
    let unscheduled = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False"}]});
    assert_eq!(never_began(&run(0, json!({}), vec![unscheduled])), "Unschedulable");
    for reason in ["ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"] {
        assert_eq!(never_began(&run(0, json!({}), vec![waiting(reason)])), "ImagePullBackOff", "{reason}");
    }
    assert_eq!(never_began(&run(0, json!({}), vec![waiting("ContainerCreating")])), "PodNotStarted");
    let mut running = waiting("");
    running["containerStatuses"][0]["state"] = json!({"running": {}});
    assert!(is_underway(&run(0, json!({}), vec![running]), 99));
}

#[test]
fn a_lost_pod_whose_successor_does_not_begin_in_time_has_the_last_word() {
    let unscheduled = || json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False"}]});
    let given_up = |run: &Run| {
        assert!(is_underway(run, 5), "another may still begin");
        match standing_at(run, 6) {
            DeliveryState::Abandoned(delivery) => (delivery.outcome, delivery.reason),
            other => panic!("{other:?}"),
        }
    };
    let mut drained = said(Interrupted, Reason::Interrupted);
    drained["conditions"] = json!([{"type": "DisruptionTarget", "status": "True"}]);
    let drained = run(0, json!({"active": 1}), vec![drained, unscheduled()]);
    assert_eq!(given_up(&drained), (DeliveryOutcome::Interrupted, "Interrupted".into()));
    let silent = || terminated(json!({"exitCode": 137}));
    let silently = (DeliveryOutcome::Failed, "SenderEndedSilently".into());
    assert_eq!(given_up(&run(0, json!({"active": 1}), vec![silent(), unscheduled()])), silently);
    assert_eq!(given_up(&run(0, json!({}), vec![silent()])), silently, "and no other pod could be made");
    let late = terminated(json!({"exitCode": 137, "finishedAt": minute(6)}));
    assert!(is_underway(&run(0, json!({}), vec![late.clone()]), 6), "its Job is about to be over");
    assert!(!is_underway(&run(0, json!({}), vec![late]), 7));
}

#[test]
fn a_job_that_is_gone_has_ended_when_its_last_pod_has() {
    let gone = |pods| Run { is_deleted: true, ..run(0, json!({}), pods) };
    let mut running = waiting("");
    running["phase"] = "Running".into();
    assert!(is_underway(&gone(vec![running]), 1));
    let stopped = ended_as(&gone(vec![said(Interrupted, Reason::Interrupted)]));
    assert_eq!(stopped, (DeliveryOutcome::Interrupted, "Interrupted".into()));
    assert_eq!(ended_as(&gone(Vec::new())), (DeliveryOutcome::Interrupted, "JobDeleted".into()));
}

#[test]
fn what_the_caches_do_not_show_yet_is_waited_for() {
    let mut running = waiting("");
    running["phase"] = "Running".into();
    assert!(is_underway(&run(0, over(), vec![running]), 9), "its Job is over, and its end not seen");
    assert!(is_underway(&run(0, json!({"active": 1}), Vec::new()), 9), "its pod not seen");
    assert!(is_underway(&run(0, json!({"active": 1, "ready": 1}), vec![waiting("")]), 9), "its start not seen");
    let done = json!({"conditions": [{"type": "Failed", "status": "True", "lastTransitionTime": minute(1)}]});
    assert!(is_underway(&run(0, done.clone(), Vec::new()), 1), "its pods not seen");
    assert!(
        matches!(standing_at(&run(0, done, Vec::new()), 2), DeliveryState::Finished(lost) if lost.reason == "PodLost")
    );
}

#[test]
fn a_refusal_is_an_end_at_once() {
    assert_eq!(
        ended_as(&run(0, json!({}), vec![said(Refused, Reason::UrlMalformed)])),
        (DeliveryOutcome::Refused, "UrlMalformed".into())
    );
}

#[test]
fn every_reason_that_the_operator_finds_is_documented() {
    let page = include_str!("../../../../docs/reasons.md");
    let mut all = vec![JOB_DELETED, PODS_LOST, POD_NOT_CREATED, UNSCHEDULABLE, IMAGE_NOT_PULLED, POD_NOT_STARTED];
    all.extend([POD_DEADLINE_EXCEEDED, EVICTED, OUT_OF_MEMORY, ENDED_SILENTLY]);
    all.extend([DEADLINE_MISSED, PREVIOUS_STILL_RUNNING]);
    for (reason, _) in all {
        assert!(page.contains(&format!("| `{reason}` |")), "docs/reasons.md lacks {reason}");
    }
}
