//! What the operator makes of a schedule, on a real cluster, down to the request that arrives.

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource as _, ResourceExt};
use postern::api::DeliveryOutcome;
use postern::operator::names;
use serde_json::json;
use standardwebhooks::Webhook;

use crate::harness::{Certificates, DnsAnswer, OK, Receiver, Tenant, eventually, on_cluster};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const INTERNET: &str = "198.51.100.10";

#[test]
fn a_schedule_becomes_a_delivery_that_the_official_library_verifies_and_its_status_says_so() {
    on_cluster(|cluster, namespace| async move {
        let host = format!("hooks.{namespace}.example");
        cluster.set_dns(&host, &[DnsAnswer::addresses([INTERNET])]);
        let listener = cluster.listen_on_the_internet(INTERNET, 8443);
        let receiver = Receiver::on(listener, Certificates::good(&host), false, Receiver::by_turns([OK]));
        let tenant = Tenant::new(cluster.clone(), namespace.clone()).await;
        tenant.cluster.restrict(&namespace).await;
        let url = format!("https://{host}:8443/hook?token=a-canary");
        tenant.make_secret(json!({"url": url, "key": KEY}), &receiver.certificates).await;
        tenant.make_schedule("report", r#"{"type":"report.due","data":{}}"#).await;

        tenant.condition("report", "Ready", "True", "Ready").await;
        tenant.tick("report").await;

        let status = eventually("the delivery in the status", async || {
            let status = tenant.schedules.get("report").await.unwrap().status.unwrap();
            if status.last_delivery.is_some() { Ok(status) } else { Err(status.conditions) }
        })
        .await;
        let last = status.last_delivery.clone().unwrap();
        assert_eq!(
            (last.outcome, last.http_status, last.attempts),
            (DeliveryOutcome::Delivered, Some(200), 1),
            "{last:?}"
        );
        assert_eq!(last.target.as_deref(), Some(format!("https://{host}:8443/...").as_str()));
        assert!(!serde_json::to_string(&status).unwrap().contains("a-canary"));
        tenant.condition("report", "Healthy", "True", "Delivering").await;
        tenant.condition("report", "TargetAllowed", "True", "Allowed").await;

        let request = receiver.only_request();
        Webhook::new(KEY).unwrap().verify(&request.body, &request.header_map()).unwrap();
        assert_eq!(request.header("webhook-id"), last.id.as_deref());
    });
}

#[test]
fn a_url_that_leads_inward_and_a_missing_key_are_named_in_the_conditions() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let certificates = Certificates::good("unused.example");
        tenant.make_secret(json!({"url": "https://10.96.0.1/"}), &certificates).await;
        tenant.make_schedule("inward", "{}").await;
        tenant.tick("inward").await;
        let message = tenant.condition("inward", "TargetAllowed", "False", "AddressInternal").await;
        assert!(message.contains("10.96.0.1 is in 10.96.0.0/16, one of the cluster's own ranges"), "{message}");

        let public = Patch::Merge(json!({"stringData": {"url": "https://hooks.example/"}}));
        let secrets: Api<k8s_openapi::api::core::v1::Secret> =
            Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace);
        secrets.patch("hook", &PatchParams::default(), &public).await.unwrap();
        tenant.make_schedule("keyless", "{}").await;
        tenant.tick("keyless").await;
        let message = tenant.condition("keyless", "Ready", "False", "ReferenceMissing").await;
        assert!(message.contains("Secret hook has no key key"), "{message}");
    });
}

