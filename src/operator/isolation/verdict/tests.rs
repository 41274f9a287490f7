//! Which verdict follows from the existing canaries.

use serde_json::{Value, json};

use super::*;
use crate::delivery::Probe;
use crate::egress::Rules;
use crate::operator::build::{canary_job, namespace_children};
use crate::operator::settings::OperatorAddresses;
use crate::operator::test_support::objects::{minute, over, run, settings, terminated};

const UID: &str = "0a8f0e25-2f5c-4f2d-9a53-a6c0f5a5a0f1";

fn policy() -> NetworkPolicy {
    let rules = Rules { denied_cidrs: settings().cluster_cidrs, ..Rules::default() };
    let mut policy = namespace_children("team-a", &rules, &settings()).network_policy;
    policy.metadata.uid = Some(UID.into());
    policy
}

fn api_server() -> ApiServer {
    ApiServer { service: vec!["10.96.0.1:443".parse().unwrap()], endpoints: vec![] }
}

fn foreign(name: &str, egress: &Value) -> Arc<NetworkPolicy> {
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": egress});
    Arc::new(serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap())
}

fn subject_with(others: &[Arc<NetworkPolicy>]) -> ProofInput {
    ProofInput::of(&policy().spec.unwrap(), others, &api_server(), &settings())
}

fn input() -> ProofInput {
    subject_with(&[])
}

/// The status of a pod whose canary found this.
fn found(findings: &Findings) -> Value {
    terminated(json!({"exitCode": 0, "message": serde_json::to_string(findings).unwrap()}))
}

fn closed() -> Findings {
    Findings::new(true, Vec::new(), None)
}

/// A canary that was made at this minute, with this input, this Job status, and pods with these statuses.
fn canary(input: &ProofInput, made: i64, status: Value, pods: Vec<Value>) -> Run {
    let mut run = run(made, status, pods);
    let job = Arc::make_mut(&mut run.job);
    job.metadata.name = Some(format!("postern-canary-{made}"));
    job.metadata.uid = Some(format!("uid-{made}"));
    job.annotations_mut().insert(names::CANARY_ANNOTATION.into(), input.hash.clone());
    run
}

/// The status of a Job that was over at this minute.
fn over_in(at: i64) -> Value {
    json!({"completionTime": minute(at), "conditions": [{"type": "Complete", "status": "True"}]})
}

fn ended(input: &ProofInput, made: i64, findings: &Findings) -> Run {
    canary(input, made, over_in(made), vec![found(findings)])
}

fn look_at(input: &ProofInput, runs: Vec<Run>, at: i64) -> CanaryState {
    canary_state("team-a", UID, input, runs, Isolation::Warn, minute(at).as_second())
}

/// Status and reason, as the condition shows them.
fn said(look: &CanaryState) -> String {
    format!("{} {}", look.verdict.status, look.verdict.reason)
}

fn is_due(look: &CanaryState) -> bool {
    matches!(look.stage, Phase::Due(_))
}

#[test]
fn the_first_canary_is_due_at_once_and_nothing_is_known_before_it_ends() {
    let input = input();
    let first = look_at(&input, Vec::new(), 0);
    assert!(is_due(&first));
    assert_eq!(said(&first), "Unknown Checking");
    let under_way = look_at(&input, vec![canary(&input, 0, json!({}), vec![])], 1);
    assert_eq!((said(&under_way).as_str(), under_way.stage), ("Unknown Checking", Phase::UnderWay));
}

#[test]
fn what_is_closed_while_a_name_server_answers_and_the_api_server_listens_is_proof() {
    let input = input();
    let look = look_at(&input, vec![ended(&input, 0, &closed())], 1);
    assert_eq!((said(&look).as_str(), look.stage), ("True Proved", Phase::Holds));
    assert_eq!(
        look.verdict.message,
        "a canary pod reached a name server and none of 12 addresses inside the cluster, including the API server's"
    );
    let late = Findings { enforced_after_ms: Some(1_200), ..closed() };
    assert_eq!(said(&look_at(&input, vec![ended(&input, 0, &late)], 1)), "True ProvedLate");
}

