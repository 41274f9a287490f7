use serde_json::{Value, json};

use futures::FutureExt as _;

use super::*;
use crate::operator::isolation::verdict::IsolationStatus;
use crate::operator::isolation::verdicts::IsolationVerdicts;
use crate::operator::kubernetes::fair::WorkQueue;

fn delivery(change: &Value) -> DeliveryStatus {
    let mut delivery = json!({
        "id": "msg_1", "scheduledTime": "2026-01-01T00:00:00Z", "startedAt": "2026-01-01T00:00:03Z",
        "outcome": "Delivered", "reason": "Delivered", "attempts": 2, "latencyMs": 70,
    });
    delivery.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(delivery).unwrap()
}

/// The lines that begin with this text.
fn lines(metrics: &Metrics, start: &str) -> Vec<String> {
    metrics.text().unwrap().lines().filter(|line| line.starts_with(start)).map(Into::into).collect()
}

#[test]
fn deliveries_are_counted_by_outcome_and_reason_with_their_attempts() {
    let metrics = Metrics::new();
    metrics.delivered(&delivery(&json!({})));
    metrics.delivered(&delivery(&json!({})));
    metrics.delivered(&delivery(&json!({"outcome": "Failed", "reason": "OOMKilled", "attempts": 0})));
    let mut counted = lines(&metrics, "postern_deliveries_total");
    counted.sort();
    assert_eq!(
        counted,
        [
            r#"postern_deliveries_total{outcome="Delivered",reason="Delivered"} 2"#,
            r#"postern_deliveries_total{outcome="Failed",reason="OOMKilled"} 1"#,
        ]
    );
    assert_eq!(lines(&metrics, "postern_delivery_attempts_total"), ["postern_delivery_attempts_total 4"]);
}

