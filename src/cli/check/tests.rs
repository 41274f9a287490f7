use std::io::BufReader;

use clap::Parser;
use serde_json::{Value, json};

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn parse(args: &[&str]) -> Result<Args, clap::Error> {
    Command::try_parse_from(["check"].iter().chain(args)).map(|command| command.args)
}

/// Runs the command; returns whether all URLs were allowed, and the lines.
fn run_on(args: &[&str], input: &[u8]) -> (bool, Vec<Value>) {
    let mut output = Vec::new();
    // A tiny buffer, so that lines straddle it.
    let all = check(&parse(args).unwrap(), BufReader::with_capacity(7, input), &mut output).unwrap();
    let text = String::from_utf8(output).unwrap();
    (all, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn prints_one_line_for_each_url_in_order() {
    let (all, lines) =
        run_on(&["--no-dns", "https://1.1.1.1/s3cret?s3cret", "https://u@127.1/s3cret", "https://10.0.0.1/"], b"");
    assert!(!all);
    assert_eq!(
        lines,
        [
            json!({"target": "https://1.1.1.1/...", "verdict": "allowed", "reason": null, "detail": null,
                "addresses": ["1.1.1.1"]}),
            json!({"target": "https://127.0.0.1/...", "verdict": "refused", "reason": "UserinfoInUrl",
                "detail": "the URL has a user name or password (or a bare @): put credentials in a header",
                "addresses": ["127.0.0.1"]}),
            json!({"target": "https://10.0.0.1/...", "verdict": "refused", "reason": "AddressInternal",
                "detail": "10.0.0.1 is in 10.0.0.0/8 (Private-Use, RFC 1918)", "addresses": ["10.0.0.1"]}),
        ]
    );
}

#[test]
fn all_allowed_is_a_success() {
    assert!(run_on(&["--no-dns", "https://1.1.1.1/", "https://8.8.8.8/"], b"").0);
    assert!(run_on(&["--no-dns", "-"], b"").0);
}

#[test]
fn without_dns_a_name_is_unresolved_unless_its_addresses_are_given() {
    let args = [
        "--no-dns",
        "--resolve",
        "Bücher.example.=1.1.1.1,2606:4700::1",
        "--resolve",
        "bad.example=1.1.1.1,10.0.0.1",
        "--resolve",
        "none.example=",
        "https://bücher.example/",
        "https://bad.example/",
        "https://none.example/",
        "https://other.example/",
        "https://localhost/",
    ];
    let (all, lines) = run_on(&args, b"");
    assert!(!all);
    let verdicts: Vec<_> = lines.iter().map(|line| (line["verdict"].as_str().unwrap(), &line["reason"])).collect();
    assert_eq!(
        verdicts,
        [
            ("allowed", &Value::Null),
            ("refused", &json!("AddressInternal")),
            ("unresolved", &json!("NameNotResolved")),
            ("unresolved", &json!("NameNotResolved")),
            ("refused", &json!("HostInternal")),
        ]
    );
    assert_eq!(lines[0]["target"], "https://xn--bcher-kva.example/...");
    assert_eq!(lines[0]["addresses"], json!(["1.1.1.1", "2606:4700::1"]));
    assert_eq!(lines[1]["addresses"], json!(["1.1.1.1", "10.0.0.1"]));
}

#[test]
fn the_tiers_rules_are_flags() {
    let verdict = |args: &[&str]| run_on(&[&["--no-dns"], args].concat(), b"").1[0]["verdict"].clone();
    assert_eq!(verdict(&["--allow-cidr", "10.0.0.0/8", "https://10.0.0.1/"]), "allowed");
    assert_eq!(verdict(&["--allow-port", "8443", "https://1.1.1.1:8443/"]), "allowed");
    assert_eq!(verdict(&["--allow-host", "1.1.1.1", "https://1.1.1.1/"]), "allowed");
    assert_eq!(verdict(&["--allow-host", "*.example.com", "https://1.1.1.1/"]), "refused");
    assert_eq!(verdict(&["--deny-host", "1.1.1.1", "https://1.1.1.1/"]), "refused");
    let svc = ["--allow-host", "a.b.svc", "--resolve", "a.b.svc=1.1.1.1", "https://a.b.svc/"];
    assert_eq!(verdict(&svc), "allowed");
}

#[test]
fn reads_json_lines_and_keeps_the_place_of_malformed_ones() {
    let input = br#"{"url": "https://a.example/", "resolve": {"A.example": ["1.1.1.1"]}}
not json
{"url": "https://a.example/", "resolve": {"a.example": ["fd00::1"]}, "comment": "x"}

{"resolve": {}}
{"url": "https://a.example/s3cret", "resolve": {"a.example": ["s3cret"]}}
{"url": 1}
{"url": "\ud800"}
{"url": "https://a.example/", "resolve": null}
{"url": "https://b.example/"}"#;
    let (all, lines) = run_on(&["--no-dns", "--resolve", "a.example=8.8.8.8", "-", "https://9.9.9.9/"], input);
    assert!(!all);
    let verdicts: Vec<_> = lines.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!(
        verdicts,
        [
            "allowed",
            "refused",
            "refused",
            "refused",
            "refused",
            "refused",
            "refused",
            "refused",
            "allowed",
            "unresolved",
            "allowed"
        ]
    );
    for malformed in [1, 3, 4, 5, 6, 7] {
        assert_eq!(lines[malformed]["reason"], "UrlMalformed", "{}", lines[malformed]);
        assert!(lines[malformed]["detail"].as_str().unwrap().contains(&format!("line {} ", malformed + 1)));
        assert!(!lines[malformed].to_string().contains("s3cret"));
    }
    assert_eq!(lines[2]["reason"], "AddressInternal");
}

#[test]
fn refuses_bytes_that_are_not_utf8_in_their_place() {
    let (_, lines) =
        run_on(&["--no-dns", "-"], b"{\"url\": \"https://1.1.1.1/\xff\"}\n{\"url\": \"https://1.1.1.1/\"}\n");
    assert_eq!(lines[0]["reason"], "UrlMalformed");
    assert_eq!(lines[1]["verdict"], "allowed");
}

#[test]
fn a_line_that_is_too_long_is_skipped_and_not_held() {
    let fitting = format!("{{\"url\": \"https://1.1.1.1/\", \"x\": \"{}\"}}", "x".repeat(60_000));
    let endless = "x".repeat(1_000_000);
    let input = format!("{endless}\n{fitting}\n{endless}");
    let (_, lines) = run_on(&["--no-dns", "-"], input.as_bytes());
    let verdicts: Vec<_> = lines.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["refused", "allowed", "refused"]);
    assert!(lines[0]["detail"].as_str().unwrap().contains("longer than"));
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for args in [
        &[][..],
        &["--allow-cidr", "10.0.0.0", "https://a.example/"],
        &["--allow-host", "*", "https://a.example/"],
        &["--allow-port", "0", "https://a.example/"],
        &["--resolve", "a.example", "https://a.example/"],
        &["--resolve", "a.example=x", "https://a.example/"],
        &["--resolve", "1.1.1.1=1.1.1.1", "https://a.example/"],
        &["--unknown", "https://a.example/"],
    ] {
        assert_eq!(parse(args).unwrap_err().exit_code(), 2, "{args:?}");
    }
}