#[test]
fn what_was_reached_is_named() {
    let input = input();
    let reached = [(Place::ApiServer, "10.96.0.1:443"), (Place::OtherPod, "10.244.0.7:8443")];
    let reached = reached.map(|(place, address)| Probe { place, address: address.parse().unwrap() }).to_vec();
    let look = look_at(&input, vec![ended(&input, 0, &Findings::new(true, reached, None))], 1);
    assert_eq!(said(&look), "False InternalReachable");
    assert!(is_due(&look), "it is tried again");
    assert_eq!(
        look.verdict.message,
        "a canary pod reached addresses that the NetworkPolicy postern-sender closes: 10.96.0.1:443 (the API server), \
         10.244.0.7:8443 (a pod of another namespace). Ask your admin whether a NetworkPolicy engine runs on every node"
    );
    let many = vec![Probe { place: Place::Kubelet, address: "10.0.0.1:10250".parse().unwrap() }; 10];
    let look = look_at(&input, vec![ended(&input, 0, &Findings::new(true, many, None))], 1);
    assert!(look.verdict.message.contains(" and 2 more. Ask"), "{}", look.verdict.message);
    let longest = "[fd00:1111:2222:3333:4444:5555:6666:7777]:65535".parse().unwrap();
    let many = vec![Probe { place: Place::OtherPod, address: longest }; 1_000];
    let look = look_at(&input, vec![ended(&input, 0, &Findings::new(true, many, None))], 1);
    assert!(look.verdict.message.len() <= 1_000, "an Event has room for it: {}", look.verdict.message);
}

#[test]
fn silence_alone_proves_nothing() {
    let input = input();
    let nowhere = Findings::new(false, Vec::new(), None);
    assert_eq!(said(&look_at(&input, vec![ended(&input, 0, &nowhere)], 1)), "Unknown NameServersUnreachable");

    let unlisted = ProofInput::of(&policy().spec.unwrap(), &[], &ApiServer::default(), &settings());
    let look = look_at(&unlisted, vec![ended(&unlisted, 0, &closed())], 1);
    assert_eq!(said(&look), "Unknown NothingToProveItBy");

    // Its pod is deleted, or said something else.
    for pods in [vec![], vec![terminated(json!({"exitCode": 1}))], vec![terminated(json!({"message": "{}"}))]] {
        let look = look_at(&input, vec![canary(&input, 0, over_in(0), pods)], 1);
        assert_eq!(said(&look), "Unknown CanaryNotRun");
        assert!(is_due(&look), "it is tried again");
    }
}

#[test]
fn a_canary_that_does_not_end_is_told_and_no_other_waits_for_it() {
    let input = input();
    let stuck = look_at(&input, vec![canary(&input, 0, json!({}), vec![])], 3);
    assert_eq!((said(&stuck).as_str(), stuck.stage), ("Unknown CanaryNotRun", Phase::Holds));
    // The same an hour later: the earlier proof may no longer be true.
    let runs = vec![ended(&input, -90, &closed()), canary(&input, 0, json!({}), vec![])];
    assert_eq!(said(&look_at(&input, runs, 3)), "Unknown CanaryNotRun");
}

#[test]
fn a_proof_is_renewed_after_an_hour_and_holds_until_the_next_one_has_ended() {
    let input = input();
    let fresh = look_at(&input, vec![ended(&input, 0, &closed())], 1);
    let until = fresh.until.unwrap() - minute(0).as_second();
    assert!((3_600..4_200).contains(&until), "{until}");
    let old = look_at(&input, vec![ended(&input, 0, &closed())], 70);
    assert!(is_due(&old));
    assert_eq!(said(&old), "True Proved");
    let runs = vec![ended(&input, 0, &closed()), canary(&input, 70, json!({}), vec![])];
    let renewing = look_at(&input, runs, 71);
    assert_eq!((said(&renewing).as_str(), renewing.stage), ("True Proved", Phase::UnderWay));
    let renewed = look_at(&input, vec![ended(&input, 0, &closed()), ended(&input, 70, &closed())], 71);
    let obsolete: Vec<_> = renewed.obsolete.iter().map(|job| job.name_any()).collect();
    assert_eq!(obsolete, ["postern-canary-0"]);
}

