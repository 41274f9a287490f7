//! Status: the API server keeps what the operator's types write, and keeps nothing unbounded.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use postern::api::{
    CheckResult, CheckStatus, DeliveryOutcome, DeliveryStatus, KeyState, RotationStatus, SigningKeyStatus,
    TriggerStatus, WebhookSchedule, WebhookScheduleStatus,
};
use postern_e2e::{Cluster, install_crds, on_cluster};
use serde_json::{Value, json};

use super::submit::Draft;

async fn make(cluster: &Cluster, namespace: &str) -> Api<WebhookSchedule> {
    install_crds(cluster).await;
    let schedules: Api<WebhookSchedule> = Api::namespaced(cluster.client.clone(), namespace);
    let draft = serde_json::from_value(Draft::schedule().0).unwrap();
    schedules.create(&PostParams::default(), &draft).await.unwrap();
    schedules
}

fn at(time: &str) -> Time {
    serde_json::from_value(json!(time)).unwrap()
}

/// The status of a schedule that the operator has not seen yet.
fn unseen() -> WebhookScheduleStatus {
    WebhookScheduleStatus { observed_generation: Some(-1), ..WebhookScheduleStatus::default() }
}

fn fullest() -> WebhookScheduleStatus {
    let delivery = DeliveryStatus {
        id: Some(format!("msg_{}", "0".repeat(64))),
        scheduled_time: Some(at("2026-01-01T00:00:00Z")),
        generation: Some(1),
        started_at: Some(at("2026-01-01T00:00:01Z")),
        outcome: DeliveryOutcome::FailedPermanently,
        reason: "CertificateUnknownIssuer".into(),
        detail: Some("d".repeat(512)),
        http_status: Some(599),
        attempts: 20,
        latency_ms: Some(u32::try_from(i32::MAX).unwrap()),
        target: Some("https://hooks.example.com/...".into()),
        key_fingerprints: vec!["sha256:9f86d081".into(); 8],
    };
    let key = SigningKeyStatus {
        fingerprint: "sha256:9f86d081".into(),
        state: KeyState::Retiring,
        secret_name: Some("postern-draft-1".into()),
        public_key: Some(format!("whpk_{}", "A".repeat(44))),
        created_at: Some(at("2026-01-01T00:00:00Z")),
        retires_at: Some(at("2026-01-02T00:00:00Z")),
    };
    let condition = |kind: &str| Condition {
        type_: kind.into(),
        status: "False".into(),
        reason: "AddressInternal".into(),
        message: "m".repeat(1_024),
        last_transition_time: at("2026-01-01T00:00:00Z"),
        observed_generation: Some(1),
    };
    let conditions =
        ["Accepted", "Scheduled", "TargetAllowed", "Protected", "EgressIsolated", "Healthy", "Ready", "Stalled"];
    WebhookScheduleStatus {
        observed_generation: Some(1),
        conditions: conditions.map(condition).to_vec(),
        tier: Some("t".repeat(63)),
        resolved_schedule: Some("37 2 * * *".into()),
        next_delivery_time: Some(at("2026-01-01T02:37:00Z")),
        last_delivery: Some(delivery.clone()),
        recent_deliveries: vec![delivery; 40],
        accounted_until: Some(at("2026-01-01T00:00:00Z")),
        last_trigger: Some(TriggerStatus {
            value: "v".repeat(128),
            id: format!("msg_{}", "f".repeat(64)),
            time: at("2026-01-01T00:00:00Z"),
        }),
        checked: Some(CheckStatus {
            generation: 1,
            value: Some("v".repeat(128)),
            time: at("2026-01-01T00:00:00Z"),
            result: CheckResult::Refused,
            reason: "CertificateUnknownIssuer".into(),
            detail: Some("d".repeat(512)),
            target: Some("https://hooks.example.com/...".into()),
            key_fingerprints: vec!["sha256:9f86d081".into(); 8],
            repeats: i32::MAX.unsigned_abs(),
            repeat_at: Some(at("2026-01-01T00:00:00Z")),
        }),
        paused_generation: Some(1),
        held_until: Some(at("2026-01-01T00:00:00Z")),
        signing_keys: vec![key; 16],
        last_rotation: Some(RotationStatus { value: "v".repeat(128), time: at("2026-01-01T00:00:00Z") }),
    }
}