#[test]
fn a_reason_that_is_on_no_list_is_no_label() {
    let metrics = Metrics::new();
    for reason in ["Aaaa", "Bbbb", "Cccc"] {
        metrics.delivered(&delivery(&json!({"reason": reason})));
    }
    let counted = lines(&metrics, "postern_deliveries_total");
    assert_eq!(counted, [r#"postern_deliveries_total{outcome="Delivered",reason="Other"} 3"#]);
}

#[test]
fn latency_and_skew_are_in_seconds_and_only_of_deliveries_that_have_them() {
    let metrics = Metrics::new();
    metrics.delivered(&delivery(&json!({})));
    metrics.delivered(&delivery(&json!({"outcome": "NotRun", "latencyMs": null, "startedAt": null})));
    assert_eq!(lines(&metrics, "postern_delivery_latency_seconds_sum"), ["postern_delivery_latency_seconds_sum 0.07"]);
    assert_eq!(lines(&metrics, "postern_delivery_latency_seconds_count"), ["postern_delivery_latency_seconds_count 1"]);
    assert_eq!(lines(&metrics, "postern_delivery_skew_seconds_sum"), ["postern_delivery_skew_seconds_sum 3.0"]);
    // By the node's clock, it began before it was due.
    metrics.delivered(&delivery(&json!({"startedAt": "2025-12-31T23:59:59Z"})));
    assert_eq!(lines(&metrics, "postern_delivery_skew_seconds_sum"), ["postern_delivery_skew_seconds_sum 3.0"]);
    assert_eq!(lines(&metrics, "postern_delivery_skew_seconds_count"), ["postern_delivery_skew_seconds_count 2"]);
}

#[test]
fn what_no_sender_can_have_measured_is_not_observed() {
    let metrics = Metrics::new();
    for (started, latency) in [
        // 24 hours and the margin after its time, and the clock tolerance before it.
        ("2026-01-02T00:00:10Z", 120_000),
        ("2025-12-31T23:59:55Z", 0),
    ] {
        metrics.delivered(&delivery(&json!({"startedAt": started, "latencyMs": latency})));
    }
    for (started, latency) in [
        ("2026-01-02T00:00:11Z", 120_001),
        ("2025-12-31T23:59:54Z", u32::MAX),
        ("9999-12-30T00:00:00Z", u32::MAX),
        ("1970-01-01T00:00:00Z", u32::MAX),
    ] {
        metrics.delivered(&delivery(&json!({"startedAt": started, "latencyMs": latency})));
    }
    for told in
        ["latency_seconds_sum 120.0", "latency_seconds_count 2", "skew_seconds_sum 86410.0", "skew_seconds_count 2"]
    {
        let told = format!("postern_delivery_{told}");
        assert!(metrics.text().unwrap().contains(&told), "{told} is not in {}", metrics.text().unwrap());
    }
    assert_eq!(
        lines(&metrics, "postern_deliveries_total"),
        [r#"postern_deliveries_total{outcome="Delivered",reason="Delivered"} 6"#]
    );
}

#[test]
fn reconciles_are_counted_by_the_kind_of_their_error() {
    let metrics = Metrics::new();
    metrics.reconciled(None, Duration::from_millis(2));
    metrics.reconciled(Some("Apply"), Duration::from_millis(2));
    let mut counted = lines(&metrics, "postern_reconciles_total");
    counted.sort();
    assert_eq!(
        counted,
        [
            r#"postern_reconciles_total{result="error",error="Apply"} 1"#,
            r#"postern_reconciles_total{result="ok",error=""} 1"#,
        ]
    );
    assert_eq!(
        lines(&metrics, "postern_reconcile_duration_seconds_count"),
        ["postern_reconcile_duration_seconds_count 2"]
    );
    metrics.watch_restarted("Pod");
    assert_eq!(lines(&metrics, "postern_watch_restarts_total"), [r#"postern_watch_restarts_total{kind="Pod"} 1"#]);
}

#[test]
fn a_schedule_waits_once_however_often_it_is_wanted() {
    let (metrics, queue) = (Metrics::new(), WorkQueue::<WebhookSchedule>::default());
    let counted = queue.clone();
    assert_eq!(lines(&metrics, "postern_queue_depth"), ["postern_queue_depth 0"], "of a standby");
    metrics.queue_depth(move || counted.len());
    for name in ["a", "a", "b"] {
        queue.add(&ObjectRef::new(name).within("team-a"));
    }
    assert_eq!(lines(&metrics, "postern_queue_depth"), ["postern_queue_depth 2"]);
    let taken = queue.next().now_or_never().unwrap();
    assert_eq!(lines(&metrics, "postern_queue_depth"), ["postern_queue_depth 1"]);
    queue.add(&taken);
    assert_eq!(lines(&metrics, "postern_queue_depth"), ["postern_queue_depth 2"], "it is wanted once more");
}

#[test]
fn the_age_of_the_oldest_key_that_signs_is_told_as_long_as_one_does() {
    let metrics = Metrics::new();
    let schedule = |name: &str| ObjectRef::<WebhookSchedule>::new(name).within("team-a");
    let age = || -> i64 {
        let line = lines(&metrics, "postern_key_age_seconds ").remove(0);
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert_eq!(age(), 0);
    let now = k8s_openapi::jiff::Timestamp::now().as_second();
    metrics.key_signs(&schedule("a"), Some(now - 1_000_000));
    metrics.key_signs(&schedule("b"), Some(now + 1_000_000));
    assert!(age() >= 1_000_000);
    metrics.key_signs(&schedule("a"), None);
    assert_eq!(age(), 0, "by a clock that is behind");
}

#[test]
fn namespaces_are_counted_by_what_is_known_of_their_network_and_not_named() {
    let (metrics, known) = (Metrics::new(), Arc::<IsolationVerdicts>::default());
    let counted = Arc::clone(&known);
    metrics.isolated_namespaces(move |status| counted.count(status));
    for (namespace, status) in [("team-a", "True"), ("team-b", "True"), ("team-c", "False")] {
        known.note(namespace, IsolationStatus { status, reason: "X", message: String::new() }, 0);
    }
    known.forget("team-b");
    let counted = [("True", 1), ("False", 1), ("Unknown", 0)];
    let counted = counted.map(|(status, count)| format!("postern_isolated_namespaces{{status=\"{status}\"}} {count}"));
    assert_eq!(lines(&metrics, "postern_isolated_namespaces{"), counted);
}

#[test]
fn who_leads_and_what_runs_is_told_before_anything_happens() {
    let metrics = Metrics::new();
    assert_eq!(lines(&metrics, "postern_leader"), ["postern_leader 0"]);
    metrics.leads(true);
    assert_eq!(lines(&metrics, "postern_leader"), ["postern_leader 1"]);
    let build = format!(r#"postern_build_info{{version="{}"}} 1"#, env!("CARGO_PKG_VERSION"));
    assert_eq!(lines(&metrics, "postern_build_info"), [build]);
    assert!(metrics.text().unwrap().ends_with("# EOF\n"));
}

#[test]
fn each_policy_is_shown_in_force_or_not_and_none_when_that_is_not_known() {
    let metrics = Metrics::new();
    metrics.protected([("postern-lock-names", true), ("postern-tier-label", true)].into_iter());
    metrics.protected([("postern-lock-names", true), ("postern-tier-label", false)].into_iter());
    let mut shown = lines(&metrics, "postern_admission_policy_enforced");
    shown.sort();
    assert_eq!(
        shown,
        [
            r#"postern_admission_policy_enforced{policy="postern-lock-names"} 1"#,
            r#"postern_admission_policy_enforced{policy="postern-tier-label"} 0"#,
        ]
    );
    metrics.protected(std::iter::empty());
    assert_eq!(lines(&metrics, "postern_admission_policy_enforced"), [""; 0]);
}
