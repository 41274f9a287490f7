//! A receiver as a process of its own, which the tests talk to over plain HTTP.

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
    /// Starts the receiver on a free port, which its first line of output names.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.env("PORT", "0").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        Self { child, lines, address }
    }

    /// Sends a request with its headers and body unchanged; returns the status of the answer.
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

    /// Ends the receiver, and returns what it has printed since it started listening.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.by_ref().map(Result::unwrap).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a failed test, this ends the receiver; otherwise it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