#[test]
fn what_somebody_changes_in_a_child_is_put_right() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        tenant.make_schedule("report", "{}").await;
        let name = names::cron_job("report");
        let made = tenant.cron_job("report", "the CronJob", |_| true).await;
        let as_made = |cron_job: &CronJob| cron_job.spec == made.spec && cron_job.labels() == made.labels();

        for (what, change) in [
            ("the schedule", json!({"spec": {"schedule": "* * * * *"}})),
            (
                "an added variable",
                json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{
                    "name": "sender", "image": "other", "env": [{"name": "HTTPS_PROXY", "value": "http://10.0.0.1"}],
                }]}}}}}}),
            ),
            (
                "an added container",
                json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": {"initContainers": [{
                    "name": "more", "image": "other",
                }]}}}}}}),
            ),
            ("the labels", json!({"metadata": {"labels": {names::MANAGED_BY_LABEL: null}}})),
        ] {
            let changed =
                tenant.cron_jobs.patch(&name, &PatchParams::default(), &Patch::Strategic(change)).await.unwrap();
            assert!(!as_made(&changed), "{what}");
            tenant.cron_job("report", &format!("{what} to be put right"), as_made).await;
        }

        tenant.cron_jobs.delete(&name, &DeleteParams::default()).await.unwrap();
        tenant.cron_job("report", "the CronJob to be made again", |cron_job| cron_job.uid() != made.uid()).await;

        let policies: Api<NetworkPolicy> = Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace);
        let policy = policies.get(names::SENDER_CHILDREN).await.unwrap();
        policies.delete(names::SENDER_CHILDREN, &DeleteParams::default()).await.unwrap();
        let again =
            eventually("the policy to be made again", async || policies.get(names::SENDER_CHILDREN).await).await;
        assert_eq!(again.spec, policy.spec);
    });
}

#[test]
fn a_cron_job_of_somebody_else_is_left_alone_and_named() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let foreign: CronJob = serde_json::from_value(json!({
            "metadata": {"name": names::cron_job("report")},
            "spec": {"schedule": "@yearly", "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "main", "image": "other"}],
            }}}}},
        }))
        .unwrap();
        let foreign = tenant.cron_jobs.create(&PostParams::default(), &foreign).await.unwrap();
        tenant.make_schedule("report", "{}").await;
        let message = tenant.condition("report", "Ready", "False", "NameTaken").await;
        assert_eq!(
            message,
            "CronJob postern-report exists and is not Postern's: delete or rename it, and this schedule goes on by itself"
        );
        assert_eq!(
            tenant.cron_jobs.get(&foreign.name_any()).await.unwrap().resource_version(),
            foreign.resource_version()
        );

        tenant.cron_jobs.delete(&foreign.name_any(), &DeleteParams::default()).await.unwrap();
        tenant.condition("report", "Ready", "True", "Ready").await;
    });
}

#[test]
fn a_namespace_whose_tier_is_gone_has_its_deliveries_paused_until_it_is_back() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        tenant.make_schedule("report", "{}").await;
        tenant.cron_job("report", "the CronJob", |cron_job| cron_job.spec.suspend == Some(false)).await;
        tenant.set_tier("no-such-tier").await;
        let message = tenant.condition("report", "Accepted", "False", "TierNotFound").await;
        assert_eq!(
            message,
            "the label postern.dev/tier of this namespace names the tier \"no-such-tier\", and there is no such WebhookTier: \
             ask your admin"
        );
        // Somebody else's, with a controller of its own, by the name and labels of a child.
        let accounts: Api<ServiceAccount> = Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace);
        let owner = accounts.get("default").await.unwrap().controller_owner_ref(&()).unwrap();
        let imposter: CronJob = serde_json::from_value(json!({
            "metadata": {
                "name": names::cron_job("other"), "labels": names::labels("other"), "ownerReferences": [owner],
            },
            "spec": {"schedule": "@yearly", "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "main", "image": "other"}],
            }}}}},
        }))
        .unwrap();
        let imposter = tenant.cron_jobs.create(&PostParams::default(), &imposter).await.unwrap();
        tenant.make_schedule("other", "{}").await;
        tenant.condition("other", "Accepted", "False", "TierNotFound").await;
        let untouched = tenant.cron_jobs.get(&imposter.name_any()).await.unwrap();
        assert_eq!(untouched.resource_version(), imposter.resource_version());
        tenant.cron_jobs.delete(&imposter.name_any(), &DeleteParams::default()).await.unwrap();
        tenant.cron_job("report", "a pause", |cron_job| cron_job.spec.suspend == Some(true)).await;
        tenant.set_tier("e2e-operator").await;
        tenant.cron_job("report", "the end of the pause", |cron_job| cron_job.spec.suspend == Some(false)).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
    });
}
