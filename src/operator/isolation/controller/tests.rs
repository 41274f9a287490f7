//! What a reconcile of a namespace writes, and which verdict is known afterwards.

use std::sync::Mutex;

use futures::FutureExt as _;
use serde_json::json;

use super::*;
use crate::egress::Rules;
use crate::operator::build::namespace_children;
use crate::operator::cache::indexed::Indexed;
use crate::operator::metrics::Metrics;
use crate::operator::settings::Isolation;
use crate::operator::test_support::fake_api;
use crate::operator::test_support::objects::{caches, schedule, settings};

/// Reconciles a namespace with senders, with an API server that answers this code to a new Job. Returns the requests, whether
/// the reconcile succeeded, and the reason of the verdict afterwards.
async fn looked(isolation: Isolation, answer: u16) -> (Vec<String>, bool, &'static str) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let client = fake_api::client(move |request| {
        seen.lock().unwrap().push(format!("{} {}", request.method, request.path));
        let code = if request.method == "POST" { answer } else { 200 };
        (code, request.body)
    });
    let mut policy = namespace_children("team-a", &Rules::default(), &settings()).network_policy;
    policy.metadata.uid = Some("uid".into());
    let caches = Arc::new(Caches { network_policies: Indexed::of(vec![policy]), ..caches(&schedule()) });
    let settings = Settings { isolation, ..settings() };
    let verdicts = Arc::<IsolationVerdicts>::default();
    let (queues, known) = (WorkQueues::default(), Arc::clone(&verdicts));
    let reconciler = IsolationReconciler::new(client, settings, caches, known, queues, Metrics::new());
    let namespace = serde_json::from_value(json!({"metadata": {"name": "team-a"}})).unwrap();
    let ended = reconciler.reconcile(Arc::new(namespace)).await.is_ok();
    let asked = asked.lock().unwrap().clone();
    (asked, ended, verdicts.verdict("team-a", isolation).reason)
}

#[tokio::test]
async fn the_canary_of_a_namespace_is_made() {
    let made = vec!["POST /apis/batch/v1/namespaces/team-a/jobs".to_owned()];
    assert_eq!(looked(Isolation::Warn, 201).await, (made, true, "Checking"));
}

#[tokio::test]
async fn one_that_cannot_be_made_is_told_and_tried_again() {
    let (asked, ended, reason) = looked(Isolation::Require, 403).await;
    assert_eq!((asked.len(), ended, reason), (1, false, "CanaryNotRun"));
}

#[tokio::test]
async fn however_often_the_first_schedule_of_a_namespace_comes_and_goes_it_has_as_many_canaries_as_an_hour_allows() {
    let made = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&made);
    let client = fake_api::client(move |request| {
        *seen.lock().unwrap() += usize::from(request.method == "POST");
        (201, request.body)
    });
    let mut policy = namespace_children("team-a", &Rules::default(), &settings()).network_policy;
    policy.metadata.uid = Some("uid".into());
    let caches = Arc::new(Caches { network_policies: Indexed::of(vec![policy]), ..caches(&schedule()) });
    let reconciler =
        IsolationReconciler::new(client, settings(), caches, Arc::default(), WorkQueues::default(), Metrics::new());
    let namespace: Arc<NamespaceMetadata> =
        Arc::new(serde_json::from_value(json!({"metadata": {"name": "team-a"}})).unwrap());
    for _ in 0..50 {
        reconciler.reconcile(Arc::clone(&namespace)).await.unwrap();
        reconciler.forget(&ObjectRef::from_obj(&*namespace));
    }
    assert_eq!(*made.lock().unwrap(), 12);
}

#[tokio::test]
async fn none_is_made_where_the_admin_wants_none() {
    assert_eq!(looked(Isolation::Unchecked, 201).await, (Vec::new(), true, "NotChecked"));
}

#[tokio::test]
async fn what_a_canary_came_to_is_counted_once_and_again_when_it_is_another_or_says_something_else() {
    let client = fake_api::client(|request| (200, request.body));
    let (metrics, caches) = (Metrics::new(), Arc::new(caches(&schedule())));
    let reconciler =
        IsolationReconciler::new(client, settings(), caches, Arc::default(), WorkQueues::default(), metrics.clone());
    let closed = IsolationStatus { status: "True", reason: "Proved", message: String::new() };
    for (job, verdict) in [("a", &not_run()), ("a", &not_run()), ("a", &closed), ("a", &closed), ("b", &closed)] {
        reconciler.count("team-a", job.into(), verdict);
    }
    let counted = metrics.series("postern_canaries_total");
    let of_two = r#"postern_canaries_total{result="True",reason="Proved"} 2"#;
    assert_eq!(counted, [of_two, r#"postern_canaries_total{result="Unknown",reason="CanaryNotRun"} 1"#]);
}

/// The schedules that are requeued when the senders of their namespace are no longer isolated.
async fn woken(schedules: Vec<WebhookSchedule>) -> Vec<String> {
    let client = fake_api::client(|request| (200, request.body));
    let mut own = namespace_children("team-a", &Rules::default(), &settings()).network_policy;
    own.metadata.uid = Some("uid".into());
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]});
    let wide: NetworkPolicy =
        serde_json::from_value(json!({"metadata": {"name": "wide", "namespace": "team-a"}, "spec": spec})).unwrap();
    let network_policies = Indexed::of(vec![own, wide]);
    let caches = Caches { network_policies, schedules: Indexed::of(schedules), ..caches(&schedule()) };
    let queues = WorkQueues::default();
    let settings = Settings { isolation: Isolation::Unchecked, ..settings() };
    let reconciler =
        IsolationReconciler::new(client, settings, Arc::new(caches), Arc::default(), queues.clone(), Metrics::new());
    let namespace = serde_json::from_value(json!({"metadata": {"name": "team-a"}})).unwrap();
    reconciler.reconcile(Arc::new(namespace)).await.unwrap();
    std::iter::from_fn(|| Some(queues.schedules.next().now_or_never()?.name)).collect()
}

#[tokio::test]
async fn of_three_hundred_schedules_only_those_that_are_accepted_look_again() {
    let named = |name: &str, accepted: &str| {
        let mut schedule = schedule();
        schedule.metadata.name = Some(name.into());
        let condition = json!({
            "type": "Accepted", "status": accepted, "reason": "X", "message": "", "lastTransitionTime": "2027-01-15T08:00:00Z",
        });
        schedule.status = serde_json::from_value(json!({"conditions": [condition]})).unwrap();
        schedule
    };
    let refused = (0..300).map(|number| named(&number.to_string(), "False"));
    assert_eq!(woken(refused.chain([named("accepted", "True")]).collect()).await, ["accepted"]);
}
