//! How a delivery is signed.

use postern_e2e::{install_crds, on_cluster};
use serde_json::{Value, json};

use super::submit::{Draft, admits, refuses};

fn keys(count: usize) -> Value {
    (0..count).map(|n| json!({"secretKeyRef": {"name": "hook", "key": format!("key-{n}")}})).collect()
}

#[test]
fn admit_each_way_to_sign() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let classic = |payload: &str| json!({"header": "X-Signature", "prefix": "v1=", "payload": payload});
        let cases = [
            ("spec.signing", json!({"scheme": "StandardWebhooks", "keysFrom": keys(8)})),
            ("spec.signing", json!({"scheme": "None"})),
            ("spec.signing", json!({"scheme": "HmacSha256Hex", "keysFrom": keys(1), "classic": classic("Body")})),
            (
                "spec.signing",
                json!({
                    "scheme": "HmacSha256Base64", "keysFrom": keys(8), "classic": classic("TimestampBody"),
                }),
            ),
            (
                "spec.signing",
                json!({
                    "scheme": "StandardWebhooks", "managed": {"keyType": "v1a", "rotateEvery": "1h", "overlap": "0s"},
                }),
            ),
            (
                "spec.signing",
                json!({
                    "scheme": "StandardWebhooks",
                    "managed": {"keyType": "v1", "rotateEvery": "8760h", "overlap": "8759h59m59s"},
                }),
            ),
        ];
        admits(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn admit_managed_keys_and_classic_options_and_fill_in_their_defaults() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let managed = Draft::schedule().with("spec.signing", json!({"managed": {}}));
        let stored = managed.submit(&cluster, &namespace).await.unwrap();
        let expected = json!({
            "scheme": "StandardWebhooks",
            "managed": {"keyType": "v1", "rotateEvery": "720h", "overlap": "24h"},
        });
        assert_eq!(stored["spec"]["signing"], expected);

        let classic =
            json!({"scheme": "HmacSha256Hex", "keysFrom": keys(1), "classic": {"header": "X-Hub-Signature-256"}});
        let stored = Draft::schedule().with("spec.signing", classic).submit(&cluster, &namespace).await.unwrap();
        let expected = json!({"header": "X-Hub-Signature-256", "prefix": "", "payload": "Body"});
        assert_eq!(stored["spec"]["signing"]["classic"], expected);
    });
}

#[test]
fn refuse_signing_without_keys_or_with_two_kinds_of_them() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            (
                "spec.signing",
                json!({}),
                "spec.signing: Invalid value: give exactly one of keysFrom (keys that you keep in Secrets) and managed (keys that Postern makes)",
            ),
            (
                "spec.signing",
                json!({"keysFrom": keys(1), "managed": {}}),
                "spec.signing: Invalid value: give exactly one of keysFrom (keys that you keep in Secrets) and managed (keys that Postern makes)",
            ),
            (
                "spec.signing",
                json!({"keysFrom": []}),
                "spec.signing.keysFrom: Invalid value: 0: spec.signing.keysFrom in body should have at least 1 items",
            ),
            (
                "spec.signing",
                json!({"keysFrom": keys(9)}),
                "spec.signing.keysFrom: Too many: 9: must have at most 8 items",
            ),
            (
                "spec.signing",
                json!({"keysFrom": [{"configMapKeyRef": {"name": "a", "key": "b"}}]}),
                "WebhookSchedule in version \"v1alpha1\" cannot be handled as a WebhookSchedule: strict decoding error: unknown field \"spec.signing.keysFrom[0].configMapKeyRef\"",
            ),
            (
                "spec.signing",
                json!({"scheme": "None", "keysFrom": keys(1)}),
                "spec.signing: Invalid value: scheme None sends without a signature: leave keysFrom, managed and classic out, or name another scheme",
            ),
            (
                "spec.signing",
                json!({"scheme": "None", "managed": {}}),
                "spec.signing: Invalid value: scheme None sends without a signature: leave keysFrom, managed and classic out, or name another scheme",
            ),
            (
                "spec.signing",
                json!({"scheme": "Sha1", "keysFrom": keys(1)}),
                "spec.signing.scheme: Unsupported value: \"Sha1\": supported values: \"StandardWebhooks\", \"HmacSha256Hex\", \"HmacSha256Base64\", \"None\"",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_options_that_do_not_go_with_the_scheme() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let classic = json!({"header": "X-Signature"});
        let cases = [
            (
                "spec.signing",
                json!({"keysFrom": keys(1), "classic": classic}),
                "spec.signing: Invalid value: classic belongs to the schemes HmacSha256Hex and HmacSha256Base64: leave it out",
            ),
            (
                "spec.signing",
                json!({"scheme": "None", "classic": classic}),
                "spec.signing: Invalid value: scheme None sends without a signature: leave keysFrom, managed and classic out, or name another scheme",
            ),
            (
                "spec.signing",
                json!({"scheme": "HmacSha256Hex", "keysFrom": keys(1)}),
                "spec.signing: Invalid value: schemes HmacSha256Hex and HmacSha256Base64 need classic.header, the header that carries the signature",
            ),
            (
                "spec.signing",
                json!({"scheme": "HmacSha256Hex", "keysFrom": keys(2), "classic": classic}),
                "spec.signing: Invalid value: a classic signature of the body alone takes one key: name one in keysFrom, or set classic.payload to TimestampBody",
            ),
            (
                "spec.signing",
                json!({"scheme": "HmacSha256Base64", "managed": {}, "classic": classic}),
                "spec.signing: Invalid value: managed keys are for scheme StandardWebhooks: give keysFrom",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_a_classic_signature_in_a_header_that_is_taken() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let draft = Draft::schedule()
            .with("spec.signing", json!({"scheme": "HmacSha256Hex", "keysFrom": keys(1), "classic": {}}))
            .with("spec.target.headers", json!([{"name": "x-signature", "value": "forged"}]));
        let cases = [
            (
                "spec.signing.classic.header",
                json!("X-Signature"),
                "spec.signing.classic.header: Invalid value: is set in spec.target.headers too: leave it out there",
            ),
            (
                "spec.signing.classic.header",
                json!("Host"),
                "spec.signing.classic.header: Invalid value: \"Host\": belongs to the connection, which the sender manages: leave the header out",
            ),
            (
                "spec.signing.classic.header",
                json!("webhook-signature"),
                "spec.signing.classic.header: Invalid value: \"webhook-signature\": identifies or signs the delivery, and only the sender sets it: leave the header out",
            ),
            (
                "spec.signing.classic.header",
                json!("a b"),
                "spec.signing.classic.header: Invalid value: \"a b\": must be a header's name: letters, digits or any of !#$%&'*+-.^_`|~",
            ),
            (
                "spec.signing.classic",
                json!({"header": "A", "prefix": "a b"}),
                "spec.signing.classic.prefix: Invalid value: \"a b\": must be printable ASCII without blanks",
            ),
            (
                "spec.signing.classic",
                json!({"header": "A", "prefix": "p".repeat(65)}),
                "spec.signing.classic.prefix: Too long: may not be more than 64 bytes",
            ),
            (
                "spec.signing.classic",
                json!({"header": "A", "payload": "Header"}),
                "spec.signing.classic.payload: Unsupported value: \"Header\": supported values: \"Body\", \"TimestampBody\"",
            ),
        ];
        refuses(&cluster, &namespace, draft, cases).await;
    });
}

