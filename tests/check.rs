//! `postern check` as a process: its exit codes and its streams.

#![cfg(feature = "operator")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

fn check(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postern"));
    command.arg("check").args(args);
    command
}

#[test]
fn the_exit_code_says_whether_all_were_allowed() {
    for (args, code) in [
        (&["--no-dns", "https://1.1.1.1/", "https://8.8.8.8/"][..], 0),
        (&["--no-dns", "https://1.1.1.1/", "https://10.0.0.1/"], 1),
        (&["--no-dns", "https://hooks.example.com/"], 1),
        (&[], 2),
        (&["--allow-cidr", "x", "https://1.1.1.1/"], 2),
    ] {
        let output = check(args).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn answers_each_line_before_it_waits_for_the_next() {
    let mut child = check(&["--no-dns", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    for (line, verdict) in [
        (r#"{"url": "https://1.1.1.1/"}"#, "allowed"),
        ("not JSON", "refused"),
        (r#"{"url": "https://a.example/", "resolve": {"a.example": ["8.8.8.8"]}}"#, "allowed"),
    ] {
        writeln!(input, "{line}").unwrap();
        let mut answer = String::new();
        output.read_line(&mut answer).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["verdict"], verdict, "{line}");
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
