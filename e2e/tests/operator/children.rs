//! What the operator makes for a schedule, restores after changes, and deletes.

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Resource as _, ResourceExt};
use postern::operator::names;
use postern_e2e::{Tenant, eventually, on_cluster};
use serde_json::json;

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

        let accounts: Api<ServiceAccount> = Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace);
        let relabel = Patch::Merge(json!({"metadata": {"labels": {names::MANAGED_BY_LABEL: "somebody"}}}));
        accounts.patch(names::SENDER_CHILDREN, &PatchParams::default(), &relabel).await.unwrap();
        eventually("the ServiceAccount's label to be put right", async || {
            let account = accounts.get(names::SENDER_CHILDREN).await.unwrap();
            if *account.labels() == names::common_labels() { Ok(()) } else { Err(account.metadata) }
        })
        .await;

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
            "CronJob postern-report exists and doesn't belong to Postern: delete or rename it, and this schedule goes \
             on by itself"
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
            "the label postern.dev/tier of this namespace names the tier \"no-such-tier\", and there is no such \
             WebhookTier: ask your admin"
        );
        // Somebody else's object, with a controller of its own, and with a child's name and labels.
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
        tenant.set_tier(&tenant.namespace).await;
        tenant.cron_job("report", "the end of the pause", |cron_job| cron_job.spec.suspend == Some(false)).await;
        tenant.condition("report", "Ready", "True", "Ready").await;
    });
}

#[test]
fn what_a_namespace_has_for_its_senders_goes_with_its_last_schedule() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = Tenant::new(cluster, namespace).await;
        let accounts: Api<ServiceAccount> = Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace);
        let policies: Api<NetworkPolicy> = Api::namespaced(tenant.cluster.client.clone(), &tenant.namespace);
        let uids = async || {
            let account = accounts.get_opt(names::SENDER_CHILDREN).await.unwrap();
            let policy = policies.get_opt(names::SENDER_CHILDREN).await.unwrap();
            (account.and_then(|account| account.uid()), policy.and_then(|policy| policy.uid()))
        };
        let both_are_gone = async || {
            eventually("the namespace's children to be gone", async || match uids().await {
                (None, None) => Ok(()),
                there => Err(there),
            })
            .await;
        };
        for name in ["first", "last"] {
            tenant.make_schedule(name, "{}").await;
            tenant.condition(name, "Ready", "True", "Ready").await;
        }
        let made = uids().await;
        assert!(matches!(made, (Some(_), Some(_))), "{made:?}");
        tenant.schedules.delete("first", &DeleteParams::default()).await.unwrap();
        is_gone(&tenant, &names::cron_job("first")).await;
        // The operator hears of the deletion before it hears of later changes.
        tenant.change("last", json!({"spec": {"body": {"inline": "[]"}}})).await;
        tenant.is_at_generation("last", 2).await;
        assert_eq!(uids().await, made, "the same, and not made again");
        tenant.schedules.delete("last", &DeleteParams::default()).await.unwrap();
        both_are_gone().await;

        // The same, while no operator runs.
        tenant.make_schedule("again", "{}").await;
        tenant.condition("again", "Ready", "True", "Ready").await;
        tenant.stop_operator();
        tenant.schedules.delete("again", &DeleteParams::default()).await.unwrap();
        tenant.start_operator();
        both_are_gone().await;
    });
}

#[test]
fn a_child_without_its_owner_is_deleted_and_made_again_where_its_schedule_is_still_there() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        tenant.make_schedule("report", "{}").await;
        let made = tenant.cron_job("report", "the CronJob", |_| true).await;
        let orphaned = Patch::Merge(json!({"metadata": {"ownerReferences": null}}));
        tenant.cron_jobs.patch(&made.name_any(), &PatchParams::default(), &orphaned).await.unwrap();
        tenant.cron_job("report", "another CronJob", |cron_job| cron_job.uid() != made.uid()).await;

        tenant.schedules.delete("report", &DeleteParams::orphan()).await.unwrap();
        is_gone(&tenant, &made.name_any()).await;
    });
}

async fn is_gone(tenant: &Tenant, cron_job: &str) {
    eventually(&format!("CronJob {cron_job} to be gone"), async || match tenant.cron_jobs.get_opt(cron_job).await {
        Ok(None) => Ok(()),
        other => Err(other),
    })
    .await;
}
