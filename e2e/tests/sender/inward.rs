//! Whatever a URL, a DNS answer or a receiver says, nothing is sent to an internal address, not even a SYN.
//!
//! Each test has a second delivery that differs only in the tier's `allowedCIDRs` (for the redirect, it goes straight to where
//! the redirect leads), and that does reach the internal host. So the internal host listens, the name leads to it, and packets to
//! it are seen.

use std::sync::Arc;

use postern::delivery::OutcomeClass::{Delivered, FailedPermanently, Refused};
use postern_e2e::{Certificates, Cluster, Delivery, DnsAnswer, Ended, Network, OK, Receiver, on_cluster};

use super::{CLOSED, DNS, METADATA, PUBLIC};

const NODE: &str = "fd00:77::10";
const API_SERVER: &str = "10.96.0.1";

/// Makes a delivery to a name with these answers, and one to another name with the same answers, for which the tier allows the
/// internal address.
async fn refused_and_allowed(
    cluster: &Cluster,
    namespace: &str,
    (port, certificates): (u16, &Certificates),
    answers: &[DnsAnswer],
    internal: &str,
) -> [Ended; 2] {
    let [refused, allowed] = ["refused", "allowed"].map(|name| {
        let host = format!("{name}.{namespace}.example");
        cluster.set_dns(&host, answers);
        Delivery::to(name, &host, port, certificates)
    });
    tokio::join!(refused.run(cluster, namespace), allowed.allowing(internal).run(cluster, namespace)).into()
}

/// Certificates for every host of a test.
fn certificates(namespace: &str) -> Certificates {
    Certificates::good(&format!("*.{namespace}.example"))
}

#[test]
fn a_name_that_turns_inward_between_two_look_ups_is_refused_at_the_second() {
    on_cluster(|cluster, namespace| async move {
        let [at_inside, at_outside] = Network::of_internet(cluster.pid).listen_at_both(METADATA, PUBLIC);
        let inside = Receiver::on(at_inside, certificates(&namespace), false, Receiver::by_turns([OK]));
        let port = inside.port;
        let outside = Receiver::on(
            at_outside,
            Arc::clone(&inside.certificates),
            false,
            Receiver::by_turns(["HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n"]),
        );
        let answers = [PUBLIC, METADATA].map(|ip| DnsAnswer::addresses([ip]));

        let [refused, allowed] =
            refused_and_allowed(&cluster, &namespace, (port, &inside.certificates), &answers, METADATA).await;

        let (to_outside, to_inside) = (format!("tcp {PUBLIC}:{port}"), format!("tcp {METADATA}:{port}"));
        refused.assert(Refused, "AddressInternal", &[DNS, &to_outside]);
        assert_eq!(refused.attempts(), ["ReceiverError", "AddressInternal"]);
        allowed.assert(Delivered, "Delivered", &[DNS, &to_outside, &to_inside]);
        assert_eq!(outside.requests().len(), 2);
        assert_eq!(inside.requests().len(), 1);
    });
}

#[test]
fn a_name_with_one_internal_address_among_public_ones_is_refused() {
    on_cluster(|cluster, namespace| async move {
        let inside = cluster.receiver(METADATA, certificates(&namespace), Receiver::by_turns([OK]));
        let port = inside.port;
        let answers = [DnsAnswer::addresses([CLOSED, METADATA])];

        let [refused, allowed] =
            refused_and_allowed(&cluster, &namespace, (port, &inside.certificates), &answers, METADATA).await;

        refused.assert(Refused, "AddressInternal", &[DNS]);
        assert_eq!(refused.attempts(), ["AddressInternal"]);
        let (to_outside, to_inside) = (format!("tcp {CLOSED}:{port}"), format!("tcp {METADATA}:{port}"));
        allowed.assert(Delivered, "Delivered", &[DNS, &to_outside, &to_inside]);
        assert_eq!(inside.requests().len(), 1);
    });
}

