//! What the CronJob controller does not do, and what follows.

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, PostParams};
use postern::api::DeliveryOutcome;
use postern::operator::names::{self, EARLY_ANNOTATION, WOKEN_ANNOTATION};
use postern_e2e::{DedicatedCluster, OK, Receiver, Tenant, eventually, install_crds, on_cluster};
use serde_json::json;

use super::{begun, due, led, now, recorded, sleep_until, waiting_sender};

#[test]
fn a_new_cron_job_that_is_stopped_by_a_job_of_another_owner_is_woken_once() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let _receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.change_tier(json!({"lead": "30s"})).await;
        eventually("a minute with time left", async || if now() % 60 < 40 { Ok(()) } else { Err(now() % 60) }).await;
        let dot = now() / 60 * 60 + 60;
        // Such a Job stays for a while when its CronJob is deleted.
        let name = names::job(&names::cron_job("report"), dot);
        let pod = json!({"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]});
        let other: Job = serde_json::from_value(json!({
            "metadata": {"name": name}, "spec": {"suspend": true, "template": {"spec": pod}},
        }))
        .unwrap();
        tenant.jobs().create(&PostParams::default(), &other).await.unwrap();
        tenant.make_schedule_with("report", json!({"schedule": "* * * * *"})).await;
        tenant.cron_job("report", "no pause", |cron_job| cron_job.spec.suspend == Some(false)).await;
        assert!(now() < dot, "in time");

        sleep_until(dot + 3).await;
        tenant.jobs().delete(&name, &DeleteParams::background()).await.unwrap();
        let cron_job = begun(&tenant, dot).await;
        assert_eq!(cron_job.annotations().get(WOKEN_ANNOTATION), Some(&dot.to_string()));
        assert_eq!(recorded(&tenant, dot).await.outcome, DeliveryOutcome::Delivered);
        tenant.schedules.delete("report", &DeleteParams::default()).await.unwrap();
    });
}

/// The controller manager, as the machine numbers processes.
fn controller_manager(cluster: &DedicatedCluster) -> rustix::process::Pid {
    let namespace = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let own = namespace(cluster.pid());
    let is_it = |pid: &i32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains("kube-controller-manager.kubeconfig") && namespace(*pid) == own
    };
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let found: Vec<i32> = all.filter(is_it).collect();
    let [pid] = found[..] else { panic!("{found:?}") };
    rustix::process::Pid::from_raw(pid).unwrap()
}

#[test]
fn while_the_controller_manager_hangs_a_job_that_waits_delivers_and_then_none_is_made_early_for_a_while() {
    let dedicated = DedicatedCluster::with_images("on-the-dot");
    let manager = controller_manager(&dedicated);
    dedicated.run(move |cluster, namespace| async move {
        install_crds(&cluster).await;
        let tenant = Tenant::new(cluster, namespace).await;
        let (_receiver, arrivals) = led(&tenant).await;
        let (job, _) = waiting_sender(&tenant, 5).await;
        let dot = due(&job);
        rustix::process::kill_process(manager, rustix::process::Signal::STOP).unwrap();
        sleep_until(dot + 70).await;
        rustix::process::kill_process(manager, rustix::process::Signal::CONT).unwrap();
        let at_its_time = |at: &&i64| (0..10_000).contains(&(**at - dot * 1_000));
        assert_eq!(arrivals.lock().unwrap().iter().filter(at_its_time).count(), 1, "{arrivals:?}");
        assert_eq!(recorded(&tenant, dot).await.outcome, DeliveryOutcome::Delivered);
        // The run after that is the controller's own, and so are the following ones.
        for minute in [2, 3] {
            begun(&tenant, dot + 60 * minute).await;
            let name = names::job(&names::cron_job("report"), dot + 60 * minute);
            let job = tenant.jobs().get(&name).await.unwrap();
            assert!(!job.annotations().contains_key(EARLY_ANNOTATION), "{:?}", job.metadata);
        }
    });
}
