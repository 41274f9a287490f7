//! What happens to a delivery at receivers of every kind, and what they see of it.

use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use postern::delivery::AddressFamily;
use postern::delivery::OutcomeClass::{self, Delivered, Failed, FailedPermanently};
use postern::signing::DeliveryId;
use postern_e2e::{Certificates, Cluster, Delivery, DnsAnswer, Ended, KEY, OK, Receiver, Stream, on_cluster};
use rustix::net::sockopt::set_socket_linger;
use serde_json::json;
use standardwebhooks::Webhook;

use super::{CLOSED, DNS};

const IPV4: &str = "198.51.100.10";
const IPV6: &str = "2001:db8::20";
const BODY: &str = r#"{"type":"report.due","timestamp":"{{scheduledTime}}"}"#;

/// A host of a test, with a receiver at one address.
struct Host {
    name: String,
    receiver: Receiver,
    /// Where a delivery sends packets on its way to the host.
    way: [String; 2],
}

impl Host {
    fn at(
        cluster: &Cluster,
        namespace: &str,
        ip: &'static str,
        certificates: impl FnOnce(&str) -> Certificates,
        answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let name = format!("hooks.{namespace}.example");
        cluster.set_dns(&name, &[DnsAnswer::addresses([ip])]);
        let receiver = cluster.receiver(ip, certificates(&name), answer);
        let address = std::net::SocketAddr::new(ip.parse().unwrap(), receiver.port);
        let way = [DNS.into(), format!("tcp {address}")];
        Self { name, receiver, way }
    }

    fn delivery(&self) -> Delivery {
        let Receiver { port, certificates, .. } = &self.receiver;
        Delivery::to("delivery", &self.name, *port, certificates).signed_with(KEY, BODY)
    }
}

/// Makes a delivery to a receiver that answers by calling `answer`.
async fn deliver(
    cluster: &Cluster,
    namespace: &str,
    answer: impl FnMut(&mut Stream) -> io::Result<()> + Send + 'static,
) -> (Host, Ended) {
    let host = Host::at(cluster, namespace, IPV4, Certificates::good, answer);
    let ended = host.delivery().run(cluster, namespace).await;
    (host, ended)
}

fn is_taken_signed_and_whole(ip: &'static str, family: AddressFamily) {
    on_cluster(move |cluster, namespace| async move {
        let answer = Receiver::by_turns([OK]);
        let host = Host::at(&cluster, &namespace, ip, Certificates::good, answer);

        let ended = host.delivery().run(&cluster, &namespace).await;

        ended.assert(Delivered, "Delivered", &host.way);
        let outcome = &ended.outcome;
        assert_eq!(outcome.address_family, Some(family));
        assert_eq!(outcome.http_status, Some(200));
        let request = host.receiver.only_request();
        assert!(request.line.starts_with("POST /hook?token="), "{}", request.line);
        let scheduled_time = outcome.scheduled_time.unwrap();
        assert_eq!(
            String::from_utf8(request.body.clone()).unwrap(),
            BODY.replace("{{scheduledTime}}", &scheduled_time.to_string())
        );
        let official = Webhook::new(KEY).unwrap();
        official.verify(&request.body, &request.header_map()).unwrap();
        official.verify(b"another body", &request.header_map()).unwrap_err();
        assert_eq!(request.header("webhook-id"), outcome.id.as_ref().map(DeliveryId::as_str));
    });
}

#[test]
fn a_delivery_over_ipv4_is_taken_and_the_official_library_verifies_it() {
    is_taken_signed_and_whole(IPV4, AddressFamily::IPv4);
}

#[test]
fn a_delivery_over_ipv6_is_taken_and_the_official_library_verifies_it() {
    is_taken_signed_and_whole(IPV6, AddressFamily::IPv6);
}

#[test]
fn an_address_that_refuses_the_connection_leaves_the_delivery_to_the_next() {
    on_cluster(|cluster, namespace| async move {
        let answer = Receiver::by_turns([OK]);
        let host = Host::at(&cluster, &namespace, IPV4, Certificates::good, answer);
        cluster.set_dns(&host.name, &[DnsAnswer::addresses([CLOSED, IPV4])]);

        let ended = host.delivery().run(&cluster, &namespace).await;

        let [dns, to_host] = &host.way;
        let to_closed = format!("tcp {CLOSED}:{}", host.receiver.port);
        ended.assert(Delivered, "Delivered", &[dns, to_host, &to_closed]);
        assert_eq!(ended.attempts(), ["Delivered"]);
        host.receiver.only_request();
    });
}

