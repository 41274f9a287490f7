//! When a schedule is due, its name, and which fields are filled in.

use postern_e2e::{install_crds, on_cluster};
use serde_json::{Value, json};

use super::submit::{Draft, admits, refuses};

#[test]
fn admit_the_least_schedule_and_fill_in_every_default() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let stored = Draft::schedule().submit(&cluster, &namespace).await.unwrap();
        let expected = json!({
            "schedule": "0 * * * *",
            "timeZone": "UTC",
            "suspend": false,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 300,
            "target": {"urlFrom": {"secretKeyRef": {"name": "hook", "key": "url"}}, "method": "POST"},
            "signing": {
                "scheme": "StandardWebhooks",
                "keysFrom": [{"secretKeyRef": {"name": "hook", "key": "signing-key"}}],
            },
            "delivery": {
                "timeoutSeconds": 15,
                "attempts": 5,
                "backoff": {"minSeconds": 1, "maxSeconds": 60},
                "totalDeadlineSeconds": 600,
            },
            "history": {"successful": 3, "failed": 10},
        });
        assert_eq!(stored["spec"], expected);
    });
}

#[test]
fn admit_a_part_of_the_options_and_fill_in_the_others() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let stored = Draft::schedule()
            .with("spec.delivery", json!({"attempts": 2, "backoff": {"minSeconds": 5}}))
            .with("spec.history", json!({"failed": 1}))
            .with("spec.body", json!({"inline": "{}"}))
            .with("spec.timeZone", Value::Null)
            .submit(&cluster, &namespace)
            .await
            .unwrap();
        let expected = json!({
            "attempts": 2, "timeoutSeconds": 15, "totalDeadlineSeconds": 600,
            "backoff": {"minSeconds": 5, "maxSeconds": 60},
        });
        assert_eq!(stored["spec"]["delivery"], expected);
        assert_eq!(stored["spec"]["history"], json!({"successful": 3, "failed": 1}));
        assert_eq!(stored["spec"]["body"], json!({"inline": "{}", "contentType": "application/json"}));
        assert_eq!(stored["spec"]["timeZone"], "UTC", "a null counts as left out");
    });
}

#[test]
fn refuse_a_name_that_leaves_no_room_for_the_names_of_its_jobs() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [(
            "metadata.name",
            json!("a".repeat(45)),
            "<nil>: Invalid value: metadata.name must have at most 44 characters, since Kubernetes appends more to the names of its Jobs: choose a shorter name",
        )];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_what_is_no_schedule() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            (
                "spec.schedule",
                json!(""),
                "spec.schedule: Invalid value: \"\": must have five fields (minute hour day-of-month month day-of-week), or be one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
            ),
            (
                "spec.schedule",
                json!("0 * * *"),
                "spec.schedule: Invalid value: \"0 * * *\": must have five fields (minute hour day-of-month month day-of-week), or be one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
            ),
            (
                "spec.schedule",
                json!("0 0 * * * *"),
                "spec.schedule: Invalid value: \"0 0 * * * *\": must have five fields (minute hour day-of-month month day-of-week), or be one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
            ),
            (
                "spec.schedule",
                json!("@every 5m"),
                "spec.schedule: Invalid value: \"@every 5m\": must not be @every, whose deliveries would collide within a minute: use fields, as in */15 * * * *",
            ),
            (
                "spec.schedule",
                json!("@reboot"),
                "spec.schedule: Invalid value: \"@reboot\": must have five fields (minute hour day-of-month month day-of-week), or be one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly",
            ),
            (
                "spec.schedule",
                json!("CRON_TZ=UTC 0 * * * *"),
                "spec.schedule: Invalid value: \"CRON_TZ=UTC 0 * * * *\": must not hold a time zone: set spec.timeZone instead",
            ),
            (
                "spec.schedule",
                json!(format!("{} * * * *", "0,".repeat(125))),
                "spec.schedule: Too long: may not be more than 256 bytes",
            ),
            (
                "spec.schedule",
                json!(5),
                "spec.schedule: Invalid value: \"integer\": spec.schedule in body must be of type string: \"integer\"",
            ),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_numbers_that_a_cron_job_refuses() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let minutes = "must have minutes from 0 to 59";
        let hours = "must have hours from 0 to 23: midnight is 0";
        let days = "must have days of the month from 1 to 31";
        let months = "must have months from 1 to 12, or jan to dec";
        let weekdays = "must have days of the week from 0 to 6, or sun to sat: Sunday is 0, never 7";
        let steps = "must have steps (/) from 1";
        let wrong = [
            ("60 * * * *", minutes),
            ("0,15,75/5 * * * *", minutes),
            ("H(0-60) * * * *", minutes),
            ("0 24 * * *", hours),
            ("0 8-24 * * *", hours),
            ("0 0 0 * *", days),
            ("0 0 32 * *", days),
            ("0 0 1 0 *", months),
            ("0 0 1 13 *", months),
            ("0 0 * * 7", weekdays),
            ("0 0 * * 1-7", weekdays),
            ("  0 0 * * 1,007  ", weekdays),
            ("*/0 * * * *", steps),
        ];
        for (schedule, problem) in wrong {
            let words = format!("spec.schedule: Invalid value: \"{schedule}\": {problem}");
            let case = ("spec.schedule", json!(schedule), words.as_str());
            refuses(&cluster, &namespace, Draft::schedule(), [case]).await;
        }
        // A CronJob accepts all of these, and so does the operator.
        let right = [
            "59 23 31 12 6",
            "0-59/70 0-23/30 1-31/40 1-12/20 0-6/7",
            "*/100 * * * *",
            "*-99 *-99 *-99 *-99 *-99",
            "007 +5 * * sun-SAT",
            "H(0-59)/10 H(8-18) H H H",
            "1,,2 * ? jan *",
            "@weekly",
        ];
        let cases = right.map(|schedule| ("spec.schedule", json!(schedule)));
        admits(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}

#[test]
fn refuse_what_is_no_time_zone() {
    on_cluster(|cluster, namespace| async move {
        install_crds(&cluster).await;
        let cases = [
            (
                "spec.timeZone",
                json!(""),
                "spec.timeZone: Invalid value: \"\": must be a name of the IANA time zone database such as Europe/Berlin, or UTC",
            ),
            (
                "spec.timeZone",
                json!("Local"),
                "spec.timeZone: Invalid value: \"Local\": must be a name of the IANA time zone database such as Europe/Berlin, or UTC",
            ),
            (
                "spec.timeZone",
                json!("../etc/passwd"),
                "spec.timeZone: Invalid value: \"../etc/passwd\": must be a name of the IANA time zone database such as Europe/Berlin, or UTC",
            ),
            (
                "spec.timeZone",
                json!("Europe/"),
                "spec.timeZone: Invalid value: \"Europe/\": must be a name of the IANA time zone database such as Europe/Berlin, or UTC",
            ),
            (
                "spec.timeZone",
                json!("+02:00"),
                "spec.timeZone: Invalid value: \"+02:00\": must be a name of the IANA time zone database such as Europe/Berlin, or UTC",
            ),
            ("spec.timeZone", json!("E".repeat(65)), "spec.timeZone: Too long: may not be more than 64 bytes"),
        ];
        refuses(&cluster, &namespace, Draft::schedule(), cases).await;
    });
}
