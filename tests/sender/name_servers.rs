//! How the name servers' answers affect a delivery. Each test runs in a network of its own, where it has port 53 and the kernel
//! counts the connections.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use postern::delivery::OutcomeClass;
use postern_e2e_receiver::{Certificates, OK, Receiver};
use serde_json::json;

use crate::dns::{Answer, Dns};
use crate::folder::Folder;
use crate::network;
use crate::on_the_dot::{SOON, in_time};

const NAME: &str = "hooks.example.com";

/// Runs a test of this file in a network of its own.
fn in_a_network_of_its_own(test: &str, body: fn()) {
    network::run_in_its_own(&format!("name_servers::{test}"), body);
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

/// Makes a delivery with a lead, whose first look-up finds where nothing listens, and whose next one finds `then`. Returns its
/// outcome's class and reason.
fn delivered_after_an_early_failure(
    receiver: &Receiver,
    then: &str,
    answers: &Mutex<Vec<IpAddr>>,
) -> (OutcomeClass, String) {
    let mut told = None;
    in_time(|| {
        *answers.lock().unwrap() = vec![then.parse().unwrap(), "127.1.0.1".parse().unwrap()];
        let mut folder = folder(receiver, receiver.port);
        folder.due_in(SOON);
        let ran = folder.run();
        if !ran.output.contains("could not connect before the delivery is due") {
            return false;
        }
        assert_eq!((ran.outcome.attempt_count, answers.lock().unwrap().len()), (1, 0), "{:?}", ran.outcome);
        told = Some((ran.outcome.outcome, ran.outcome.reason.to_string()));
        true
    });
    told.unwrap()
}

#[test]
fn looks_the_name_up_again_when_the_early_connection_failed_and_judges_what_comes() {
    let test = "looks_the_name_up_again_when_the_early_connection_failed_and_judges_what_comes";
    in_a_network_of_its_own(test, || {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&answers);
        let _dns = Dns::start(move |kind| match kind {
            RecordType::A => Answer::Addresses(told.lock().unwrap().pop().into_iter().collect()),
            _ => Answer::Addresses(Vec::new()),
        });
        let listener = TcpListener::bind("127.1.0.2:0").unwrap();
        let receiver = Receiver::on(listener, Certificates::good(NAME), false, Receiver::by_turns([OK]));
        let delivered = delivered_after_an_early_failure(&receiver, "127.1.0.2", &answers);
        assert_eq!(delivered, (OutcomeClass::Delivered, "Delivered".to_owned()));
        let delivered = delivered_after_an_early_failure(&receiver, "10.0.0.1", &answers);
        assert_eq!(delivered, (OutcomeClass::Refused, "AddressInternal".to_owned()));
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
        in_time(|| {
            let mut folder = folder(&receiver, receiver.port);
            folder.due_in(SOON);
            let ran = folder.run();
            ran.assert(OutcomeClass::Delivered, "Delivered");
            ran.outcome.timings.dns_ms.is_some_and(|spent| spent < 1_000)
        });
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
