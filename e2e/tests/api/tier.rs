//! Tiers.

use postern_e2e::{install_crds, on_cluster};
use serde_json::{Value, json};

use super::submit::{Draft, admits, refuses};

#[test]
fn admit_the_least_tier_and_fill_in_every_default() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let stored = Draft::tier().submit(&cluster, &namespace).await.unwrap();
        let expected = json!({
            "minInterval": "15m", "maxSchedules": 10, "maxDeliveriesPerHour": 40, "maxBodyBytes": 65_536,
            "maxAttempts": 5, "maxTimeoutSeconds": 30, "lead": "0s", "default": false,
        });
        assert_eq!(stored["spec"], expected);
    });
}

#[test]
fn admit_every_limit_at_the_edge_of_its_range() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let hosts = [
            "hooks.example.com",
            "*.example.com",
            "*.com",
            "localhost",
            "_a.example",
            "xn--bcher-kva.example",
            "Example.COM",
            "203.0.113.9",
            "2001:db8::1",
            "1password.example",
            "a.0a",
        ];
        let many: Value = (0..64).map(|n| json!(format!("*.{n}{}", ".example".repeat(30)))).collect();
        let blocks: Value = (0..64).map(|n| json!(format!("10.{n}.0.0/16"))).collect();
        let ports: Value = (0..16).map(|n| json!(8_000 + n)).collect();
        let cases = [
            ("metadata.name", json!("a".repeat(63))),
            ("spec.minInterval", json!("1m")),
            ("spec.minInterval", json!("60s")),
            ("spec.minInterval", json!("899s")),
            ("spec.minInterval", json!("8760h")),
            ("spec.maxSchedules", json!(0)),
            ("spec.maxSchedules", json!(10_000)),
            ("spec.maxDeliveriesPerHour", json!(0)),
            ("spec.maxDeliveriesPerHour", json!(600_000)),
            ("spec.maxBodyBytes", json!(0)),
            ("spec.maxBodyBytes", json!(1_048_576)),
            ("spec.maxAttempts", json!(1)),
            ("spec.maxAttempts", json!(20)),
            ("spec.maxTimeoutSeconds", json!(1)),
            ("spec.maxTimeoutSeconds", json!(60)),
            ("spec.lead", json!("0s")),
            ("spec.lead", json!("30s")),
            ("spec.allowedHosts", json!(hosts)),
            ("spec.deniedHosts", json!(hosts)),
            ("spec.allowedHosts", many),
            ("spec.allowedPorts", json!([1, 8_443, 65_535])),
            ("spec.allowedPorts", ports),
            ("spec.allowedCIDRs", json!(["0.0.0.0/0", "10.1.2.3/32", "fd00::/8", "2001:db8::1/128"])),
            ("spec.allowedCIDRs", blocks),
            ("spec.default", json!(true)),
        ];
        admits(&cluster, &namespace, Draft::tier(), cases).await;
    });
}

#[test]
fn refuse_a_tier_that_no_label_can_name() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [(
            "metadata.name",
            json!("a".repeat(64)),
            "<nil>: Invalid value: metadata.name must have at most 63 characters, since a namespace names its tier in a label: choose a shorter name",
        )];
        refuses(&cluster, &namespace, Draft::tier(), cases).await;
    });
}

#[test]
fn refuse_limits_outside_their_range() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            ("spec.minInterval", json!("59s"), "spec.minInterval: Invalid value: \"59s\": must be from 1m to 8760h"),
            (
                "spec.minInterval",
                json!("8761h"),
                "spec.minInterval: Invalid value: \"8761h\": must be from 1m to 8760h",
            ),
            (
                "spec.minInterval",
                json!("15 minutes"),
                "spec.minInterval: Invalid value: \"15 minutes\": must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m",
            ),
            (
                "spec.minInterval",
                json!(15),
                "spec.minInterval: Invalid value: \"integer\": spec.minInterval in body must be of type string: \"integer\"",
            ),
            (
                "spec.maxSchedules",
                json!(-1),
                "spec.maxSchedules: Invalid value: -1: spec.maxSchedules in body should be greater than or equal to 0",
            ),
            (
                "spec.maxSchedules",
                json!(10_001),
                "spec.maxSchedules: Invalid value: 10001: spec.maxSchedules in body should be less than or equal to 10000",
            ),
            (
                "spec.maxDeliveriesPerHour",
                json!(600_001),
                "spec.maxDeliveriesPerHour: Invalid value: 600001: spec.maxDeliveriesPerHour in body should be less than or equal to 600000",
            ),
            (
                "spec.maxBodyBytes",
                json!(1_048_577),
                "spec.maxBodyBytes: Invalid value: 1048577: spec.maxBodyBytes in body should be less than or equal to 1048576",
            ),
            (
                "spec.maxAttempts",
                json!(0),
                "spec.maxAttempts: Invalid value: 0: spec.maxAttempts in body should be greater than or equal to 1",
            ),
            (
                "spec.maxAttempts",
                json!(21),
                "spec.maxAttempts: Invalid value: 21: spec.maxAttempts in body should be less than or equal to 20",
            ),
            (
                "spec.maxTimeoutSeconds",
                json!(0),
                "spec.maxTimeoutSeconds: Invalid value: 0: spec.maxTimeoutSeconds in body should be greater than or equal to 1",
            ),
            (
                "spec.maxTimeoutSeconds",
                json!(61),
                "spec.maxTimeoutSeconds: Invalid value: 61: spec.maxTimeoutSeconds in body should be less than or equal to 60",
            ),
        ];
        refuses(&cluster, &namespace, Draft::tier(), cases).await;
        let cases = [
            ("spec.lead", json!("31s"), "spec.lead: Invalid value: \"31s\": must be from 0s to 30s"),
            ("spec.lead", json!("1m"), "spec.lead: Invalid value: \"1m\": must be from 0s to 30s"),
            (
                "spec.lead",
                json!("-1s"),
                "spec.lead: Invalid value: \"-1s\": must be a duration in hours, minutes and seconds, such as 720h, 15m or 1h30m",
            ),
        ];
        refuses(&cluster, &namespace, Draft::tier(), cases).await;
        for (path, words) in [
            ("spec.minInterval", "spec.minInterval: Required value"),
            ("spec.maxSchedules", "spec.maxSchedules: Required value"),
            ("spec.maxDeliveriesPerHour", "spec.maxDeliveriesPerHour: Required value"),
        ] {
            let said = Draft::tier().without(path).submit(&cluster, &namespace).await;
            assert_eq!(said.unwrap_err(), [words]);
        }
    });
}

