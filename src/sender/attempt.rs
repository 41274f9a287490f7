//! One attempt: look the name up, judge its addresses, connect to one of them, send, and judge the answer. A check stops before
//! connecting.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::connect::connect;
use super::exchange::{Broken, Exchange};
use super::failure::{Failure, judge_status, of_malformed};
use super::prepare::Prepared;
use super::retry_after::retry_after;
use super::tls_failure::{ClientAuth, of_status, of_stream};
use crate::delivery::{AddressFamily, Reason, Timestamp, Timings};
use crate::egress::{self, Resolved, Resolver};

/// What is known about an attempt, even when it is cut short.
#[derive(Default)]
pub(super) struct Trace {
    pub(super) status: Option<StatusCode>,
    pub(super) address_family: Option<AddressFamily>,
    pub(super) timings: Timings,
}

impl Trace {
    /// The reason for an attempt that ran out of time, by what it was waiting for.
    fn reason_of_timeout(&self) -> Reason {
        if self.timings.dns_ms.is_none() {
            Reason::NameNotResolved
        } else if self.timings.connect_ms.is_none() {
            Reason::ConnectTimeout
        } else {
            Reason::RequestTimeout
        }
    }
}

const SUCCESS_CUT_SHORT: &str = "the receiver answered with success and ended the connection before it had the whole \
    request: it must read the whole request";
const SUCCESS_UNREAD: &str =
    "the receiver answered with success but didn't read the rest of the request: it must read the whole request";

/// An exchange with the receiver, over TLS.
pub(super) type Conversation = Exchange<TlsStream<TcpStream>>;

/// A connection that was opened before the attempt, and what is known about it.
pub(super) struct Opened {
    pub(super) conversation: Conversation,
    pub(super) trace: Trace,
}

/// How an attempt ended, and its connection if the receiver answered.
pub(super) type Ended = (Result<(), Failure>, Option<Conversation>);

/// Makes the attempt with this number (from 1), over the connection that is already open, if there is one. The receiver must have
/// answered by the deadline.
///
/// If that connection breaks before it has taken the whole request, the attempt goes on with a new one. Once the request was sent
/// whole, the receiver may have read it, and only another attempt may repeat it.
pub(super) async fn attempt(
    prepared: &Prepared,
    number: u32,
    opened: Option<Opened>,
    deadline: Instant,
    trace: &mut Trace,
) -> Ended {
    if let Some(Opened { mut conversation, trace: of_opening }) = opened {
        *trace = of_opening;
        let result = send(prepared, number, &mut conversation, deadline, trace).await;
        if !conversation.is_unsent() {
            return (result, trace.status.map(|_| conversation));
        }
        *trace = Trace::default();
    }
    let opened = timeout_at(deadline, open(prepared, &prepared.resolver, deadline, trace)).await;
    match opened.unwrap_or_else(|_| Err(Failure::of_transport(trace.reason_of_timeout()))) {
        Ok(mut conversation) => {
            let result = send(prepared, number, &mut conversation, deadline, trace).await;
            (result, trace.status.map(|_| conversation))
        }
        Err(failure) => (Err(failure), None),
    }
}

/// Signs the request as of now, sends it, and judges the answer.
async fn send(
    prepared: &Prepared,
    number: u32,
    conversation: &mut Conversation,
    deadline: Instant,
    trace: &mut Trace,
) -> Result<(), Failure> {
    let request = prepared.blueprint.request(number, Timestamp::of(SystemTime::now()))?;
    let begun = Instant::now();
    let ran = timeout_at(deadline, conversation.run(&request)).await;
    trace.status = conversation.status();
    trace.timings.first_byte_ms = conversation.answered_at().map(|at| milliseconds(at.duration_since(begun)));
    judge(conversation, ran, prepared.tls.client_auth())
}

/// Judges an exchange that ended with this result, or that ran out of time.
fn judge<S: AsyncRead + AsyncWrite>(
    exchange: &Exchange<S>,
    ran: Result<Result<(), Broken>, Elapsed>,
    client: ClientAuth<'_>,
) -> Result<(), Failure> {
    // Nothing that happened after the deciding status changes the result.
    if let Some(status) = exchange.decision() {
        let after = exchange.retry_after().and_then(|value| retry_after(value, SystemTime::now()));
        return judge_status(status, after).map_err(|failure| failure.because(of_status(status, client)));
    }
    if let Ok(Err(broken)) = ran {
        return Err(of_broken(broken, client));
    }
    // Without a deciding status there is an error, unless the time ran out.
    let detail = exchange.status().map_or("", |_| SUCCESS_UNREAD);
    Err(Failure::of_transport(Reason::RequestTimeout).because(detail))
}

