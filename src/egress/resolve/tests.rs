use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::super::test_dns::{Asked, Reply, TestDns};
use super::super::{Reason, Refusal};
use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(60);

async fn ask(dns: &TestDns, timeout: Duration) -> Result<Vec<SocketAddr>, Refusal> {
    let rules = Rules::default();
    let target = Target::parse(b"https://hooks.example.com/secret", &rules).unwrap();
    let resolver = Resolver::new(vec![dns.addr], timeout);
    let Resolved { addresses, .. } = resolve(&target, &rules, &resolver).await?;
    Ok(addresses.into_iter().map(Checked::addr).collect())
}

async fn answered(
    timeout: Duration,
    answer: impl Fn(Asked) -> Reply + Send + Sync + 'static,
) -> Result<Vec<SocketAddr>, Refusal> {
    ask(&TestDns::start(answer).await, timeout).await
}

/// Resolves a name whose A and AAAA questions are answered with these records.
async fn with(a: &'static [&'static str], aaaa: &'static [&'static str]) -> Result<Vec<SocketAddr>, Refusal> {
    let answer = move |asked: Asked| Reply::Records(if asked.kind == RecordType::A { a } else { aaaa });
    answered(LONG, answer).await
}

fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| SocketAddr::new(text.parse::<IpAddr>().unwrap(), 443)).collect()
}

fn reason<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Reason {
    let refusal = result.unwrap_err();
    assert!(!refusal.to_string().contains("secret"), "{refusal}");
    refusal.reason
}

#[tokio::test]
async fn gives_the_addresses_of_both_answers() {
    let both = with(&["1.1.1.1", "8.8.8.8"], &["2606:4700::1"]).await;
    assert_eq!(both.unwrap(), addrs(&["1.1.1.1", "8.8.8.8", "2606:4700::1"]));
}

#[tokio::test]
async fn one_family_is_enough_when_the_other_answer_is_empty() {
    assert_eq!(with(&["1.1.1.1"], &[]).await.unwrap(), addrs(&["1.1.1.1"]));
    assert_eq!(with(&[], &["2606:4700::1"]).await.unwrap(), addrs(&["2606:4700::1"]));
}

#[tokio::test]
async fn asks_for_the_fully_qualified_name_once_per_family() {
    let dns = TestDns::start(|_| Reply::Code(ResponseCode::NXDomain)).await;
    assert_eq!(reason(ask(&dns, LONG).await), Reason::NameNotResolved);
    assert_eq!(*dns.names.lock().unwrap(), ["hooks.example.com.", "hooks.example.com."]);
}

