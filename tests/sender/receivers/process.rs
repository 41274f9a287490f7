//! A receiver as a process of its own, which is spoken to over plain HTTP.

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use postern_e2e_receiver::Request;

pub(crate) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Process {
    /// Starts it on a free port, which its first line names.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.env("PORT", "0").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        Self { child, lines, address }
    }

    /// Sends a request with its headers and body as they are; returns the status of the answer.
    pub(crate) fn answer_to(&self, request: &Request) -> u16 {
        let mut lines = vec![request.line.replace("?token=t", "")];
        let headers = request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
        lines.extend(headers.map(|(name, value)| format!("{name}: {value}")));
        lines.push(format!("content-length: {}\r\n\r\n", request.body.len()));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(&[lines.join("\r\n").as_bytes(), &request.body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Ends it, and returns what it said since it listened.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.by_ref().map(Result::unwrap).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind; one that didn't has ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