fn of_broken(broken: Broken, client: ClientAuth<'_>) -> Failure {
    match broken {
        Broken::Connection(error) => {
            let (reason, detail) = of_stream(&error, client);
            Failure::of_transport(reason).because(detail)
        }
        Broken::Malformed(malformed) => of_malformed(malformed),
        Broken::CutShort => Failure::of_transport(Reason::ConnectionReset).because(SUCCESS_CUT_SHORT),
    }
}

/// The part of an attempt that comes before connecting.
pub(super) async fn check(prepared: &Prepared, deadline: Instant, trace: &mut Trace) -> Result<(), Failure> {
    let aimed = timeout_at(deadline, aim(prepared, &prepared.resolver, trace)).await;
    aimed.unwrap_or_else(|_| Err(Failure::of_transport(trace.reason_of_timeout()))).map(drop)
}

/// Where to connect, and which name the receiver's certificate must be for.
async fn aim(
    prepared: &Prepared,
    dns: &Resolver,
    trace: &mut Trace,
) -> Result<(Resolved, ServerName<'static>), Failure> {
    let mut clock = Instant::now();
    let resolved = egress::resolve(&prepared.target, &prepared.rules, dns).await?;
    trace.timings.dns_ms = Some(lap(&mut clock));
    let name = ServerName::try_from(prepared.target.server_name())
        .map_err(|_| Failure::of_transport(Reason::CertificateNameMismatch))?;
    Ok((resolved, name))
}

/// A connection over TLS to an address that was looked up and judged for it.
pub(super) async fn open(
    prepared: &Prepared,
    dns: &Resolver,
    deadline: Instant,
    trace: &mut Trace,
) -> Result<Conversation, Failure> {
    let (resolved, name) = aim(prepared, dns, trace).await?;
    let mut clock = Instant::now();

    let (stream, family) = connect(&resolved.addresses, deadline)
        .await
        .map_err(|reason| Failure::of_transport(reason).because(half_known(resolved.missing)))?;
    trace.address_family = Some(family);
    trace.timings.connect_ms = Some(lap(&mut clock));

    let stream = prepared.tls.connect(name, stream).await?;
    trace.timings.tls_ms = Some(lap(&mut clock));
    Ok(Exchange::over(stream))
}

/// The detail for when no address was reached and the addresses of one family aren't known.
fn half_known(missing: Option<String>) -> String {
    missing.map_or_else(String::new, |missing| {
        format!("{missing}, so only the other family's addresses were tried: check the receiver, and the cluster's DNS")
    })
}

/// The milliseconds since the last call.
fn lap(clock: &mut Instant) -> u32 {
    let elapsed = clock.elapsed();
    *clock += elapsed;
    milliseconds(elapsed)
}

/// Whole milliseconds, as the outcome has them.
pub(super) fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::time::timeout;

    /// A receiver that answers this at once, reads nothing and keeps the connection open.
    async fn judged(answer: &str, client: ClientAuth<'_>) -> Failure {
        let (sender, mut receiver) = duplex(64);
        receiver.write_all(answer.as_bytes()).await.unwrap();
        let mut exchange = Exchange::over(sender);
        let ran = timeout(Duration::from_secs(10), exchange.run(&[b'x'; 10_000])).await;
        judge(&exchange, ran, client).unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_says_200_and_never_reads_the_rest_is_told_to() {
        let expected = Failure::of_transport(Reason::RequestTimeout).because(SUCCESS_UNREAD);
        assert_eq!(judged("HTTP/1.1 200 OK\r\n\r\n", ClientAuth::NotAsked).await, expected);
        assert_eq!(judged("", ClientAuth::NotAsked).await, Failure::of_transport(Reason::RequestTimeout));
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_asked_for_a_client_certificate_and_refuses_the_request_may_have_wanted_it() {
        for status in [400, 401, 403, 496] {
            let answer = format!("HTTP/1.1 {status} \r\n\r\n");
            let Failure { reason, detail, .. } = judged(&answer, ClientAuth::Missing).await;
            assert_eq!(reason, Reason::RequestRejected, "{status}");
            assert!(detail.contains("set tls.clientCertificateFrom"), "{status}: {detail}");
            assert_eq!(judged(&answer, ClientAuth::NotAsked).await.detail, "");
        }
    }
}