#[test]
fn a_change_of_what_is_proved_calls_for_another_proof_and_where_the_operator_is_does_not() {
    let before = input();
    let runs = || vec![ended(&before, 0, &closed())];
    let narrow = json!([{"to": [{"ipBlock": {"cidr": "203.0.112.0/24"}}]}]);
    assert!(!is_due(&look_at(&subject_with(&[foreign("narrow", &narrow)]), runs(), 1)));
    let here = OperatorAddresses { pod_ips: vec![[10, 244, 0, 9].into()], node_ips: vec![] };
    let moved = Settings { here, ..settings() };
    let moved = ProofInput::of(&policy().spec.unwrap(), &[], &api_server(), &moved);
    assert!(!is_due(&look_at(&moved, runs(), 1)));

    let other_tier = Rules { allowed_ports: vec![8443], ..Rules::default() };
    let other_tier = namespace_children("team-a", &other_tier, &settings()).network_policy.spec.unwrap();
    let other_tier = ProofInput::of(&other_tier, &[], &api_server(), &settings());
    let look = look_at(&other_tier, runs(), 1);
    assert!(is_due(&look));
    assert_eq!(said(&look), "Unknown Checking", "what was proved was something else");
    assert_eq!(look.obsolete.len(), 1);
}

#[test]
fn a_policy_of_another_that_opens_the_inside_is_named_whatever_canaries_found() {
    let inward = json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]);
    let input = subject_with(&[foreign("wide", &inward), foreign("all", &json!([{}]))]);
    for runs in [vec![], vec![ended(&input, 0, &closed())]] {
        let look = look_at(&input, runs, 1);
        assert_eq!(said(&look), "False ForeignPolicy");
        assert!(
            look.verdict.message.starts_with("NetworkPolicy all, wide lets senders reach"),
            "{}",
            look.verdict.message
        );
    }
}

#[test]
fn without_canaries_nothing_runs_and_what_can_be_seen_is_told() {
    let plain = input();
    let unchecked = |input: &ProofInput, runs| canary_state("team-a", UID, input, runs, Isolation::Unchecked, 0);
    let look = unchecked(&plain, vec![ended(&plain, 0, &closed())]);
    assert_eq!((said(&look).as_str(), look.stage, look.obsolete.len()), ("Unknown NotChecked", Phase::Holds, 1));
    let input = subject_with(&[foreign("all", &json!([{}]))]);
    assert_eq!(said(&unchecked(&input, vec![])), "False ForeignPolicy");
}

#[test]
fn what_a_pod_says_is_waited_for_a_moment_after_its_job_is_over() {
    let input = input();
    let just_over = || vec![canary(&input, 0, over_in(1), vec![])];
    let at = |seconds: i64| {
        canary_state("team-a", UID, &input, just_over(), Isolation::Warn, minute(1).as_second() + seconds)
    };
    assert_eq!(at(1).stage, Phase::UnderWay);
    assert_eq!(at(1).until, Some(minute(1).as_second() + 10));
    assert_eq!(said(&at(10)), "Unknown CanaryNotRun");
    // A failed Job has no end time before its condition says so.
    assert_eq!(said(&look_at(&input, vec![canary(&input, 0, over(), vec![])], 1)), "Unknown CanaryNotRun");
}

#[test]
fn every_reason_is_in_the_docs() {
    let page = include_str!("../../../../docs/reasons.md");
    for reason in [
        "Proved",
        "ProvedLate",
        "Checking",
        "InternalReachable",
        "ForeignPolicy",
        "NameServersUnreachable",
        "NothingToProveItBy",
        "CanaryNotRun",
        "NotChecked",
        "NotAccepted",
    ] {
        assert!(page.contains(&format!("| `{reason}` |")), "docs/reasons.md lacks {reason}");
    }
}

#[test]
fn a_canary_is_a_senders_pod_without_anything_of_a_tenant() {
    let input = input();
    let Phase::Due(due) = look_at(&input, Vec::new(), 0).stage else { panic!("it is due") };
    let job = canary_job((due.job, due.hash), &input.probes, &policy(), &settings()).unwrap();
    insta::assert_snapshot!(serde_saphyr::to_string(&job).unwrap());
}
