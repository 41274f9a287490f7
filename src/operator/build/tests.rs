//! YAML in, YAML out: the snapshots show which objects a schedule becomes.

use serde_json::json;

use super::*;
use crate::egress::{Rules, registry};
use crate::operator::deliveries::trigger::Trigger;
use crate::operator::names;
use crate::operator::test_support::objects::{settings, valid_with};
use crate::signing::DeliveryId;

fn yaml(object: &impl serde::Serialize) -> String {
    serde_saphyr::to_string(object).unwrap()
}

#[test]
fn a_schedule_becomes_this_cron_job() {
    let valid = valid_with(json!({})).unwrap();
    insta::assert_snapshot!(yaml(&cron_job(&valid, false, &settings()).unwrap()));
}

#[test]
fn a_namespace_gets_these_children() {
    let valid = valid_with(json!({})).unwrap();
    let children = namespace_children(&valid.namespace, &valid.delivery.egress, &settings());
    insta::assert_snapshot!(yaml(&children.service_account) + "---\n" + &yaml(&children.network_policy));
}

#[test]
fn the_longest_name_of_a_schedule_leaves_room_for_the_names_of_its_jobs() {
    // A Job's name is the CronJob's name, a hyphen and the Unix minutes, so a CronJob's name may have at most 52 bytes.
    assert_eq!(names::cron_job(&"a".repeat(44)).len(), 52);
}

#[test]
fn pausing_a_schedule_changes_nothing_but_the_pause() {
    let mut paused = cron_job(&valid_with(json!({"suspend": true})).unwrap(), true, &settings()).unwrap();
    assert_eq!(paused.spec.suspend, Some(true));
    paused.spec.suspend = Some(false);
    assert_eq!(paused, cron_job(&valid_with(json!({})).unwrap(), false, &settings()).unwrap());
}

#[test]
fn nothing_that_a_tenant_writes_reaches_the_pod_but_in_the_annotation_and_the_names_of_objects() {
    // All else that a tenant writes is a number or a value of a closed list, and the expression and the zone stay in the CronJob.
    let marked = json!({
        "target": {"headers": [{"name": "X-Marker", "value": "marker"}]},
        "body": {"contentType": "text/marker", "inline": "marker"},
    });
    let mut pod =
        cron_job(&valid_with(marked).unwrap(), false, &settings()).unwrap().spec.job_template.spec.unwrap().template;
    let annotations = pod.metadata.as_mut().unwrap().annotations.take().unwrap();
    let delivery = annotations[names::DELIVERY_ANNOTATION].to_lowercase();
    assert_eq!(delivery.matches("marker").count(), 4, "{delivery}");
    let pod = yaml(&pod).to_lowercase();
    for text in ["marker", "h 2 * * *", "berlin", "report.due"] {
        assert!(!pod.contains(text), "{text}");
    }
}