#[test]
fn refuse_a_rotation_that_cannot_be_kept() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let draft = Draft::schedule().with("spec.signing", json!({"managed": {}}));
        let cases = [
            (
                "spec.signing.managed.rotateEvery",
                json!("59m59s"),
                "spec.signing.managed.overlap: Invalid value: must be shorter than rotateEvery, so that at most two keys sign\nspec.signing.managed.rotateEvery: Invalid value: \"59m59s\": must be from 1h to 8760h",
            ),
            (
                "spec.signing.managed.rotateEvery",
                json!("8760h1s"),
                "spec.signing.managed.rotateEvery: Invalid value: \"8760h1s\": must be from 1h to 8760h",
            ),
            (
                "spec.signing.managed.rotateEvery",
                json!("24h"),
                "spec.signing.managed.overlap: Invalid value: must be shorter than rotateEvery, so that at most two keys sign",
            ),
            (
                "spec.signing.managed.overlap",
                json!("720h"),
                "spec.signing.managed.overlap: Invalid value: must be shorter than rotateEvery, so that at most two keys sign",
            ),
            (
                "spec.signing.managed.overlap",
                json!("-1h"),
                "spec.signing.managed.overlap: Invalid value: \"-1h\": must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m",
            ),
            (
                "spec.signing.managed.overlap",
                json!("1.5h"),
                "spec.signing.managed.overlap: Invalid value: \"1.5h\": must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m",
            ),
            (
                "spec.signing.managed.overlap",
                json!("1d"),
                "spec.signing.managed.overlap: Invalid value: \"1d\": must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m",
            ),
            (
                "spec.signing.managed.overlap",
                json!("86400"),
                "spec.signing.managed.overlap: Invalid value: \"86400\": must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m",
            ),
            (
                "spec.signing.managed.overlap",
                json!("9999999999999h"),
                "spec.signing.managed.overlap: Invalid value: \"9999999999999h\": must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m",
            ),
            (
                "spec.signing.managed.overlap",
                json!(""),
                "spec.signing.managed.overlap: Invalid value: \"\": must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m",
            ),
            (
                "spec.signing.managed.overlap",
                json!("1".repeat(33)),
                "spec.signing.managed.overlap: Too long: may not be more than 32 bytes",
            ),
            (
                "spec.signing.managed.keyType",
                json!("v2"),
                "spec.signing.managed.keyType: Unsupported value: \"v2\": supported values: \"v1\", \"v1a\"",
            ),
        ];
        refuses(&cluster, &namespace, draft, cases).await;
    });
}
