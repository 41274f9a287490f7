//! How the name servers' answers affect a delivery. Each test runs in a network of its own, where it has port 53 and the kernel
//! counts the connections.

use std::collections::VecDeque;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{Certificates, OK, Receiver};
use serde_json::json;

use crate::dns::{Answer, Dns};
use crate::folder::Folder;

/// Set in the test's own network, where the test starts itself again.
const INSIDE: &str = "POSTERN_TEST_INSIDE";

const NAME: &str = "hooks.example.com";

/// Runs a test of this file in network and mount namespaces with a `resolv.conf` that names the tests' DNS.
fn in_a_network_of_its_own(test: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let folder = tempfile::tempdir().unwrap();
    let resolv_conf = folder.path().join("resolv.conf");
    fs::write(&resolv_conf, format!("nameserver {}\n", Dns::SERVER)).unwrap();
    let script =
        r#"PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@""#;
    let ran = Command::new("unshare")
        .args(["--map-root-user", "--net", "--mount", "sh", "-c", script, "sh"])
        .arg(&resolv_conf)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("name_servers::{test}"), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap_or_else(|error| panic!("unshare (Debian package util-linux) can't be run: {error}"));
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

/// How many connections were started in this network.
fn connections() -> usize {
    let snmp = fs::read_to_string("/proc/net/snmp").unwrap();
    let mut tcp = snmp.lines().filter_map(|line| line.strip_prefix("Tcp: ")).map(str::split_ascii_whitespace);
    let (names, values) = (tcp.next().unwrap(), tcp.next().unwrap());
    names.zip(values).find(|(name, _)| *name == "ActiveOpens").unwrap().1.parse().unwrap()
}

/// A delivery to [`NAME`].
fn folder(receiver: &Receiver, port: u16) -> Folder {
    let mut folder = Folder::to_port(receiver, port);
    folder.write("url", format!("https://{NAME}:{port}/hook"));
    folder.delivery["retries"]["attempts"] = json!(5);
    folder
}

fn loopback_addresses(count: u32) -> Answer {
    Answer::Addresses((1..=count).map(|host| Ipv4Addr::from_bits(0x7f01_0000 + host).into()).collect())
}

/// Makes a delivery to a name with this many addresses, at which nothing listens. Returns the attempts' reasons, and how many
/// connections they started, not counting those to the DNS.
fn attempts_at(addresses: u32) -> (Vec<String>, usize) {
    let dns = Dns::start(move |kind| match kind {
        RecordType::A => loopback_addresses(addresses),
        _ => Answer::Addresses(Vec::new()),
    });
    let ran = folder(&Receiver::answering([OK]), 4433).run();
    let reasons = ran.outcome.attempts.iter().map(|attempt| attempt.reason.as_str().to_owned()).collect();
    (reasons, connections() - dns.connections())
}

#[test]
fn an_attempt_tries_at_most_eight_of_a_thousand_addresses() {
    in_a_network_of_its_own("an_attempt_tries_at_most_eight_of_a_thousand_addresses", || {
        assert_eq!(attempts_at(1000), (vec!["ConnectionRefused".to_owned(); 5], 40));
    });
}

#[test]
fn an_answer_with_four_thousand_addresses_is_not_read_and_nothing_is_connected_to() {
    let test = "an_answer_with_four_thousand_addresses_is_not_read_and_nothing_is_connected_to";
    in_a_network_of_its_own(test, || {
        assert_eq!(attempts_at(4000), (vec!["NameNotResolved".to_owned(); 5], 0));
    });
}

#[test]
fn delivers_where_the_dns_is_silent_about_the_other_family() {
    in_a_network_of_its_own("delivers_where_the_dns_is_silent_about_the_other_family", || {
        let _dns = Dns::start(|kind| match kind {
            RecordType::A => loopback_addresses(1),
            _ => Answer::Silence,
        });
        delivers_at_once();
    });
}

#[test]
fn delivers_where_the_dns_fails_at_the_other_family() {
    in_a_network_of_its_own("delivers_where_the_dns_fails_at_the_other_family", || {
        let _dns = Dns::start(|kind| match kind {
            RecordType::A => loopback_addresses(1),
            _ => Answer::Code(ResponseCode::Refused),
        });
        delivers_at_once();
    });
}

#[test]
fn says_which_family_the_dns_was_silent_about_when_no_address_of_the_other_is_reached() {
    let test = "says_which_family_the_dns_was_silent_about_when_no_address_of_the_other_is_reached";
    in_a_network_of_its_own(test, || {
        let _dns = Dns::start(|kind| match kind {
            RecordType::A => loopback_addresses(1),
            _ => Answer::Silence,
        });
        let mut folder = folder(&Receiver::answering([OK]), 4433);
        folder.delivery["retries"]["attempts"] = json!(1);
        let ran = folder.run();
        ran.assert(OutcomeClass::Failed, "ConnectionRefused");
        let expected = "AAAA of hooks.example.com: no answer in time, so only the other family's addresses were tried: check the \
            receiver, and the cluster's DNS";
        assert_eq!(ran.outcome.detail, expected);
    });
}

#[test]
fn looks_the_name_up_again_when_the_early_connection_failed_and_judges_what_comes() {
    let test = "looks_the_name_up_again_when_the_early_connection_failed_and_judges_what_comes";
    in_a_network_of_its_own(test, || {
        // Nothing listens at the first address of each delivery.
        let answers = ["127.1.0.1", "127.1.0.2", "127.1.0.1", "10.0.0.1"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        let left = Arc::clone(&answers);
        let _dns = Dns::start(move |kind| match kind {
            RecordType::A => Answer::Addresses(answers.lock().unwrap().pop_front().into_iter().collect()),
            _ => Answer::Addresses(Vec::new()),
        });
        let listener = TcpListener::bind("127.1.0.2:0").unwrap();
        let receiver = Receiver::on(listener, Certificates::good(NAME), false, Receiver::by_turns([OK]));
        for (class, reason) in [(OutcomeClass::Delivered, "Delivered"), (OutcomeClass::Refused, "AddressInternal")] {
            let mut folder = folder(&receiver, receiver.port);
            folder.due_in(4);
            let ran = folder.run();
            ran.assert(class, reason);
            assert_eq!(ran.outcome.attempt_count, 1);
            assert!(ran.output.contains("could not connect before"), "{}", ran.output);
        }
        receiver.only_request();
        assert!(left.lock().unwrap().is_empty(), "each delivery looks its name up twice");
    });
}

#[test]
fn a_family_that_the_dns_is_silent_about_does_not_take_up_the_second_before_the_dot() {
    let test = "a_family_that_the_dns_is_silent_about_does_not_take_up_the_second_before_the_dot";
    in_a_network_of_its_own(test, || {
        let _dns = Dns::start(|kind| match kind {
            RecordType::A => loopback_addresses(1),
            _ => Answer::Silence,
        });
        let listener = TcpListener::bind("127.1.0.1:0").unwrap();
        let receiver = Receiver::on(listener, Certificates::good(NAME), false, Receiver::by_turns([OK]));
        let mut folder = folder(&receiver, receiver.port);
        folder.due_in(4);
        let ran = folder.run();
        ran.assert(OutcomeClass::Delivered, "Delivered");
        assert!(ran.outcome.timings.dns_ms.is_some_and(|spent| spent < 1_000), "{:?}", ran.outcome.timings);
    });
}

fn delivers_at_once() {
    let listener = TcpListener::bind("127.1.0.1:0").unwrap();
    let receiver = Receiver::on(listener, Certificates::good(NAME), false, Receiver::by_turns([OK]));
    let ran = folder(&receiver, receiver.port).run();
    ran.assert(OutcomeClass::Delivered, "Delivered");
    assert_eq!(ran.outcome.attempt_count, 1);
    // A silent family is waited for during one second.
    assert!(ran.outcome.timings.dns_ms.is_some_and(|spent| spent < 3_000), "{:?}", ran.outcome.timings);
}
