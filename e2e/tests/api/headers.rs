//! The request: its method and its headers.

use postern_e2e::{install_crds, on_cluster};
use serde_json::{Value, json};

use super::submit::{Draft, admits, refuses};

fn named(name: &str) -> Value {
    json!([{"name": name, "value": "v"}])
}

#[test]
fn admit_every_method_and_a_tenants_own_headers() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let methods = ["POST", "PUT", "PATCH", "DELETE", "GET"];
        let methods = methods.map(|method| ("spec.target.method", json!(method)));
        admits(&cluster, &namespace, Draft::schedule(), methods).await;

        let longest = "a".repeat(256);
        let names = ["X-Team", "authorization", "Cookie", "!#$%&'*+-.^_`|~09", "a", &longest, "Hosts", "Proxying"];
        let names = names.map(|name| ("spec.target.headers", named(name)));
        admits(&cluster, &namespace, Draft::schedule(), names).await;

        let values = ["", "a\tb ~", &"v".repeat(8_192)];
        let values = values.map(|value| ("spec.target.headers", json!([{"name": "X", "value": value}])));
        admits(&cluster, &namespace, Draft::schedule(), values).await;

        let most: Value = (0..16).map(|n| json!({"name": format!("X-{n}"), "value": "v".repeat(8_192)})).collect();
        let key = json!({"name": "a", "key": "._-Aa0"});
        let references = [
            ("spec.target.headers", most),
            ("spec.target.headers", json!([{"name": "X", "valueFrom": {"configMapKeyRef": key}}])),
            ("spec.target.headers", json!([{"name": "X", "valueFrom": {"secretKeyRef": key}}])),
            ("spec.target.tls.caBundleFrom", json!({"secretKeyRef": key})),
            ("spec.target.urlFrom.secretKeyRef", json!({"name": "a".repeat(253), "key": "k".repeat(253)})),
        ];
        admits(&cluster, &namespace, Draft::schedule(), references).await;
    });
}

#[test]
fn refuse_a_method_that_delivers_nothing() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            (
                "spec.target.method",
                json!("CONNECT"),
                "spec.target.method: Unsupported value: \"CONNECT\": supported values: \"POST\", \"PUT\", \"PATCH\", \"DELETE\", \"GET\"",
            ),
            (
                "spec.target.method",
                json!("post"),
                "spec.target.method: Unsupported value: \"post\": supported values: \"POST\", \"PUT\", \"PATCH\", \"DELETE\", \"GET\"",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_the_headers_of_the_connection_in_any_spelling() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        for name in [
            "Connection",
            "Content-Length",
            "Expect",
            "HOST",
            "hOsT",
            "Http2-Settings",
            "Keep-Alive",
            "Max-Forwards",
            "TE",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "User-Agent",
            "Via",
            "Proxy-Authorization",
            "proxy-",
        ] {
            let words = format!(
                "spec.target.headers[0].name: Invalid value: \"{name}\": belongs to the connection, which the sender manages: leave the header out"
            );
            refuses(&cluster, &namespace, Draft::schedule(), [("spec.target.headers", named(name), &*words)]).await;
        }
    });
}

#[test]
fn refuse_the_headers_that_only_the_sender_sets_in_any_spelling() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        for name in ["webhook-id", "Webhook-Signature", "WEBHOOK-", "Idempotency-Key", "Postern-Scheduled-Time"] {
            let words = format!(
                "spec.target.headers[0].name: Invalid value: \"{name}\": identifies or signs the delivery, and only the sender sets it: leave the header out"
            );
            refuses(&cluster, &namespace, Draft::schedule(), [("spec.target.headers", named(name), &*words)]).await;
        }
        let cases = [(
            "spec.target.headers",
            named("Content-Type"),
            "spec.target.headers[0].name: Invalid value: \"Content-Type\": is set by spec.body.contentType: leave the header out",
        )];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_what_is_no_header() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let header = |value: Value| json!([value]);
        let many: Value = (0..17).map(|n| json!({"name": format!("X-{n}"), "value": "v"})).collect();
        let cases = [
            (
                "spec.target.headers",
                named(""),
                "spec.target.headers[0].name: Invalid value: \"\": must be a header's name: letters, digits or any of !#$%&'*+-.^_`|~",
            ),
            (
                "spec.target.headers",
                named("a b"),
                "spec.target.headers[0].name: Invalid value: \"a b\": must be a header's name: letters, digits or any of !#$%&'*+-.^_`|~",
            ),
            (
                "spec.target.headers",
                named("a:"),
                "spec.target.headers[0].name: Invalid value: \"a:\": must be a header's name: letters, digits or any of !#$%&'*+-.^_`|~",
            ),
            (
                "spec.target.headers",
                named("a\r\nHost"),
                "spec.target.headers[0].name: Invalid value: \"a\\r\\nHost\": must be a header's name: letters, digits or any of !#$%&'*+-.^_`|~",
            ),
            (
                "spec.target.headers",
                named("ä"),
                "spec.target.headers[0].name: Invalid value: \"ä\": must be a header's name: letters, digits or any of !#$%&'*+-.^_`|~",
            ),
            (
                "spec.target.headers",
                named(&"a".repeat(257)),
                "spec.target.headers[0].name: Too long: may not be more than 256 bytes",
            ),
            (
                "spec.target.headers",
                header(json!({"name": "X", "value": "a\r\nHost: b"})),
                "spec.target.headers[0].value: Invalid value: must be printable ASCII without line breaks",
            ),
            (
                "spec.target.headers",
                header(json!({"name": "X", "value": "ä"})),
                "spec.target.headers[0].value: Invalid value: must be printable ASCII without line breaks",
            ),
            (
                "spec.target.headers",
                header(json!({"name": "X", "value": "v".repeat(8_193)})),
                "spec.target.headers[0].value: Too long: may not be more than 8192 bytes",
            ),
            ("spec.target.headers", header(json!({"value": "v"})), "spec.target.headers[0].name: Required value"),
            (
                "spec.target.headers",
                header(json!({"name": "X"})),
                "spec.target.headers[0]: Invalid value: give exactly one of value and valueFrom",
            ),
            (
                "spec.target.headers",
                header(json!({
                    "name": "X", "value": "v", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}},
                })),
                "spec.target.headers[0]: Invalid value: give exactly one of value and valueFrom",
            ),
            (
                "spec.target.headers",
                header(json!({"name": "X", "valueFrom": {}})),
                "spec.target.headers[0].valueFrom: Invalid value: give exactly one of configMapKeyRef and secretKeyRef",
            ),
            ("spec.target.headers", many, "spec.target.headers: Too many: 17: must have at most 16 items"),
            (
                "spec.target.headers",
                json!([{"name": "X", "value": "1"}, {"name": "X", "value": "2"}]),
                "spec.target.headers[1]: Duplicate value: {\"name\":\"X\"}\nspec.target.headers: Invalid value: must hold each header once, whatever the case of its name: join the values with a comma",
            ),
            (
                "spec.target.headers",
                json!([{"name": "X", "value": "1"}, {"name": "x", "value": "2"}]),
                "spec.target.headers: Invalid value: must hold each header once, whatever the case of its name: join the values with a comma",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}
