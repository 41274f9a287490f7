//! The JSON Lines that `postern check -` reads.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::net::IpAddr;

use serde::Deserialize;

use super::Answers;
use crate::egress::{Host, Reason, Refusal};

/// The longest line, in bytes: room for the longest URL with every byte escaped, and a few hundred addresses.
const MAX_LINE_BYTES: usize = 65_536;

/// A URL, and addresses for names that came with it.
pub(super) struct Line {
    pub(super) url: String,
    pub(super) answers: Answers,
}

/// Unknown fields are ignored, so that a file may say more about its URLs.
#[derive(Deserialize)]
struct Fields {
    url: String,
    resolve: Option<HashMap<String, Vec<IpAddr>>>,
}

/// Reads line by line, and holds only one line at a time.
pub(super) struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0 }
    }

    /// The next line, or what is wrong with it, or `None` at the end of the input.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<Line, Refusal>>> {
        let mut line = Vec::new();
        let most = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX) + 1;
        self.input.by_ref().take(most).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if line.len() > MAX_LINE_BYTES && !line.ends_with(b"\n") {
            self.skip_line()?;
            return Ok(Some(Err(self.malformed(&format!("is longer than {MAX_LINE_BYTES} bytes")))));
        }
        // The parser's own message may repeat parts of the line.
        let fields = serde_json::from_slice(&line).map_err(|error| {
            let problem =
                format!(r#"is not {{"url": "...", "resolve": {{"host": ["ip"]}}}} (column {})"#, error.column());
            self.malformed(&problem)
        });
        Ok(Some(fields.map(|Fields { url, resolve }| Line { url, answers: answers(resolve.unwrap_or_default()) })))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let newline = buffer.iter().position(|byte| *byte == b'\n');
            let length = newline.map_or(buffer.len(), |at| at + 1);
            self.input.consume(length);
            if newline.is_some() || length == 0 {
                return Ok(());
            }
        }
    }

    fn malformed(&self, problem: &str) -> Refusal {
        Refusal { reason: Reason::UrlMalformed, detail: format!("input line {} {problem}", self.number) }
    }
}

/// Names in the form of [`Host`]. A text that is not a name is never looked up, so it needs no answer.
fn answers(resolve: HashMap<String, Vec<IpAddr>>) -> Answers {
    let mut answers = Answers::new();
    for (host, ips) in resolve {
        if let Ok(Host::Name(name)) = host.parse() {
            answers.entry(name).or_default().extend(ips);
        }
    }
    answers
}