#[tokio::test]
async fn an_address_asks_no_server() {
    let dns = TestDns::start(|_| Reply::Records(&["10.0.0.1"])).await;
    let rules = Rules::default();
    let target = Target::parse(b"https://1.1.1.1/", &rules).unwrap();
    let resolved = resolve(&target, &rules, &Resolver::new(vec![dns.addr], LONG)).await.unwrap();
    assert_eq!(resolved.addresses[0].addr(), "1.1.1.1:443".parse().unwrap());
    assert_eq!(dns.questions.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn refuses_a_name_with_one_private_address_among_public_ones() {
    assert_eq!(reason(with(&["1.1.1.1", "10.0.0.1", "8.8.8.8"], &[]).await), Reason::AddressInternal);
    assert_eq!(reason(with(&["1.1.1.1"], &["2606:4700::1", "fd00::1"]).await), Reason::AddressInternal);
}

#[tokio::test]
async fn refuses_an_ipv6_only_internal_answer() {
    assert_eq!(reason(with(&[], &["fd00:ec2::254"]).await), Reason::AddressInternal);
    assert_eq!(reason(with(&[], &["::ffff:169.254.169.254"]).await), Reason::AddressInternal);
}

#[tokio::test]
async fn judges_each_look_up_anew() {
    let answer = |asked: Asked| match (asked.kind, asked.before) {
        (RecordType::A, 0) => Reply::Records(&["1.1.1.1"]),
        (RecordType::A, _) => Reply::Records(&["127.0.0.1"]),
        _ => Reply::Records(&[]),
    };
    let dns = TestDns::start(answer).await;
    assert_eq!(ask(&dns, LONG).await.unwrap(), addrs(&["1.1.1.1"]));
    assert_eq!(reason(ask(&dns, LONG).await), Reason::AddressInternal);
}

/// How name servers of real receivers fail for one family while they answer well for the other.
const FAULTS: [fn() -> Reply; 6] = [
    || Reply::Code(ResponseCode::ServFail),
    || Reply::Code(ResponseCode::Refused),
    || Reply::Code(ResponseCode::NotImp),
    || Reply::Code(ResponseCode::FormErr),
    || Reply::Code(ResponseCode::NXDomain),
    || Reply::Silence,
];

/// Resolves a name when one family's questions meet the fault, and the other's are answered with addresses.
async fn with_fault_at(kind: RecordType, fault: fn() -> Reply, records: &'static [&'static str]) -> TestDns {
    TestDns::start(move |asked: Asked| if asked.kind == kind { fault() } else { Reply::Records(records) }).await
}

#[tokio::test]
async fn goes_with_the_family_that_was_answered_whatever_becomes_of_the_other() {
    for fault in FAULTS {
        let dns = with_fault_at(RecordType::AAAA, fault, &["1.1.1.1", "8.8.8.8"]).await;
        assert_eq!(ask(&dns, LONG).await.unwrap(), addrs(&["1.1.1.1", "8.8.8.8"]));
        let dns = with_fault_at(RecordType::A, fault, &["2606:4700::1"]).await;
        assert_eq!(ask(&dns, LONG).await.unwrap(), addrs(&["2606:4700::1"]));
    }
}

#[tokio::test]
async fn judges_every_address_of_the_family_that_was_answered() {
    for fault in FAULTS {
        let dns = with_fault_at(RecordType::AAAA, fault, &["1.1.1.1", "10.0.0.1"]).await;
        assert_eq!(reason(ask(&dns, LONG).await), Reason::AddressInternal);
        let dns = with_fault_at(RecordType::A, fault, &["2606:4700::1", "fd00::1"]).await;
        assert_eq!(reason(ask(&dns, LONG).await), Reason::AddressInternal);
    }
}

#[tokio::test]
async fn a_question_that_was_lost_is_repeated_before_its_family_is_left_out() {
    for lost in [RecordType::A, RecordType::AAAA] {
        let answer = move |asked: Asked| match (asked.kind, asked.before) {
            (kind, 0) if kind == lost => Reply::Silence,
            (RecordType::A, _) => Reply::Records(&["1.1.1.1"]),
            _ => Reply::Records(&["2606:4700::1"]),
        };
        assert_eq!(answered(LONG, answer).await.unwrap(), addrs(&["1.1.1.1", "2606:4700::1"]), "{lost}");
    }
}

#[tokio::test]
async fn says_which_family_is_not_known_and_why() {
    for (kind, fault, missing) in [
        (RecordType::A, FAULTS[5], Some("A of hooks.example.com: no answer in time")),
        (RecordType::AAAA, FAULTS[1], Some("AAAA of hooks.example.com: the name server answered Query Refused")),
        (RecordType::AAAA, FAULTS[4], None),
    ] {
        let records: &[&str] = if kind == RecordType::A { &["2606:4700::1"] } else { &["1.1.1.1"] };
        let dns = with_fault_at(kind, fault, records).await;
        let found = Resolver::new(vec![dns.addr], LONG).addresses("hooks.example.com").await.unwrap();
        assert_eq!(found.missing.as_deref(), missing);
    }
}

#[tokio::test]
async fn waits_for_the_other_family_as_long_as_there_is_no_address() {
    for empty in [ResponseCode::NoError, ResponseCode::NXDomain, ResponseCode::ServFail] {
        let answer = move |asked: Asked| match (asked.kind, asked.before) {
            (RecordType::A, _) => Reply::Code(empty),
            (_, 0) => Reply::Silence,
            _ => Reply::Records(&["2606:4700::1"]),
        };
        // The second try comes after two seconds. If the other family had answered with addresses, this one would have been given
        // up by then.
        assert_eq!(answered(Duration::from_secs(4), answer).await.unwrap(), addrs(&["2606:4700::1"]), "{empty}");
    }
}

#[tokio::test]
async fn says_of_both_families_why_there_is_no_address() {
    let detail = |a: fn() -> Reply, aaaa: fn() -> Reply| async move {
        let answer = move |asked: Asked| if asked.kind == RecordType::A { a() } else { aaaa() };
        let refusal = answered(SHORT, answer).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::NameNotResolved);
        refusal.detail
    };
    let [serv_fail, refused, .., no_such_name, silence] = FAULTS;
    let of = "of hooks.example.com: ";
    let expected =
        format!("A {of}the name server answered Server Failure; AAAA: the name server answered Query Refused");
    assert_eq!(detail(serv_fail, refused).await, expected);
    assert_eq!(detail(no_such_name, silence).await, format!("A {of}there is none; AAAA: no answer in time"));
    assert_eq!(detail(silence, silence).await, format!("A and AAAA {of}no answer in time"));
    assert_eq!(detail(no_such_name, no_such_name).await, format!("A and AAAA {of}there is none"));
}

#[tokio::test]
async fn an_internal_address_among_hundreds_refuses_them_all() {
    let public = || (0..400).map(|n| IpAddr::from(std::net::Ipv4Addr::from_bits(0x0808_0000 + n)));
    let all = |ips: Vec<IpAddr>| {
        answered(LONG, move |asked: Asked| match (asked.kind, asked.over_tcp) {
            (RecordType::A, false) => Reply::Truncated,
            (RecordType::A, true) => Reply::Addresses(ips.clone()),
            _ => Reply::Records(&[]),
        })
    };
    assert_eq!(all(public().collect()).await.unwrap().len(), 400);
    let one_internal = public().chain(["10.0.0.1".parse().unwrap()]).collect();
    assert_eq!(reason(all(one_internal).await), Reason::AddressInternal);
}

