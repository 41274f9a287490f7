//! What a user of `kubectl` sees.

use std::fs;

use postern_e2e::{Cluster, install_crds, on_cluster, repository};
use serde_json::{Value, json};

use super::submit::Draft;

/// Runs `kubectl` in a namespace, as admin.
fn kubectl(cluster: &Cluster, namespace: &str, args: &[&str], input: &str) -> Result<String, String> {
    cluster.run(&[&["kubectl", "--namespace", namespace], args].concat(), input)
}

fn get(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    let json = kubectl(cluster, namespace, &["get", "whs", name, "-o", "json"], "").unwrap();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn admit_every_sample() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let config = repository().join("config");
        let files = |folder: &str| fs::read_dir(config.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let mut schedules = 0;
        for path in files("samples").chain(files("tiers")) {
            let name = path.file_name().unwrap().to_str().unwrap();
            // The folder also has files that only the sender and kustomize read.
            if path.extension().is_none_or(|extension| extension != "yaml") || name == "kustomization.yaml" {
                continue;
            }
            let sample = fs::read_to_string(&path).unwrap();
            let is_schedule = name.starts_with("schedule-");
            schedules += usize::from(is_schedule);
            // Tiers and namespaces belong to the whole cluster, so no test may create them.
            let dry_run: &[&str] = if is_schedule { &[] } else { &["--dry-run=server"] };
            let args = [&["apply", "--server-side", "-f-"], dry_run].concat();
            let said = kubectl(&cluster, &namespace, &args, &sample);
            assert!(
                said.as_ref().is_ok_and(|said| said.contains("serverside-applied")),
                "{}: {said:?}",
                path.display()
            );
        }
        let listed = kubectl(&cluster, &namespace, &["get", "postern", "-o", "name"], "").unwrap();
        assert!(schedules >= 11, "{schedules} samples");
        // The category also has the cluster's tiers.
        let listed = listed.lines().filter(|name| name.starts_with("webhookschedule."));
        assert_eq!(listed.count(), schedules, "by category");
    });
}

#[test]
fn refuse_a_schedule_in_words_that_name_each_field_and_its_remedy() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let draft = Draft::schedule()
            .with("spec.timeZone", json!("Local"))
            .with("spec.body", json!({}))
            .with("spec.target.headers", json!([{"name": "Host", "value": "a"}]));
        let said = kubectl(&cluster, &namespace, &["apply", "-f-"], &draft.0.to_string());
        let words = "The WebhookSchedule \"draft\" is invalid: \n\
            * spec.target.headers[0].name: Invalid value: \"Host\": belongs to the connection, which the sender manages: \
            leave the header out\n\
            * spec.body: Invalid value: give exactly one of inline, configMapKeyRef and secretKeyRef\n\
            * spec.timeZone: Invalid value: \"Local\": must be a name of the IANA time zone database such as \
            Europe/Berlin, or UTC\n";
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(String::from).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&said.unwrap_err()), sorted(words));
    });
}

#[test]
fn admit_a_schedule_whose_removed_field_gets_its_default_back() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        for args in [&["apply", "-f-"][..], &["apply", "--server-side", "-f-"]] {
            let draft = Draft::schedule().with("metadata.name", json!(format!("draft-{}", args.len())));
            let name = draft.0["metadata"]["name"].as_str().unwrap();
            let changed = draft
                .clone()
                .with("spec.delivery", json!({"attempts": 2, "backoff": {"minSeconds": 9}}))
                .with("spec.timeZone", json!("Europe/Berlin"));
            kubectl(&cluster, &namespace, args, &changed.0.to_string()).unwrap();
            assert_eq!(get(&cluster, &namespace, name)["spec"]["delivery"]["backoff"]["minSeconds"], 9);

            kubectl(&cluster, &namespace, args, &draft.0.to_string()).unwrap();
            let spec = &get(&cluster, &namespace, name)["spec"];
            assert_eq!(spec["timeZone"], "UTC", "{args:?}");
            assert_eq!(spec["delivery"]["attempts"], 5, "{args:?}");
            assert_eq!(spec["delivery"]["backoff"]["minSeconds"], 1, "{args:?}");
        }
    });
}

#[test]
fn a_listing_shows_what_happened_and_what_comes_next() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let draft = Draft::schedule().with("spec.schedule", json!("H 2 * * *"));
        kubectl(&cluster, &namespace, &["create", "-f-"], &draft.0.to_string()).unwrap();
        let status = json!({"status": {
            "tier": "premium",
            "resolvedSchedule": "37 2 * * *",
            "nextDeliveryTime": "2999-01-01T02:37:00Z",
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Scheduled", "message": "",
                "lastTransitionTime": "2020-01-01T00:00:00Z",
            }],
            "lastDelivery": {
                "scheduledTime": "2020-01-01T02:37:00Z", "outcome": "Failed", "reason": "ReceiverError", "attempts": 5,
            },
        }});
        let patch = ["patch", "whs", "draft", "--subresource=status", "--type=merge", "-p", &status.to_string()];
        kubectl(&cluster, &namespace, &patch, "").unwrap();

        let words = |args: &[&str]| -> Vec<Vec<String>> {
            let listing = kubectl(&cluster, &namespace, args, "").unwrap();
            listing.lines().map(|line| line.split_whitespace().map(String::from).collect()).collect()
        };
        let listing = words(&["get", "whs"]);
        assert_eq!(listing[0], ["NAME", "SCHEDULE", "TIER", "READY", "LAST", "STATUS", "NEXT", "AGE"]);
        let expected = ["draft", "H", "2", "*", "*", "*", "premium", "True"];
        assert_eq!(listing[1][..8], expected);
        assert!(listing[1][8].ends_with('d') || listing[1][8].contains('y'), "an age: {listing:?}");
        assert_eq!(listing[1][9..11], ["Failed", "2999-01-01T02:37:00Z"]);

        let wide = words(&["get", "whs", "-o", "wide"]);
        assert_eq!(wide[0][8..], ["REASON", "RESOLVED", "TIME", "ZONE", "SUSPEND"]);
        assert_eq!(wide[1][12..], ["ReceiverError", "37", "2", "*", "*", "*", "UTC", "false"]);

        for (selector, found) in
            [("status.tier=premium,spec.suspend=false", 1), ("status.tier=free", 0), ("spec.suspend=true", 0)]
        {
            let args = ["get", "whs", "-o", "name", "--field-selector", selector];
            assert_eq!(words(&args).len(), found, "{selector}");
        }
    });
}

#[test]
fn kubectl_explains_every_field_in_words_for_tenants() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let said = kubectl(&cluster, &namespace, &["explain", "whs.spec.delivery.attempts"], "").unwrap();
        assert!(said.contains("The most attempts at one delivery: 1 to 20. Default: 5."), "{said}");
    });
}
