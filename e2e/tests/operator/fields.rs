//! Every field of a spec affects the child, and gets its default again when it is removed.

use k8s_openapi::api::batch::v1::CronJob;
use kube::api::PostParams;
use postern::operator::names::DELIVERY_ANNOTATION;
use postern_e2e::{Tenant, eventually, on_cluster};
use serde_json::{Value, json};

/// The delivery that a CronJob's pods are given.
fn delivery(cron_job: &CronJob) -> Value {
    let template = cron_job.spec.job_template.spec.as_ref().unwrap().template.metadata.as_ref().unwrap();
    serde_json::from_str(&template.annotations.as_ref().unwrap()[DELIVERY_ANNOTATION]).unwrap()
}

/// Whether two CronJobs are equal, except for the generation of the schedule that they were made from.
fn is_as(cron_job: &CronJob, before: &CronJob) -> bool {
    let without_generation = |cron_job: &CronJob| {
        let mut spec = cron_job.spec.clone();
        spec.job_template.metadata.as_mut().unwrap().annotations.take().unwrap();
        spec
    };
    without_generation(cron_job) == without_generation(before)
}

fn secret(key: &str) -> Value {
    json!({"secretKeyRef": {"name": "other", "key": key}})
}

#[test]
fn each_field_reaches_the_child_and_its_removal_brings_the_default_back() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        tenant
            .make_schedule_with(
                "report",
                json!({"schedule": "0 5 * * *", "startingDeadlineSeconds": 300, "body": null}),
            )
            .await;
        let before = tenant.cron_job("report", "the CronJob", |_| true).await;

        // The change, where it appears in the CronJob's spec, and its value there.
        for (change, pointer, shown) in [
            // It is another hour, whatever the minute.
            (json!({"schedule": "H 6 * * *"}), "/schedule", None),
            (json!({"timeZone": "Europe/Berlin"}), "/timeZone", Some(json!("Europe/Berlin"))),
            (json!({"suspend": true}), "/suspend", Some(json!(true))),
            (json!({"concurrencyPolicy": "Replace"}), "/concurrencyPolicy", Some(json!("Replace"))),
            (json!({"startingDeadlineSeconds": 77}), "/startingDeadlineSeconds", Some(json!(77))),
        ] {
            let spec = |cron_job: &CronJob| json!(cron_job.spec).pointer(pointer).cloned();
            there_and_back(&tenant, &before, change, |cron_job| match &shown {
                Some(shown) => spec(cron_job).as_ref() == Some(shown),
                None => spec(cron_job) != spec(&before),
            })
            .await;
        }

        // The same for the sender's instructions.
        for (change, pointer, shown) in [
            (json!({"target": {"method": "PUT"}}), "/method", json!("PUT")),
            (json!({"target": {"headers": [{"name": "X-A", "value": "b"}]}}), "/headers/0/value/inline", json!("b")),
            (
                json!({"target": {"headers": [{"name": "X-A", "valueFrom": secret("header")}]}}),
                "/headers/0/value/file/from/secret/key",
                json!("header"),
            ),
            (
                json!({"target": {"tls": {"clientCertificateFrom": {"secretRef": {"name": "client"}}}}}),
                "/tls/clientCertificate/key/from/secret/name",
                json!("client"),
            ),
            (json!({"body": {"inline": "{{attempt}}"}}), "/body/source/inline", json!("{{attempt}}")),
            (json!({"body": {"inline": "a", "contentType": "text/plain"}}), "/body/contentType", json!("text/plain")),
            (
                json!({"body": {"configMapKeyRef": {"name": "bodies", "key": "a"}}}),
                "/body/source/file/from/configMap/name",
                json!("bodies"),
            ),
            (json!({"body": secret("body")}), "/body/source/file/from/secret/name", json!("other")),
            (json!({"delivery": {"timeoutSeconds": 7}}), "/retries/timeoutSeconds", json!(7)),
            (json!({"delivery": {"attempts": 2}}), "/retries/attempts", json!(2)),
            (json!({"delivery": {"backoff": {"minSeconds": 3}}}), "/retries/backoff/minSeconds", json!(3)),
            (json!({"delivery": {"backoff": {"maxSeconds": 44}}}), "/retries/backoff/maxSeconds", json!(44)),
            (json!({"delivery": {"totalDeadlineSeconds": 99}}), "/retries/totalDeadlineSeconds", json!(99)),
        ] {
            there_and_back(&tenant, &before, change, |cron_job| delivery(cron_job).pointer(pointer) == Some(&shown))
                .await;
        }

        // Fields without a default are changed, and changed back.
        let before_spec = tenant.schedules.get("report").await.unwrap().spec;
        for (field, change, pointer, shown) in [
            ("target", json!({"urlFrom": secret("address")}), "/url/from/secret/key", json!("address")),
            (
                "target",
                json!({"tls": {"caBundleFrom": {"configMapKeyRef": {"name": "ca", "key": "a"}, "secretKeyRef": null}}}),
                "/tls/caBundle/from/configMap/name",
                json!("ca"),
            ),
            ("signing", json!({"keysFrom": [secret("a"), secret("b")]}), "/signing/keys/1/from/secret/key", json!("b")),
            ("signing", json!({"scheme": "None", "keysFrom": null}), "/signing", Value::Null),
            (
                "signing",
                json!({"scheme": "HmacSha256Hex", "classic": {"header": "X-Sig", "prefix": "v=", "payload": "Body"}}),
                "/signing/classic/prefix",
                json!("v="),
            ),
        ] {
            tenant.change("report", json!({"spec": {field: change}})).await;
            let met = |cron_job: &CronJob| delivery(cron_job).pointer(pointer) == Some(&shown);
            tenant.cron_job("report", &format!("{pointer} to be {shown}"), met).await;
            // The operator may be writing the status at the same time.
            eventually("the spec to be what it was", async || {
                let mut schedule = tenant.schedules.get("report").await?;
                schedule.spec = before_spec.clone();
                tenant.schedules.replace("report", &PostParams::default(), &schedule).await
            })
            .await;
            tenant.cron_job("report", "what it was before", |cron_job| is_as(cron_job, &before)).await;
        }
    });
}

async fn there_and_back(tenant: &Tenant, before: &CronJob, change: Value, met: impl Fn(&CronJob) -> bool) {
    tenant.change("report", json!({"spec": change})).await;
    tenant.cron_job("report", &format!("{change} to show"), met).await;
    tenant.change("report", json!({"spec": removal(&change)})).await;
    tenant.cron_job("report", &format!("{change} to be gone"), |cron_job| is_as(cron_job, before)).await;
}

/// The merge patch that removes what another added; the schedule has no default, so it is set back.
fn removal(change: &Value) -> Value {
    let fields = change.as_object().unwrap().iter().map(|(field, value)| {
        let without = match (field.as_str(), value) {
            ("schedule", _) => json!("0 5 * * *"),
            ("target" | "delivery" | "tls" | "backoff", nested) => removal(nested),
            _ => Value::Null,
        };
        (field.clone(), without)
    });
    Value::Object(fields.collect())
}