#[tokio::test]
async fn asks_again_when_the_first_answer_is_lost_or_a_failure() {
    let lost = |asked: Asked| {
        if asked.before == 0 { Reply::Silence } else { Reply::Records(&["1.1.1.1"]) }
    };
    assert!(answered(Duration::from_secs(2), lost).await.is_ok());
    let failed = |asked: Asked| match asked.before {
        0 => Reply::Code(ResponseCode::ServFail),
        _ => Reply::Records(&["1.1.1.1"]),
    };
    assert!(answered(LONG, failed).await.is_ok());
}

#[tokio::test]
async fn asks_the_next_server_when_one_fails() {
    let broken = TestDns::start(|_| Reply::Code(ResponseCode::ServFail)).await;
    let good = TestDns::start(|_| Reply::Records(&["1.1.1.1"])).await;
    let resolver = Resolver::new(vec![broken.addr, good.addr], LONG);
    assert!(resolver.addresses("hooks.example.com").await.is_ok());
}

#[tokio::test]
async fn a_name_without_addresses_is_not_resolved() {
    assert_eq!(reason(with(&[], &[]).await), Reason::NameNotResolved);
    assert_eq!(reason(answered(LONG, |_| Reply::Code(ResponseCode::NXDomain)).await), Reason::NameNotResolved);
}

#[tokio::test]
async fn a_chain_of_aliases_is_judged_by_where_it_ends() {
    let public = with(
        &["CNAME b.example.net.", "b.example.net.=CNAME C.example.net.", "c.example.net.=1.1.1.1"],
        &["CNAME b.example.net."],
    );
    assert_eq!(public.await.unwrap(), addrs(&["1.1.1.1"]));
    let internal = with(&["CNAME api.default.svc.cluster.local.", "api.default.svc.cluster.local.=10.96.0.1"], &[]);
    assert_eq!(reason(internal.await), Reason::AddressInternal);
    let unrelated = with(&["CNAME b.example.net.", "other.example.net.=1.1.1.1"], &[]);
    assert_eq!(reason(unrelated.await), Reason::NameNotResolved);
    let endless = with(&["CNAME b.example.net.", "b.example.net.=CNAME hooks.example.com."], &[]);
    assert_eq!(reason(endless.await), Reason::NameNotResolved);
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_over_tcp() {
    let answer = |asked: Asked| match (asked.kind, asked.over_tcp) {
        (RecordType::AAAA, _) => Reply::Records(&[]),
        (_, false) => Reply::Truncated,
        (_, true) => Reply::Records(&["1.1.1.1", "10.0.0.1"]),
    };
    assert_eq!(reason(answered(LONG, answer).await), Reason::AddressInternal);
    let answer = |asked: Asked| {
        if asked.over_tcp { Reply::Records(&["1.1.1.1"]) } else { Reply::Truncated }
    };
    assert!(answered(LONG, answer).await.is_ok());
    let always = answered(LONG, |_| Reply::Truncated).await;
    assert_eq!(reason(always), Reason::NameNotResolved);
}

#[tokio::test]
async fn ignores_answers_that_do_not_fit_the_question() {
    fn forge(truth: Message) -> Vec<Message> {
        let mut forged = truth;
        forged.answers.clear();
        let evil = RData::A(A([9, 9, 9, 9].into()));
        forged.add_answer(Record::from_rdata(forged.queries[0].name.clone(), 0, evil));
        let mut other_id = forged.clone();
        other_id.metadata.id = forged.metadata.id.wrapping_add(1);
        let mut other_name = forged.clone();
        other_name.queries[0].name = Name::from_ascii("other.example.com.").unwrap();
        let mut other_type = forged.clone();
        other_type.queries[0].query_type = RecordType::TXT;
        let mut no_question = forged.clone();
        no_question.queries.clear();
        let mut two_questions = forged.clone();
        two_questions.add_query(Query::query(Name::root(), RecordType::A));
        let mut not_an_answer = forged;
        not_an_answer.metadata.message_type = MessageType::Query;
        vec![other_id, other_name, other_type, no_question, two_questions, not_an_answer]
    }
    let answer = |asked: Asked| match asked.kind {
        RecordType::A => Reply::AfterForgeries(forge, &["1.1.1.1"]),
        _ => Reply::AfterForgeries(forge, &[]),
    };
    assert_eq!(answered(LONG, answer).await.unwrap(), addrs(&["1.1.1.1"]));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failed_look_up() {
    let closed = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let resolver = Resolver::new(vec![closed], SHORT);
    assert_eq!(reason(resolver.addresses("hooks.example.com").await), Reason::NameNotResolved);
    assert_eq!(reason(Resolver::new(vec![], LONG).addresses("hooks.example.com").await), Reason::NameNotResolved);
}