fn is_sent_nothing_for_its_certificate(
    certificates: impl FnOnce(&str) -> Certificates + Send + 'static,
    reason: &'static str,
) {
    on_cluster(move |cluster, namespace| async move {
        let answer = Receiver::by_turns([OK]);
        let host = Host::at(&cluster, &namespace, IPV4, certificates, answer);

        let ended = host.delivery().run(&cluster, &namespace).await;

        ended.assert(FailedPermanently, reason, &host.way);
        assert_eq!(ended.attempts(), [reason]);
        assert!(host.receiver.requests().is_empty());
    });
}

#[test]
fn a_certificate_for_another_name_is_not_accepted() {
    is_sent_nothing_for_its_certificate(|_| Certificates::good("hooks.example.com"), "CertificateNameMismatch");
}

#[test]
fn an_expired_certificate_is_not_accepted() {
    is_sent_nothing_for_its_certificate(Certificates::expired, "CertificateExpired");
}

#[test]
fn a_self_signed_certificate_is_not_accepted() {
    is_sent_nothing_for_its_certificate(Certificates::self_signed, "CertificateUnknownIssuer");
}

#[test]
fn a_status_line_a_byte_at_a_time_runs_out_of_time() {
    on_cluster(|cluster, namespace| async move {
        let host = Host::at(&cluster, &namespace, IPV4, Certificates::good, |stream| {
            stream.write_all(b"HTTP/1.1 200 ")?;
            loop {
                stream.write_all(b"x")?;
                thread::sleep(Duration::from_millis(20));
            }
        });
        let mut delivery = host.delivery();
        delivery.json["retries"]["attempts"] = json!(1);
        // Long enough that a slow machine connects in half of this time.
        delivery.json["retries"]["timeoutSeconds"] = json!(8);

        let ended = delivery.run(&cluster, &namespace).await;

        ended.assert(Failed, "RequestTimeout", &host.way);
        host.receiver.only_request();
    });
}

#[test]
fn an_endless_body_is_cut_short() {
    on_cluster(|cluster, namespace| async move {
        let (host, ended) = deliver(&cluster, &namespace, |stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(&[b'x'; 8_192])?;
            }
        })
        .await;
        ended.assert(Delivered, "Delivered", &host.way);
        host.receiver.only_request();
    });
}

#[test]
fn a_connection_reset_amid_the_status_line_is_tried_again() {
    on_cluster(|cluster, namespace| async move {
        let mut take = Receiver::by_turns([OK]);
        let mut first = true;
        let (host, ended) = deliver(&cluster, &namespace, move |stream| {
            if !std::mem::take(&mut first) {
                return take(stream);
            }
            // A whole status line would decide, if it is read before the reset comes.
            stream.write_all(b"HTTP/1.1 200 O")?;
            // A connection that is closed so ends in a reset.
            set_socket_linger(&stream.sock, Some(Duration::ZERO))?;
            Err(io::ErrorKind::ConnectionReset.into())
        })
        .await;
        ended.assert(Delivered, "Delivered", &host.way);
        assert_eq!(ended.attempts(), ["ConnectionReset", "Delivered"]);
        assert_eq!(host.receiver.requests().len(), 2);
    });
}

#[test]
fn a_busy_receiver_gets_the_time_that_it_asks_for() {
    on_cluster(|cluster, namespace| async move {
        let answer = Receiver::by_turns(["HTTP/1.1 429 Later\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n", OK]);
        let (host, ended) = deliver(&cluster, &namespace, answer).await;
        ended.assert(Delivered, "Delivered", &host.way);
        assert_eq!(ended.attempts(), ["ReceiverBusy", "Delivered"]);
        let [first, second] = host.receiver.requests().try_into().unwrap();
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
        let [first, second] = [first, second].map(|request| -> u64 {
            let timestamp = request.header("webhook-timestamp").unwrap();
            timestamp.parse().unwrap()
        });
        assert!(first + 2 <= second, "{first} {second}");
    });
}

async fn is_asked_once(cluster: &Cluster, namespace: &str, answer: &str, class: OutcomeClass, reason: &str) {
    let (host, ended) = deliver(cluster, namespace, Receiver::by_turns([answer])).await;
    ended.assert(class, reason, &host.way);
    assert_eq!(ended.attempts(), [reason]);
    host.receiver.only_request();
}

#[test]
fn a_receiver_that_asks_for_more_time_than_there_is_is_left_alone() {
    on_cluster(|cluster, namespace| async move {
        let answer = "HTTP/1.1 503 Later\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n";
        is_asked_once(&cluster, &namespace, answer, Failed, "ReceiverError").await;
    });
}

#[test]
fn a_receiver_that_is_gone_is_left_alone() {
    on_cluster(|cluster, namespace| async move {
        let answer = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
        is_asked_once(&cluster, &namespace, answer, FailedPermanently, "ReceiverGone").await;
    });
}
