//! References to Secrets and `ConfigMap`s.

use postern_e2e::{install_crds, on_cluster};
use serde_json::{Value, json};

use super::submit::{Draft, refuses};

#[test]
fn refuse_more_than_sixteen_references() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let reference = |n: usize| json!({"secretKeyRef": {"name": "hook", "key": format!("key-{n}")}});
        let headers = |count| -> Value {
            (0..count).map(|n| json!({"name": format!("X-{n}"), "valueFrom": reference(n)})).collect()
        };
        let keys = |count| -> Value { (0..count).map(reference).collect() };
        // In addition to the URL: a CA bundle, a client certificate and a body.
        let draft = Draft::schedule()
            .with(
                "spec.target.tls",
                json!({
                    "caBundleFrom": reference(0), "clientCertificateFrom": {"secretRef": {"name": "client"}},
                }),
            )
            .with("spec.body", json!({"secretKeyRef": {"name": "hook", "key": "body"}}))
            .with("spec.signing.keysFrom", keys(8));
        draft.clone().with("spec.target.headers", headers(4)).submit(&cluster, &namespace).await.unwrap();

        let words = "spec: Invalid value: names more than 16 Secrets and ConfigMaps, the URL's included: put values that are no secret into headers[].value, or name fewer keys";
        refuses(&cluster, &namespace, draft, [("spec.target.headers", headers(5), words)]).await;
        let many = Draft::schedule().with("spec.signing.keysFrom", keys(1));
        many.clone().with("spec.target.headers", headers(14)).submit(&cluster, &namespace).await.unwrap();
        refuses(&cluster, &namespace, many, [("spec.target.headers", headers(15), words)]).await;
    });
}

#[test]
fn refuse_a_reference_that_can_name_nothing() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let name = "spec.target.urlFrom.secretKeyRef.name";
        let key = "spec.target.urlFrom.secretKeyRef.key";
        let cases = [
            (
                name,
                json!(""),
                "spec.target.urlFrom.secretKeyRef.name: Invalid value: \"\": must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
            ),
            (
                name,
                json!("Hook"),
                "spec.target.urlFrom.secretKeyRef.name: Invalid value: \"Hook\": must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
            ),
            (
                name,
                json!("other/hook"),
                "spec.target.urlFrom.secretKeyRef.name: Invalid value: \"other/hook\": must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
            ),
            (
                name,
                json!("-a"),
                "spec.target.urlFrom.secretKeyRef.name: Invalid value: \"-a\": must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
            ),
            (
                name,
                json!("a".repeat(254)),
                "spec.target.urlFrom.secretKeyRef.name: Too long: may not be more than 253 bytes",
            ),
            (
                key,
                json!(""),
                "spec.target.urlFrom.secretKeyRef.key: Invalid value: \"\": must be a key of the object's data: letters, digits, '-', '_' and '.'",
            ),
            (
                key,
                json!("a/b"),
                "spec.target.urlFrom.secretKeyRef.key: Invalid value: \"a/b\": must be a key of the object's data: letters, digits, '-', '_' and '.'",
            ),
            (
                key,
                json!(".."),
                "spec.target.urlFrom.secretKeyRef.key: Invalid value: \"..\": must be a key of the object's data: letters, digits, '-', '_' and '.'",
            ),
            (
                key,
                json!("k".repeat(254)),
                "spec.target.urlFrom.secretKeyRef.key: Too long: may not be more than 253 bytes",
            ),
            (
                "spec.target.tls.caBundleFrom",
                json!({}),
                "spec.target.tls.caBundleFrom: Invalid value: give exactly one of configMapKeyRef and secretKeyRef",
            ),
            (
                "spec.target.tls.caBundleFrom",
                json!({
                    "configMapKeyRef": {"name": "a", "key": "b"}, "secretKeyRef": {"name": "a", "key": "b"},
                }),
                "spec.target.tls.caBundleFrom: Invalid value: give exactly one of configMapKeyRef and secretKeyRef",
            ),
            (
                "spec.target.tls.clientCertificateFrom",
                json!({}),
                "spec.target.tls.clientCertificateFrom.secretRef: Required value",
            ),
            (
                "spec.target.tls.clientCertificateFrom.secretRef.name",
                json!("A"),
                "spec.target.tls.clientCertificateFrom.secretRef.name: Invalid value: \"A\": must be the name of an object: lower-case letters, digits, '-' and '.', with a letter or digit at both ends",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}
