//! Deliveries that somebody asks for.

use kube::api::ListParams;
use postern_e2e::{KEY, OK, Receiver, Tenant, on_cluster};
use serde_json::json;
use standardwebhooks::Webhook;

#[test]
fn each_new_value_makes_one_delivery_with_an_id_of_its_own_even_of_a_suspended_schedule() {
    on_cluster(|cluster, namespace| async move {
        let tenant = Tenant::new(cluster, namespace).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.make_schedule_with("report", json!({"suspend": true})).await;
        tenant.condition("report", "Scheduled", "False", "Suspended").await;

        tenant.trigger("report", "one").await;
        let first = tenant.deliveries("report", 1).await.remove(0);
        let trigger = tenant.status("report").await.last_trigger.unwrap();
        assert_eq!((trigger.value.as_str(), Some(trigger.id)), ("one", first.id.clone()));
        // Another part of the schedule changes, and the value stays the same.
        tenant.change("report", json!({"metadata": {"annotations": {"other": "x"}}, "spec": {"body": null}})).await;
        tenant.trigger("report", "two").await;
        let both = tenant.deliveries("report", 2).await;
        assert_ne!(both[0].id, both[1].id);

        let requests = receiver.requests();
        let ids: Vec<_> = requests.iter().map(|request| request.header("webhook-id").map(str::to_owned)).collect();
        assert_eq!(ids, [both[1].id.clone(), both[0].id.clone()]);
        for request in &requests {
            Webhook::new(KEY).unwrap().verify(&request.body, &request.header_map()).unwrap();
        }
        assert_eq!(tenant.jobs().list(&ListParams::default()).await.unwrap().items.len(), 2);
        assert_eq!(tenant.events("Triggered").await.len(), 1, "two of one reason are one Event that counts");
    });
}

#[test]
fn a_trigger_while_the_operator_is_away_is_made_when_it_is_back_and_once() {
    on_cluster(|cluster, namespace| async move {
        let mut tenant = Tenant::new(cluster, namespace).await;
        let receiver = tenant.receiver(Receiver::by_turns([OK])).await;
        tenant.make_schedule("report", "{}").await;
        tenant.condition("report", "Ready", "True", "Ready").await;
        tenant.kill_operator();
        tenant.trigger("report", "now").await;
        tenant.start_operator();
        tenant.deliveries("report", 1).await;
        tenant.kill_operator();
        // Once the new operator has handled another change, it has also looked at the trigger.
        tenant.change("report", json!({"spec": {"body": {"inline": "[]"}}})).await;
        tenant.start_operator();
        tenant.is_at_generation("report", 2).await;
        let scheduled = tenant.condition("report", "Scheduled", "True", "Scheduled").await;
        assert!(!scheduled.contains("asked for"), "none is made later: {scheduled}");
        assert_eq!(tenant.jobs().list(&ListParams::default()).await.unwrap().items.len(), 1);
        receiver.only_request();
    });
}
