//! A check sends packets only to the DNS: not even a SYN goes to the target, allowed or not.

use postern::delivery::OutcomeClass::{Checked, Delivered, Failed, Refused};
use postern_e2e::{Certificates, Delivery, DnsAnswer, OK, Receiver, on_cluster};
use serde_json::json;

use super::{DNS, METADATA, PUBLIC};

#[test]
fn what_would_be_delivered_is_allowed_and_nothing_is_sent() {
    on_cluster(|cluster, namespace| async move {
        let host = format!("hooks.{namespace}.example");
        let receiver = cluster.receiver(PUBLIC, Certificates::good(&host), Receiver::by_turns([OK]));
        let port = receiver.port;
        cluster.set_dns(&host, &[DnsAnswer::addresses([PUBLIC])]);

        let to = |name| Delivery::to(name, &host, port, &receiver.certificates);
        let checked = to("checked").checked().run(&cluster, &namespace).await;
        checked.assert(Checked, "Allowed", &[DNS]);
        assert!(receiver.requests().is_empty());

        let delivered = to("delivered").run(&cluster, &namespace).await;
        delivered.assert(Delivered, "Delivered", &[DNS, &format!("tcp {PUBLIC}:{port}")]);
    });
}

#[test]
fn a_name_that_leads_inward_is_refused_by_the_check_too() {
    on_cluster(|cluster, namespace| async move {
        let host = format!("inward.{namespace}.example");
        cluster.set_dns(&host, &[DnsAnswer::addresses([PUBLIC, METADATA])]);
        let delivery = Delivery::to("inward", &host, 443, &Certificates::good(&host)).checked();
        let checked = delivery.run(&cluster, &namespace).await;
        checked.assert(Refused, "AddressInternal", &[DNS]);
        assert!(checked.outcome.detail.contains(METADATA), "{checked:?}");
    });
}

#[test]
fn a_name_is_looked_up_for_a_while_however_few_attempts_the_schedule_has() {
    on_cluster(|cluster, namespace| async move {
        let late = format!("late.{namespace}.example");
        cluster.set_dns(
            &late,
            &[DnsAnswer::rcode("SERVFAIL"), DnsAnswer::rcode("SERVFAIL"), DnsAnswer::addresses([PUBLIC])],
        );
        let never = format!("never.{namespace}.example");
        let certificates = Certificates::good(&late);
        let to = |name, host: &str| {
            let mut delivery = Delivery::to(name, host, 443, &certificates).checked();
            delivery.json["retries"]["attempts"] = json!(1);
            delivery
        };
        let (late, never) =
            tokio::join!(to("late", &late).run(&cluster, &namespace), to("never", &never).run(&cluster, &namespace));
        late.assert(Checked, "Allowed", &[DNS]);
        never.assert(Failed, "NameNotResolved", &[DNS]);
        let look_ups = never.attempts();
        assert!(look_ups.len() > 1 && look_ups.iter().all(|reason| *reason == "NameNotResolved"), "{look_ups:?}");
    });
}