#[test]
fn an_alias_of_an_internal_name_is_refused() {
    on_cluster(|cluster, namespace| async move {
        let answers = [DnsAnswer::alias("kubernetes.default.svc.cluster.local.", [API_SERVER])];
        let certificates = certificates(&namespace);
        let [refused, allowed] =
            refused_and_allowed(&cluster, &namespace, (443, &certificates), &answers, API_SERVER).await;

        refused.assert(Refused, "AddressInternal", &[DNS]);
        assert_eq!(refused.attempts(), ["AddressInternal"]);
        // The sender doesn't trust the API server's certificate, which shows that it connected to the API server.
        let to_inside = format!("tcp {API_SERVER}:443");
        allowed.assert(FailedPermanently, "CertificateUnknownIssuer", &[DNS, &to_inside]);
    });
}

#[test]
fn a_name_with_nothing_but_an_internal_ipv6_address_is_refused() {
    on_cluster(|cluster, namespace| async move {
        let inside = Receiver::on(
            Network::of_node(cluster.pid).listen(NODE, 0),
            certificates(&namespace),
            false,
            Receiver::by_turns([OK]),
        );
        let port = inside.port;
        let answers = [DnsAnswer::addresses([NODE])];

        let [refused, allowed] =
            refused_and_allowed(&cluster, &namespace, (port, &inside.certificates), &answers, NODE).await;

        refused.assert(Refused, "AddressInternal", &[DNS]);
        assert_eq!(refused.attempts(), ["AddressInternal"]);
        let to_inside = format!("tcp [{NODE}]:{port}");
        allowed.assert(Delivered, "Delivered", &[DNS, &to_inside]);
        assert_eq!(inside.requests().len(), 1);
    });
}

#[test]
fn an_internal_address_in_the_url_is_refused() {
    on_cluster(|cluster, namespace| async move {
        let certificates = Certificates::good(METADATA);
        let inside = cluster.receiver(METADATA, certificates, Receiver::by_turns([OK]));

        let to = |name| Delivery::to(name, METADATA, inside.port, &inside.certificates);
        let (refused, allowed) = tokio::join!(
            to("refused").run(&cluster, &namespace),
            to("allowed").allowing(METADATA).run(&cluster, &namespace),
        );

        refused.assert(Refused, "AddressInternal", &[""; 0]);
        assert_eq!(refused.attempts(), [""; 0]);
        let to_inside = format!("tcp {METADATA}:{}", inside.port);
        allowed.assert(Delivered, "Delivered", &[to_inside]);
        assert_eq!(inside.requests().len(), 1);
    });
}

#[test]
fn a_redirect_is_not_followed_even_to_where_the_tier_would_let_a_delivery_go() {
    on_cluster(|cluster, namespace| async move {
        let [at_inside, at_outside] = Network::of_internet(cluster.pid).listen_at_both(METADATA, PUBLIC);
        let inside = Receiver::on(at_inside, Certificates::good(METADATA), false, Receiver::by_turns([OK]));
        let port = inside.port;
        let host = format!("redirecting.{namespace}.example");
        let redirect = format!(
            "HTTP/1.1 302 Found\r\nlocation: https://{METADATA}:{port}/latest/meta-data/\r\ncontent-length: 0\r\n\r\n"
        );
        let answer = Receiver::by_turns([redirect.as_str()]);
        let outside = Receiver::on(at_outside, Certificates::good(&host), false, answer);
        cluster.set_dns(&host, &[DnsAnswer::addresses([PUBLIC])]);

        let redirected = Delivery::to("redirected", &host, port, &outside.certificates);
        let direct = Delivery::to("direct", METADATA, port, &inside.certificates);
        let (redirected, direct) = tokio::join!(
            redirected.allowing(METADATA).run(&cluster, &namespace),
            direct.allowing(METADATA).run(&cluster, &namespace),
        );

        let to_outside = format!("tcp {PUBLIC}:{port}");
        redirected.assert(FailedPermanently, "RedirectNotFollowed", &[DNS, &to_outside]);
        assert_eq!(redirected.outcome.http_status, Some(302));
        assert_eq!(redirected.attempts(), ["RedirectNotFollowed"]);
        direct.assert(Delivered, "Delivered", &[format!("tcp {METADATA}:{port}")]);
        assert_eq!(inside.requests().len(), 1);
    });
}