#[test]
fn admit_the_fullest_status_and_keep_every_field_of_it() {
    on_cluster(|cluster, namespace| async move {
        let schedules = make(&cluster, &namespace).await;
        let patch = Patch::Merge(json!({"status": fullest()}));
        schedules.patch_status("draft", &PatchParams::default(), &patch).await.unwrap();
        let kept = schedules.get("draft").await.unwrap();
        assert_eq!(kept.status, Some(fullest()));
        assert_eq!(kept.metadata.generation, Some(1), "a status is no change of the spec");
    });
}

#[test]
fn say_that_the_operator_has_not_seen_it_until_the_operator_says_more() {
    on_cluster(|cluster, namespace| async move {
        let schedules = make(&cluster, &namespace).await;
        assert_eq!(schedules.get("draft").await.unwrap().status, Some(unseen()));
        let seen = Patch::Merge(json!({"status": {"observedGeneration": 1}}));
        schedules.patch_status("draft", &PatchParams::default(), &seen).await.unwrap();
        let status = schedules.get("draft").await.unwrap().status.unwrap();
        assert_eq!(status.observed_generation, Some(1));
    });
}

#[test]
fn refuse_a_status_that_grows_without_bound() {
    on_cluster(|cluster, namespace| async move {
        let schedules = make(&cluster, &namespace).await;
        let set = async |pointer: &str, value: Value| {
            let mut status = json!({"status": fullest()});
            *status.pointer_mut(pointer).unwrap() = value;
            let patched = schedules.patch_status("draft", &PatchParams::default(), &Patch::Merge(status)).await;
            patched.map_or_else(|refusal| refusal.to_string(), |_| "(admitted)".into())
        };
        let delivery = json!(fullest().last_delivery);
        for (pointer, value, words) in [
            (
                "/status/recentDeliveries",
                vec![delivery; 41].into(),
                "status.recentDeliveries: Too many: 41: must have at most 40 items",
            ),
            (
                "/status/lastDelivery/detail",
                json!("d".repeat(513)),
                "status.lastDelivery.detail: Too long: may not be more than 512 bytes",
            ),
            (
                "/status/lastDelivery/outcome",
                json!("Splendid"),
                "status.lastDelivery.outcome: Unsupported value: \"Splendid\"",
            ),
            (
                "/status/lastDelivery/reason",
                json!("in so many words"),
                "status.lastDelivery.reason: Invalid value: \"in so many words\"",
            ),
            (
                "/status/lastTrigger/value",
                json!("v".repeat(129)),
                "status.lastTrigger.value: Too long: may not be more than 128 bytes",
            ),
            ("/status/checked/result", json!("Splendid"), "status.checked.result: Unsupported value: \"Splendid\""),
            ("/status/conditions/0/reason", json!(""), "status.conditions[0].reason: Invalid value: \"\""),
        ] {
            let said = set(pointer, value).await;
            assert!(said.contains(words), "{pointer}: {said}");
        }
    });
}

#[test]
fn a_tenants_write_leaves_the_status_alone() {
    on_cluster(|cluster, namespace| async move {
        let schedules = make(&cluster, &namespace).await;
        let patch = Patch::Merge(json!({"spec": {"suspend": true}, "status": {"tier": "premium"}}));
        let patched = schedules.patch("draft", &PatchParams::default(), &patch).await.unwrap();
        assert!(patched.spec.suspend);
        assert_eq!(patched.status, Some(unseen()));
    });
}