#[test]
fn a_triggered_job_is_what_the_cron_job_would_make_but_for_its_name_and_what_the_sender_is_told() {
    let valid = valid_with(json!({})).unwrap();
    let id = DeliveryId::of_trigger(&valid.owner.uid, None, "now");
    let trigger = Trigger { value: "now".into(), id, time: "2027-01-15T08:00:00Z".parse().unwrap() };
    let mut cron_job = cron_job(&valid, false, &settings()).unwrap();
    cron_job.metadata.uid = Some("the-uid".into());
    let mut job = triggered_job(&valid, &trigger, &cron_job, &settings()).unwrap();

    let name = job.metadata.name.clone().unwrap();
    assert!(name.starts_with("postern-nightly-report-t"), "{name}");
    assert_eq!(names::triggered_job(&"a".repeat(44), &trigger.id).len(), 63);
    assert_eq!(job.metadata.labels, cron_job.metadata.labels);
    let owner = &job.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!((&*owner.kind, &*owner.uid, owner.controller), ("CronJob", "the-uid", Some(true)));

    let expected = cron_job.spec.job_template.spec.unwrap();
    let made = job.spec.as_mut().unwrap();
    let annotations = made.template.metadata.as_mut().unwrap().annotations.as_mut().unwrap();
    let delivery = annotations.get_mut(names::DELIVERY_ANNOTATION).unwrap();
    let told = format!(r#""run":{{"triggered":{{"id":"{}","scheduledTime":"2027-01-15T08:00:00Z"}}}}"#, trigger.id);
    assert!(delivery.contains(&told), "{delivery}");
    let scheduled = r#""run":{"scheduled":{"startingDeadlineSeconds":120,"offsetSeconds":4}}"#;
    *delivery = delivery.replace(&told, scheduled);
    assert_eq!(*made, expected);
}

#[test]
fn a_check_is_what_the_cron_job_would_run_but_for_the_word_that_nothing_is_sent() {
    let valid = valid_with(json!({})).unwrap();
    let job = names::check_job(&"a".repeat(44), u64::MAX);
    assert!(crate::delivery::scheduled_time_of_job(&job).is_err(), "no delivery is read from it");
    let mut job = check_job(&valid, &job, Some("now"), &settings()).unwrap();

    assert_eq!(job.metadata.name.as_ref().unwrap().len(), 63);
    let owner = &job.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!((&*owner.kind, &owner.uid, owner.controller), ("WebhookSchedule", &valid.owner.uid, Some(true)));
    assert_eq!(job.metadata.annotations.as_ref().unwrap()["postern.dev/check"], "now");

    let cron_job = cron_job(&valid, false, &settings()).unwrap();
    assert_eq!(job.metadata.labels, cron_job.metadata.labels);
    let made = job.spec.as_mut().unwrap();
    assert_eq!(made.ttl_seconds_after_finished.take(), Some(120));
    let pod = made.template.spec.as_mut().unwrap();
    assert_eq!(pod.containers[0].args.take(), Some(vec!["--check".to_owned()]));
    let deadline = pod.active_deadline_seconds.take();
    assert_eq!(deadline, Some(140), "however long its deliveries may take");
    let mut runs = cron_job.spec.job_template.spec.unwrap();
    assert!(runs.template.spec.as_mut().unwrap().active_deadline_seconds.take() > deadline);
    assert_eq!(*made, runs);
}

/// Whether the policy lets traffic to this address through: its blocks, minus the exceptions in them.
fn lets_through(policy: &k8s_openapi::api::networking::v1::NetworkPolicySpec, address: &str) -> bool {
    let address: std::net::IpAddr = address.parse().unwrap();
    let contains = |cidr: &String| cidr.parse::<ipnet::IpNet>().unwrap().contains(&address);
    let world = &policy.egress.as_ref().unwrap()[1];
    world
        .to
        .iter()
        .flatten()
        .filter_map(|peer| peer.ip_block.as_ref())
        .any(|block| contains(&block.cidr) && !block.except.iter().flatten().any(contains))
}

#[test]
fn the_policy_closes_what_the_guard_refuses_for_its_address_alone() {
    let policy = network_policy::network_policy(&Rules::default(), &settings());
    for block in registry::blocks() {
        // The prefix of a translator (NAT64) holds public addresses too; a policy can't see which address is embedded.
        for address in [block.net.network(), block.net.broadcast()] {
            assert!(!lets_through(&policy, &address.to_string()), "{address} of {}", block.net);
        }
    }
    for address in ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111"] {
        assert!(lets_through(&policy, address), "{address}");
    }
}

#[test]
fn a_block_of_the_tier_opens_and_a_smaller_one_of_the_cluster_stays_closed() {
    let valid = valid_with(json!({})).unwrap();
    let policy = network_policy::network_policy(&valid.delivery.egress, &settings());
    for (address, open) in
        [("10.1.2.3", true), ("203.0.113.7", true), ("10.244.1.1", false), ("10.96.0.1", false), ("192.168.1.1", false)]
    {
        assert_eq!(lets_through(&policy, address), open, "{address}");
    }
}

#[test]
fn the_pods_of_a_tier_with_a_lead_may_live_longer_by_the_lead() {
    let deadline = |lead: u32| {
        let mut valid = valid_with(json!({})).unwrap();
        if let crate::delivery::Run::Scheduled(timing) = &mut valid.delivery.run {
            timing.lead_seconds = lead;
        }
        let job = cron_job(&valid, false, &settings()).unwrap().spec.job_template.spec.unwrap();
        job.template.spec.unwrap().active_deadline_seconds.unwrap()
    };
    assert_eq!(deadline(30) - deadline(0), 30);
}
