//! What happens to a delivery to a name for which the DNS has no answer.

use postern::delivery::OutcomeClass::{Delivered, Failed};
use postern_e2e::{Certificates, Delivery, DnsAnswer, OK, Receiver, on_cluster};
use serde_json::json;

use super::{DNS, PUBLIC};

fn is_tried_again_and_nothing_is_sent(answer: DnsAnswer) {
    on_cluster(move |cluster, namespace| async move {
        let host = format!("hooks.{namespace}.example");
        cluster.set_dns(&host, &[answer]);
        let mut delivery = Delivery::to("delivery", &host, 443, &Certificates::good(&host));
        delivery.json["retries"]["attempts"] = json!(2);
        delivery.json["retries"]["timeoutSeconds"] = json!(2);

        let ended = delivery.run(&cluster, &namespace).await;

        ended.assert(Failed, "NameNotResolved", &[DNS]);
        assert_eq!(ended.attempts(), ["NameNotResolved"; 2]);
    });
}

#[test]
fn a_name_that_the_dns_fails_at_is_tried_again() {
    is_tried_again_and_nothing_is_sent(DnsAnswer::rcode("SERVFAIL"));
}

#[test]
fn a_name_that_the_dns_is_silent_about_is_tried_again() {
    is_tried_again_and_nothing_is_sent(DnsAnswer::silence());
}

#[test]
fn a_name_that_appears_between_two_attempts_is_delivered_to() {
    on_cluster(|cluster, namespace| async move {
        let host = format!("hooks.{namespace}.example");
        let receiver = cluster.receiver(PUBLIC, Certificates::good(&host), Receiver::by_turns([OK]));
        cluster.set_dns(&host, &[DnsAnswer::rcode("NXDOMAIN"), DnsAnswer::addresses([PUBLIC])]);
        let port = receiver.port;

        let ended = Delivery::to("delivery", &host, port, &receiver.certificates).run(&cluster, &namespace).await;

        ended.assert(Delivered, "Delivered", &[DNS, &format!("tcp {PUBLIC}:{port}")]);
        assert_eq!(ended.attempts(), ["NameNotResolved", "Delivered"]);
        receiver.only_request();
    });
}
