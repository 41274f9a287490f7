//! How many checks run at the same time, and how many are kept in all.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use postern_e2e::{eventually, on_cluster};
use serde_json::json;

use super::{checked, checking, inward, make_inward_secret};

#[test]
fn of_many_that_come_at_once_a_few_are_checked_at_a_time_whoever_leads() {
    on_cluster(|cluster, namespace| async move {
        const ALL: usize = 12;
        let mut tenant = checking(cluster, namespace, 2).await;
        make_inward_secret(&tenant).await;
        for number in 0..ALL {
            tenant.make_schedule_with(&format!("report-{number}"), json!({"target": inward()})).await;
        }
        let pods = tenant.pods();
        let schedules = tenant.schedules.clone();
        let mut begun = BTreeSet::new();
        let mut look = async || {
            let all = pods.list(&ListParams::default()).await.unwrap().items;
            let phase = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
            let under_way = all.iter().filter(|pod| matches!(&*phase(pod), "Pending" | "Running"));
            let under_way: Vec<_> = under_way.map(ResourceExt::name_any).collect();
            assert!(under_way.len() <= 2, "{under_way:?}");
            begun.extend(all.iter().map(ResourceExt::name_any));
        };
        let are_checked = async |enough: usize| {
            eventually("the checks", async || {
                let schedules = schedules.list(&ListParams::default()).await.unwrap().items;
                let checked =
                    schedules.iter().filter_map(|schedule| schedule.status.as_ref()?.checked.as_ref()).count();
                if checked >= enough { Ok(()) } else { Err(checked) }
            })
            .await;
        };
        let mut watch = async |enough: usize| {
            // Looks at the same rate, however long the checks take.
            let looks = async {
                loop {
                    look().await;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            tokio::select! { () = are_checked(enough) => {}, () = looks => unreachable!() }
        };
        watch(3).await;
        tenant.kill_operator();
        tenant.start_operator();
        watch(ALL).await;
        look().await;
        assert_eq!(begun.len(), ALL, "each once: {begun:?}");
    });
}

#[test]
fn a_tier_bounds_checks_whatever_is_annotated_or_made_again() {
    on_cluster(|cluster, namespace| async move {
        let tenant = checking(cluster, namespace, 10).await;
        tenant.change_tier(json!({"maxDeliveriesPerHour": 4, "minInterval": "1h"})).await;
        make_inward_secret(&tenant).await;
        let since = tenant.cluster.audit_log_length();
        let made = || {
            let requests = tenant.cluster.requests_of("kubernetes-admin", since);
            let jobs =
                requests.iter().filter(|request| request.namespace == tenant.namespace && request.verb == "create");
            jobs.filter(|request| request.resource == "jobs").count()
        };
        let spec = || json!({"target": inward(), "suspend": true});
        tenant.make_schedule_with("looped", spec()).await;
        checked(&tenant, "looped", "the first check", |_| true).await;
        for value in ["1", "2", "3"] {
            tenant.ask_for_check("looped", value).await;
            checked(&tenant, "looped", "another check", |checked| checked.value.as_deref() == Some(value)).await;
        }
        for value in 4..20 {
            tenant.ask_for_check("looped", &value.to_string()).await;
        }
        eventually("it to say until when the next check waits", async || {
            let conditions = tenant.status("looped").await.conditions;
            let waits = |message: &str| message.contains("; the requested check is made at 2");
            if conditions.iter().any(|condition| waits(&condition.message)) { Ok(()) } else { Err(conditions) }
        })
        .await;
        for _ in 0..3 {
            tenant.schedules.delete("looped", &DeleteParams::default()).await.unwrap();
            eventually("its CronJob to be gone", async || {
                match tenant.cron_jobs.get_opt("postern-looped").await.unwrap() {
                    None => Ok(()),
                    Some(_) => Err("it is there"),
                }
            })
            .await;
            tenant.make_schedule_with("looped", spec()).await;
            tenant.condition("looped", "TargetAllowed", "Unknown", "CheckWaits").await;
        }
        let message = tenant.condition("looped", "TargetAllowed", "Unknown", "CheckWaits").await;
        assert!(message.starts_with("this spec is checked at 2"), "{message}");
        tenant.condition("looped", "Ready", "True", "Ready").await;
        eventually("four checks in the log, and no more", async || {
            assert!(made() <= 4, "{}", made());
            if made() == 4 { Ok(()) } else { Err(made()) }
        })
        .await;
    });
}
