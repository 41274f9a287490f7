//! The ranges of the schedule's options, and which fields there are.

use postern_e2e::{install_crds, on_cluster};
use serde_json::json;

use super::submit::{Draft, admits, refuses};

#[test]
fn admit_every_value_at_the_edge_of_its_range() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            ("metadata.name", json!("a".repeat(44))),
            ("spec.schedule", json!("@hourly")),
            ("spec.schedule", json!("H(0-29)/10 H * jan-DEC ?")),
            ("spec.schedule", json!("  0  *\t* * *  ")),
            ("spec.schedule", json!(format!("{} * * * *", vec!["10"; 83].join(",")))),
            ("spec.timeZone", json!("America/Argentina/ComodRivadavia")),
            ("spec.timeZone", json!("Etc/GMT+5")),
            ("spec.timeZone", json!("UTC")),
            ("spec.concurrencyPolicy", json!("Allow")),
            ("spec.concurrencyPolicy", json!("Replace")),
            ("spec.startingDeadlineSeconds", json!(10)),
            ("spec.startingDeadlineSeconds", json!(86_400)),
            ("spec.delivery.timeoutSeconds", json!(1)),
            ("spec.delivery.timeoutSeconds", json!(60)),
            ("spec.delivery.attempts", json!(1)),
            ("spec.delivery.attempts", json!(20)),
            ("spec.delivery.totalDeadlineSeconds", json!(1)),
            ("spec.delivery.totalDeadlineSeconds", json!(21_600)),
            ("spec.delivery.backoff", json!({"minSeconds": 0, "maxSeconds": 0})),
            ("spec.delivery.backoff", json!({"minSeconds": 3_600, "maxSeconds": 3_600})),
            ("spec.history", json!({"successful": 0, "failed": 0})),
            ("spec.history", json!({"successful": 20, "failed": 20})),
        ];
        admits(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_numbers_and_words_outside_their_range() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            (
                "spec.concurrencyPolicy",
                json!("forbid"),
                "spec.concurrencyPolicy: Unsupported value: \"forbid\": supported values: \"Allow\", \"Forbid\", \"Replace\"",
            ),
            (
                "spec.suspend",
                json!("yes"),
                "spec.suspend: Invalid value: \"string\": spec.suspend in body must be of type boolean: \"string\"",
            ),
            (
                "spec.startingDeadlineSeconds",
                json!(9),
                "spec.startingDeadlineSeconds: Invalid value: 9: spec.startingDeadlineSeconds in body should be greater than or equal to 10",
            ),
            (
                "spec.startingDeadlineSeconds",
                json!(86_401),
                "spec.startingDeadlineSeconds: Invalid value: 86401: spec.startingDeadlineSeconds in body should be less than or equal to 86400",
            ),
            (
                "spec.delivery.timeoutSeconds",
                json!(0),
                "spec.delivery.timeoutSeconds: Invalid value: 0: spec.delivery.timeoutSeconds in body should be greater than or equal to 1",
            ),
            (
                "spec.delivery.timeoutSeconds",
                json!(61),
                "spec.delivery.timeoutSeconds: Invalid value: 61: spec.delivery.timeoutSeconds in body should be less than or equal to 60",
            ),
            (
                "spec.delivery.attempts",
                json!(0),
                "spec.delivery.attempts: Invalid value: 0: spec.delivery.attempts in body should be greater than or equal to 1",
            ),
            (
                "spec.delivery.attempts",
                json!(21),
                "spec.delivery.attempts: Invalid value: 21: spec.delivery.attempts in body should be less than or equal to 20",
            ),
            (
                "spec.delivery.attempts",
                json!(1.5),
                "spec.delivery.attempts: Invalid value: \"float64\": spec.delivery.attempts in body must be of type int32: \"float64\"\n<nil>: Invalid value: \"\": Checked value must be of type integer with format int32 in spec.delivery.attempts",
            ),
            (
                "spec.delivery.totalDeadlineSeconds",
                json!(0),
                "spec.delivery.totalDeadlineSeconds: Invalid value: 0: spec.delivery.totalDeadlineSeconds in body should be greater than or equal to 1",
            ),
            (
                "spec.delivery.totalDeadlineSeconds",
                json!(21_601),
                "spec.delivery.totalDeadlineSeconds: Invalid value: 21601: spec.delivery.totalDeadlineSeconds in body should be less than or equal to 21600",
            ),
            (
                "spec.delivery.backoff.minSeconds",
                json!(-1),
                "spec.delivery.backoff.minSeconds: Invalid value: -1: spec.delivery.backoff.minSeconds in body should be greater than or equal to 0",
            ),
            (
                "spec.delivery.backoff.minSeconds",
                json!(61),
                "spec.delivery.backoff.maxSeconds: Invalid value: must be at least minSeconds",
            ),
            (
                "spec.delivery.backoff.maxSeconds",
                json!(3_601),
                "spec.delivery.backoff.maxSeconds: Invalid value: 3601: spec.delivery.backoff.maxSeconds in body should be less than or equal to 3600",
            ),
            (
                "spec.history.successful",
                json!(21),
                "spec.history.successful: Invalid value: 21: spec.history.successful in body should be less than or equal to 20",
            ),
            (
                "spec.history.failed",
                json!(-1),
                "spec.history.failed: Invalid value: -1: spec.history.failed in body should be greater than or equal to 0",
            ),
            (
                "spec.history.failed",
                json!(21),
                "spec.history.failed: Invalid value: 21: spec.history.failed in body should be less than or equal to 20",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_a_schedule_that_lacks_a_part() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        for (path, words) in [
            ("spec.schedule", "spec.schedule: Required value"),
            ("spec.target", "spec.target: Required value"),
            ("spec.target.urlFrom", "spec.target.urlFrom: Required value"),
            ("spec.target.urlFrom.secretKeyRef.key", "spec.target.urlFrom.secretKeyRef.key: Required value"),
            ("spec.signing", "spec.signing: Required value"),
        ] {
            let said = Draft::schedule().without(path).submit(&cluster, &namespace).await;
            assert_eq!(said.unwrap_err(), [words]);
        }
    });
}

#[test]
fn refuse_a_field_that_does_not_exist() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            (
                "spec.target.url",
                json!("https://hooks.example.com/secret"),
                "WebhookSchedule in version \"v1alpha1\" cannot be handled as a WebhookSchedule: strict decoding error: unknown field \"spec.target.url\"",
            ),
            (
                "spec.target.urlFrom.configMapKeyRef",
                json!({"name": "a", "key": "b"}),
                "WebhookSchedule in version \"v1alpha1\" cannot be handled as a WebhookSchedule: strict decoding error: unknown field \"spec.target.urlFrom.configMapKeyRef\"",
            ),
            (
                "spec.target.urlFrom.secretKeyRef.namespace",
                json!("other"),
                "WebhookSchedule in version \"v1alpha1\" cannot be handled as a WebhookSchedule: strict decoding error: unknown field \"spec.target.urlFrom.secretKeyRef.namespace\"",
            ),
            (
                "spec.target.tls.insecureSkipVerify",
                json!(true),
                "WebhookSchedule in version \"v1alpha1\" cannot be handled as a WebhookSchedule: strict decoding error: unknown field \"spec.target.tls.insecureSkipVerify\"",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}