#[test]
fn refuse_what_is_no_host_pattern() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        for host in [
            "*",
            "*.",
            "a.*.com",
            "*a.com",
            "**.com",
            "https://a.com",
            "a.com/x",
            "a.com:443",
            "u@a.com",
            "a b.com",
            " a.com",
            "a..com",
            "*.1.1.1.1",
            "1.2.3",
            "0x7f",
            "-a.com",
            "a-.com",
            "bücher.example",
            "a.com?x",
            "[2001:db8::1]",
        ] {
            let words = format!(
                "spec.deniedHosts[0]: Invalid value: \"{host}\": must be a host such as hooks.example.com, *.example.com for all names below one, or an IP address; without scheme, port and path, and in ASCII (punycode) form"
            );
            refuses(&cluster, &namespace, Draft::tier(), [("spec.deniedHosts", json!([host]), &*words)]).await;
        }
        let many: Value = (0..65).map(|n| json!(format!("a{n}.example"))).collect();
        let cases = [
            (
                "spec.allowedHosts",
                json!(["*"]),
                "spec.allowedHosts[0]: Invalid value: \"*\": must be a host such as hooks.example.com, *.example.com for all names below one, or an IP address; without scheme, port and path, and in ASCII (punycode) form",
            ),
            (
                "spec.allowedHosts",
                json!([""]),
                "spec.allowedHosts[0]: Invalid value: \"\": must be a host such as hooks.example.com, *.example.com for all names below one, or an IP address; without scheme, port and path, and in ASCII (punycode) form",
            ),
            (
                "spec.allowedHosts",
                json!(["a".repeat(256)]),
                "spec.allowedHosts[0]: Too long: may not be more than 255 bytes",
            ),
            (
                "spec.allowedHosts",
                json!(["a.example", "a.example"]),
                "spec.allowedHosts[1]: Duplicate value: \"a.example\"",
            ),
            ("spec.allowedHosts", many, "spec.allowedHosts: Too many: 65: must have at most 64 items"),
        ];
        refuses(&cluster, &namespace, Draft::tier(), cases).await;
    });
}

#[test]
fn refuse_what_is_no_port_or_block_of_addresses() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let many: Value = (0..65).map(|n| json!(format!("10.{n}.0.0/16"))).collect();
        let cases = [
            (
                "spec.allowedPorts",
                json!([0]),
                "spec.allowedPorts[0]: Invalid value: 0: spec.allowedPorts[0] in body should be greater than or equal to 1",
            ),
            (
                "spec.allowedPorts",
                json!([65_536]),
                "spec.allowedPorts[0]: Invalid value: 65536: spec.allowedPorts[0] in body should be less than or equal to 65535",
            ),
            ("spec.allowedPorts", json!([8_443, 8_443]), "spec.allowedPorts[1]: Duplicate value: 8443"),
            (
                "spec.allowedPorts",
                json!((1..18).collect::<Vec<_>>()),
                "spec.allowedPorts: Too many: 17: must have at most 16 items",
            ),
            (
                "spec.allowedCIDRs",
                json!(["10.0.0.1"]),
                "spec.allowedCIDRs[0]: Invalid value: \"10.0.0.1\": must be a block of addresses such as 10.20.0.0/16 or fd00:20::/32",
            ),
            (
                "spec.allowedCIDRs",
                json!(["10.0.0.0/33"]),
                "spec.allowedCIDRs[0]: Invalid value: \"10.0.0.0/33\": must be a block of addresses such as 10.20.0.0/16 or fd00:20::/32",
            ),
            (
                "spec.allowedCIDRs",
                json!(["::ffff:10.0.0.0/104"]),
                "spec.allowedCIDRs[0]: Invalid value: \"::ffff:10.0.0.0/104\": must be a block of addresses such as 10.20.0.0/16 or fd00:20::/32",
            ),
            (
                "spec.allowedCIDRs",
                json!(["10.20.3.4/16"]),
                "spec.allowedCIDRs[0]: Invalid value: \"10.20.3.4/16\": must name the block by its first address, as 10.20.0.0/16 and not 10.20.3.4/16",
            ),
            (
                "spec.allowedCIDRs",
                json!(["fd00::1/8"]),
                "spec.allowedCIDRs[0]: Invalid value: \"fd00::1/8\": must name the block by its first address, as 10.20.0.0/16 and not 10.20.3.4/16",
            ),
            (
                "spec.allowedCIDRs",
                json!(["10.0.0.0/8", "10.0.0.0/8"]),
                "spec.allowedCIDRs[1]: Duplicate value: \"10.0.0.0/8\"",
            ),
            ("spec.allowedCIDRs", many, "spec.allowedCIDRs: Too many: 65: must have at most 64 items"),
        ];
        refuses(&cluster, &namespace, Draft::tier(), cases).await;
    });
}
