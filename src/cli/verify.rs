//! `postern verify`: says what a receiver would say about a delivery.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::delivery::Timestamp;
use crate::signing::{VerifyingKey, verify};

/// The files can't be read, or don't hold what they should.
const USAGE: u8 = 2;

/// Verifies a Standard Webhooks delivery as a receiver would, and says precisely what is wrong.
///
/// Exit code 0 when the signature is good, 1 when it is not, 2 when the files can't be used.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The receiver's key: whsec_ for v1, whpk_ (or whsk_) for v1a
    #[arg(long)]
    key_file: PathBuf,
    /// The request's headers, one `Name: value` a line; a request line before them is skipped
    #[arg(long)]
    headers_file: PathBuf,
    /// The request's body, byte for byte
    #[arg(long)]
    body_file: PathBuf,
    /// How far webhook-timestamp may be from now: a number and s, m or h
    #[arg(long, default_value = "5m", value_parser = seconds)]
    tolerance: u64,
}

/// Verifies and prints the verdict.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let now = Timestamp::of(SystemTime::now()).unix();
    match judge(args, now) {
        Ok(verdict) => {
            println!("{verdict}");
            ExitCode::SUCCESS
        }
        Err(Problem::Signature(problem)) => {
            eprintln!("not valid: {problem}");
            ExitCode::FAILURE
        }
        Err(Problem::Usage(problem)) => {
            eprintln!("postern: {problem}");
            ExitCode::from(USAGE)
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Signature(String),
    Usage(String),
}

fn judge(args: &Args, now: u64) -> Result<String, Problem> {
    let Args { key_file, headers_file, body_file, tolerance } = args;
    let usage = |path: &Path, problem: &dyn Display| Problem::Usage(format!("{}: {problem}", path.display()));
    let read = |path: &Path| std::fs::read(path).map_err(|error| usage(path, &error));

    let key = Zeroizing::new(read(key_file)?);
    let key = VerifyingKey::parse(&key).map_err(|error| usage(key_file, &error))?;
    let headers = parse_headers(&read(headers_file)?).map_err(|error| usage(headers_file, &error))?;
    let body = read(body_file)?;

    verify(&key, &headers, &body, now, *tolerance).map_err(|error| Problem::Signature(error.to_string()))?;
    Ok(format!("valid: signed with key {}", key.fingerprint()))
}

fn parse_headers(file: &[u8]) -> Result<Vec<(String, String)>, String> {
    let text = std::str::from_utf8(file).map_err(|_| "is not text".to_owned())?;
    let mut headers = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match line.split_once(':') {
            Some((name, value)) if !name.contains(' ') => {
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
            // `POST /hook HTTP/1.1`
            _ if at == 0 => {}
            _ => return Err(format!("line {} is not of the form `Name: value`", at + 1)),
        }
    }
    Ok(headers)
}

/// A number and its unit: s, m or h.
fn seconds(text: &str) -> Result<u64, String> {
    let form = || "a duration is a whole number and s, m or h, as 5m".to_owned();
    let (unit_at, unit) = text.char_indices().next_back().ok_or_else(form)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(form()),
    };
    let number = &text[..unit_at];
    let plain = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| plain).ok_or_else(form)?;
    number.checked_mul(factor).ok_or_else(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const SENT: u64 = 1_649_367_553;
    const BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;
    const HEADERS: &str = "POST /hook HTTP/1.1\r\nHost: a.example:8443\r\nWebhook-Id: msg_27UH4WbU6Z5A5EzD8u03UvzRbpk\r\n\
        webhook-timestamp: 1649367553\r\nwebhook-signature: v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=\r\n\r\n";

    fn judged(key: &str, headers: &str, body: &str, now: u64) -> Result<String, Problem> {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let args = Args {
            key_file: file("key", key),
            headers_file: file("headers", headers),
            body_file: file("body", body),
            tolerance: 300,
        };
        judge(&args, now)
    }

    #[test]
    fn accepts_the_example_of_the_standard_webhooks_libraries() {
        let verdict = judged(KEY, HEADERS, BODY, SENT + 10).unwrap();
        assert!(verdict.starts_with("valid: signed with key sha256:"), "{verdict}");
    }

    #[test]
    fn says_what_is_wrong_with_the_delivery() {
        let said = |key: &str, headers: &str, body: &str, now| match judged(key, headers, body, now) {
            Err(Problem::Signature(problem)) => problem,
            other => panic!("{other:?}"),
        };
        let other_key = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (problem, part) in [
            (said(KEY, HEADERS, &format!("{BODY}\n"), SENT), "trailing line end"),
            (said(KEY, HEADERS, "{}", SENT), "no v1 signature matches"),
            (said(other_key, HEADERS, BODY, SENT), "no v1 signature matches"),
            (said(KEY, HEADERS, BODY, SENT + 301), "301 s old"),
            (said(KEY, "Host: a", BODY, SENT), "webhook-id is missing"),
        ] {
            assert!(problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn tells_a_wrong_file_from_a_wrong_signature() {
        assert!(matches!(judged("plain", HEADERS, BODY, SENT), Err(Problem::Usage(_))));
        let problem = judged(KEY, "Host: a\nno header", BODY, SENT).unwrap_err();
        let Problem::Usage(problem) = problem else { panic!("{problem:?}") };
        assert!(problem.ends_with("line 2 is not of the form `Name: value`"), "{problem}");
    }

    #[test]
    fn reads_a_duration_in_one_form_only() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("5m"), Ok(300));
        assert_eq!(seconds("1h"), Ok(3_600));
        for text in ["", "5", "m", "-5m", "+5m", "5 m", "5d", "1.5h", "99999999999999999999s", "9999999999999999999h"] {
            assert!(seconds(text).is_err(), "{text:?}");
        }
    }
}
