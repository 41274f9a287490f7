//! How the sender uses its pod: what is mounted, what it may do, when it must end.

use std::io::Read as _;

use postern::delivery::OutcomeClass::{Delivered, Interrupted, Refused};
use postern_e2e::{Certificates, Delivery, DnsAnswer, OK, Receiver, on_cluster};

use super::{DNS, PUBLIC};

#[test]
fn a_delivery_needs_no_more_than_the_restricted_standard_gives() {
    on_cluster(|cluster, namespace| async move {
        cluster.restrict(&namespace).await;
        let certificates = Certificates::good("203.0.113.10");
        let receiver = cluster.receiver(PUBLIC, certificates, Receiver::by_turns([OK]));
        let port = receiver.port;

        let ended = Delivery::to("delivery", PUBLIC, port, &receiver.certificates).run(&cluster, &namespace).await;

        ended.assert(Delivered, "Delivered", &[format!("tcp {PUBLIC}:{port}")]);
    });
}

#[test]
fn a_missing_secret_or_key_ends_the_delivery_and_is_named() {
    on_cluster(|cluster, namespace| async move {
        let certificates = Certificates::good(PUBLIC);
        let to = |name| Delivery::to(name, PUBLIC, 443, &certificates);
        let mut without_secret = to("no-secret");
        without_secret.secret.clear();
        let mut without_url = to("no-url").signed_with("whsec_", "{}");
        without_url.secret.remove("url");
        let mut without_key = to("no-key").signed_with("whsec_", "{}");
        without_key.secret.remove("signing-key");

        let (without_secret, without_url, without_key) = tokio::join!(
            without_secret.run(&cluster, &namespace),
            without_url.run(&cluster, &namespace),
            without_key.run(&cluster, &namespace),
        );

        for (ended, missing) in [
            (without_secret, "Secret no-secret doesn't exist, or has no key url"),
            (without_url, "Secret no-url doesn't exist, or has no key url"),
            (without_key, "Secret no-key doesn't exist, or has no key signing-key"),
        ] {
            ended.assert(Refused, "ReferenceMissing", &[""; 0]);
            let detail = &ended.outcome.detail;
            assert!(detail.starts_with(missing), "{detail}");
        }
    });
}

#[test]
fn a_pod_that_is_deleted_amid_its_delivery_still_says_so() {
    on_cluster(|cluster, namespace| async move {
        let host = format!("hooks.{namespace}.example");
        let receiver = cluster.receiver(PUBLIC, Certificates::good(&host), |stream| stream.read_exact(&mut [0]));
        cluster.set_dns(&host, &[DnsAnswer::addresses([PUBLIC])]);
        let port = receiver.port;
        let running = Delivery::to("delivery", &host, port, &receiver.certificates).start(&cluster, &namespace).await;
        receiver.await_request();

        running.delete().await;

        let ended = running.end().await;
        ended.assert(Interrupted, "Interrupted", &[DNS, &format!("tcp {PUBLIC}:{port}")]);
        assert!(ended.outcome.id.is_some());
        receiver.only_request();
    });
}
