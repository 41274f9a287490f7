//! The receivers, each with canaries of its own in everything that it says.

use std::io::{self, Read as _, Write as _};
use std::thread;

use postern_e2e::{Certificates, Cluster, DnsAnswer, OK, Receiver, Stream};

use super::canaries::Canaries;

/// The name of all receivers.
pub const HOST: &str = "hooks.example.com";
/// A name that no server answers for.
pub const SILENT_HOST: &str = "silent.example.com";
/// A name that the tier denies.
pub const DENIED_HOST: &str = "denied.example.com";

const INTERNET: &str = "198.51.100.10";

pub struct Receivers {
    pub ok: Receiver,
    /// Wants a client certificate, and accepts requests that come with one.
    pub mutual: Receiver,
    /// Never answers; it is for deliveries that are interrupted.
    pub holding: Receiver,
    /// The receivers that make a delivery fail, each named by its scenario.
    pub failing: Vec<(&'static str, Receiver)>,
    /// The port of a receiver without TLS.
    pub plain: u16,
    /// A port at which nobody listens.
    pub closed: u16,
}

impl Receivers {
    pub fn start(cluster: &Cluster, canaries: &mut Canaries) -> Self {
        cluster.set_dns(HOST, &[DnsAnswer::addresses([INTERNET])]);
        cluster.set_dns(DENIED_HOST, &[DnsAnswer::addresses([INTERNET])]);
        cluster.set_dns(SILENT_HOST, &[DnsAnswer::silence()]);
        let on_internet = || cluster.listen_on_the_internet(INTERNET, 0);
        let silent = |stream: &mut Stream| stream.read(&mut [0]).map(drop);

        let mut failing = Vec::new();
        for (scenario, status) in
            [("redirected", 301), ("rejected", 400), ("gone", 410), ("busy", 429), ("error", 500), ("unexpected", 600)]
        {
            let answer = answer(canaries, scenario, status);
            failing.push((scenario, Receiver::on(on_internet(), Certificates::good(HOST), false, always(&answer))));
        }
        let word = canaries.word("the garbage of garbled");
        let garbage = always(&format!("{word} {word}\r\n{word}\r\n\r\n"));
        failing.push(("garbled", Receiver::on(on_internet(), Certificates::good(HOST), false, garbage)));
        let cut = always(&format!("HTTP/1.1 200 {}", canaries.word("the status text of cut-off")));
        failing.push(("cut-off", Receiver::on(on_internet(), Certificates::good(HOST), false, cut)));
        failing.push(("timed-out", Receiver::on(on_internet(), Certificates::good(HOST), false, silent)));
        for (scenario, make) in
            [("misnamed", Certificates::good as fn(&str) -> _), ("self-signed", Certificates::self_signed)]
        {
            let name = format!("{}.example", canaries.word(&format!("the certificate's name of {scenario}")));
            failing.push((scenario, Receiver::on(on_internet(), make(&name), false, always(OK))));
        }

        let ok = answer(canaries, "delivered", 200);
        Self {
            ok: Receiver::on(on_internet(), Certificates::good(HOST), false, always(&ok)),
            mutual: Receiver::on(on_internet(), Certificates::good(HOST), true, always(OK)),
            holding: Receiver::on(on_internet(), Certificates::good(HOST), false, silent),
            failing,
            plain: plain(on_internet(), canaries.word("the plain text of plain")),
            closed: on_internet().local_addr().unwrap().port(),
        }
    }

    /// The receivers that may get a request.
    pub fn all(&self) -> impl Iterator<Item = &Receiver> {
        self.failing.iter().map(|(_, receiver)| receiver).chain([&self.ok, &self.mutual, &self.holding])
    }

    /// The ports that the tier must allow.
    pub fn ports(&self) -> Vec<u16> {
        self.all().map(|receiver| receiver.port).chain([self.plain, self.closed]).collect()
    }
}

/// An answer with a canary in every place that a receiver can fill.
fn answer(canaries: &mut Canaries, scenario: &str, status: u16) -> String {
    let mut word = |part: &str| canaries.word(&format!("the answer's {part} of {scenario}"));
    let (text, cookie, other, body) = (word("status text"), word("cookie"), word("header"), word("body"));
    let (location, retry_after) = (word("location"), word("Retry-After"));
    format!(
        "HTTP/1.1 {status} {text}\r\nset-cookie: session={cookie}\r\nx-other: {other}\r\nretry-after: {retry_after}\r\n\
         location: https://{HOST}/{location}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn always(answer: &str) -> impl FnMut(&mut Stream) -> io::Result<()> + use<> {
    Receiver::by_turns([answer])
}

/// Listens as long as the test runs, and answers without TLS.
fn plain(listener: std::net::TcpListener, word: String) -> u16 {
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 400 {word}\r\ncontent-length: {}\r\n\r\n{word}", word.len());
        }
    });
    port
}
