//! The request's body.

use postern_e2e::{install_crds, on_cluster};
use serde_json::json;

use super::submit::{Draft, admits, refuses};

#[test]
fn admit_a_body_from_each_source_and_up_to_its_largest_size() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            ("spec.body.inline", json!("")),
            ("spec.body.inline", json!("b".repeat(65_536))),
            ("spec.body.inline", json!("ä".repeat(32_768))),
            ("spec.body.configMapKeyRef", json!({"name": "a", "key": "b"})),
            ("spec.body.secretKeyRef", json!({"name": "a", "key": "b"})),
        ];
        admits(&cluster, &namespace, Draft::schedule(), cases).await;
        let types = ["text/plain", "text/plain; charset=utf-8", "application/vnd.a+json ;v=1", "*/*"];
        let types = types.map(|media| ("spec.body.contentType", json!(media)));
        admits(&cluster, &namespace, Draft::schedule().with("spec.body.inline", json!("")), types[..3].to_vec()).await;
    });
}

#[test]
fn refuse_a_body_with_no_source_or_several() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let key = json!({"name": "a", "key": "b"});
        let cases = [
            (
                "spec.body",
                json!({}),
                "spec.body: Invalid value: give exactly one of inline, configMapKeyRef and secretKeyRef",
            ),
            (
                "spec.body",
                json!({"inline": "", "secretKeyRef": key}),
                "spec.body: Invalid value: give exactly one of inline, configMapKeyRef and secretKeyRef",
            ),
            (
                "spec.body",
                json!({"configMapKeyRef": key, "secretKeyRef": key}),
                "spec.body: Invalid value: give exactly one of inline, configMapKeyRef and secretKeyRef",
            ),
            (
                "spec.body",
                json!({"inline": "", "configMapKeyRef": key, "secretKeyRef": key}),
                "spec.body: Invalid value: give exactly one of inline, configMapKeyRef and secretKeyRef",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_a_body_that_is_too_large_by_one_byte() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            (
                "spec.body.inline",
                json!("b".repeat(65_537)),
                "spec.body.inline: Too long: may not be more than 65536 bytes",
            ),
            // Fewer characters than the limit, but one byte more.
            (
                "spec.body.inline",
                json!("ä".repeat(32_768) + "b"),
                "spec.body.inline: Invalid value: must have at most 65536 bytes: keep a larger body in a ConfigMap or Secret, and name it by configMapKeyRef or secretKeyRef",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_what_is_no_media_type() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let draft = Draft::schedule().with("spec.body.inline", json!(""));
        let cases = [
            (
                "spec.body.contentType",
                json!(""),
                "spec.body.contentType: Invalid value: \"\": must be a media type such as application/json or text/plain; charset=utf-8",
            ),
            (
                "spec.body.contentType",
                json!("json"),
                "spec.body.contentType: Invalid value: \"json\": must be a media type such as application/json or text/plain; charset=utf-8",
            ),
            (
                "spec.body.contentType",
                json!("text/plain\r\nHost: a"),
                "spec.body.contentType: Invalid value: \"text/plain\\r\\nHost: a\": must be a media type such as application/json or text/plain; charset=utf-8",
            ),
            (
                "spec.body.contentType",
                json!(format!("text/{}", "p".repeat(252))),
                "spec.body.contentType: Too long: may not be more than 256 bytes",
            ),
        ];
        refuses(&cluster, &namespace, draft, cases).await;
    });
}
